"""Zarr arrays: read by their chunks, with codecs that are safe."""
