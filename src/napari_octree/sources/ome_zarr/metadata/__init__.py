"""What the attributes of OME-Zarr groups say. Pure: decoded JSON in, frozen values out."""

from napari_octree.sources.ome_zarr.metadata.flaws import OmeZarrWarning
from napari_octree.sources.ome_zarr.metadata.model import Axis, Channel, Dataset, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.multiscales import parse_images
from napari_octree.sources.ome_zarr.metadata.scales import reconcile_scales
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes

__all__ = [
    "Axis",
    "Channel",
    "Dataset",
    "ImageMetadata",
    "OmeZarrWarning",
    "ome_attributes",
    "parse_images",
    "reconcile_scales",
]
