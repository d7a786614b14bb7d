"""What the attributes of OME-Zarr groups say. Pure: decoded JSON in, frozen values out."""

from napari_octree.sources.ome_zarr.metadata.flaws import OmeZarrWarning
from napari_octree.sources.ome_zarr.metadata.model import Axis, Channel, Dataset, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes

__all__ = [
    "Axis",
    "Channel",
    "Dataset",
    "ImageMetadata",
    "OmeZarrWarning",
    "ome_attributes",
]
