"""What stands in the documents of a zarr hierarchy, and what was meant by it."""
