"""Pixels go out: pyramids built out of core, and crops written to disk. No napari, Qt or GL."""
