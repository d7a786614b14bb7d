"""What the viewers of a layer see of it: progress, statistics, status."""
