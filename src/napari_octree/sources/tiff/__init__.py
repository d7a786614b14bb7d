"""TIFF files and whole slides: levels, channels, pixel sizes, and reads by the file's own tiles.

`tifffile` parses and decodes; openslide, where it is installed, opens what tifffile cannot. Both
come with the extra [slides]. Nothing here knows napari, Qt or GL.
"""
