"""Trees of points that do not fit in memory, written as zarr."""
