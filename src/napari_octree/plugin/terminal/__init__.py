"""What the commands of the terminal share, and those that are beside looking at an image."""
