"""Sets of points of any size as a layer."""
