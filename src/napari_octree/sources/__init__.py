"""Where pixels come from: arrays, zarr, OME-Zarr, remote stores, generated images."""

from napari_octree.sources.arrays.axis_view import AxisView
from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.level_source import as_level_source, as_level_sources

__all__ = ["AxisView", "SourceError", "as_level_source", "as_level_sources"]
