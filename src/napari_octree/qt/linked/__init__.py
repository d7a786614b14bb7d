"""Linked orthogonal views: xy, yz, xz and 3-D of the same layers, side by side."""
