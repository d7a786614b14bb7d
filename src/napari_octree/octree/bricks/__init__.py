"""3-D: which bricks a view is given, within a budget."""
