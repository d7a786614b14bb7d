"""Coordinate systems and transformations of OME-Zarr 0.6, and where they place an image."""
