"""napari layers for images far larger than memory: quadtrees and octrees, loaded as you look."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_octree.config import OctreeConfig
    from napari_octree.layers.image.octree_image import OctreeImage
    from napari_octree.layers.labels.octree_labels import OctreeLabels
    from napari_octree.layers.points.octree_points import OctreePoints
    from napari_octree.octree.transform import LevelTransform
    from napari_octree.octree.view import View
    from napari_octree.plugin.opening.open_image import open_image
    from napari_octree.plugin.opening.open_mosaic import open_mosaic
    from napari_octree.plugin.opening.open_ome_zarr import open_ome_zarr
    from napari_octree.plugin.opening.open_points import open_points
    from napari_octree.plugin.picture import export_png
    from napari_octree.sources.errors import SourceError
    from napari_octree.writing.points.build import build_points

__all__ = [
    "LevelTransform",
    "OctreeConfig",
    "OctreeImage",
    "OctreeLabels",
    "OctreePoints",
    "SourceError",
    "View",
    "build_points",
    "export_png",
    "open_image",
    "open_mosaic",
    "open_ome_zarr",
    "open_points",
]

# Loaded when asked for: `napari_octree.octree`, `.loading` and `.sources` are usable without
# napari, and importing a package imports its parents.
_HOMES = {
    "LevelTransform": "napari_octree.octree.transform",
    "SourceError": "napari_octree.sources.errors",
    "View": "napari_octree.octree.view",
    "OctreeConfig": "napari_octree.config",
    "OctreeImage": "napari_octree.layers.image.octree_image",
    "OctreeLabels": "napari_octree.layers.labels.octree_labels",
    "OctreePoints": "napari_octree.layers.points.octree_points",
    "export_png": "napari_octree.plugin.picture",
    "open_image": "napari_octree.plugin.opening.open_image",
    "open_mosaic": "napari_octree.plugin.opening.open_mosaic",
    "open_ome_zarr": "napari_octree.plugin.opening.open_ome_zarr",
    "open_points": "napari_octree.plugin.opening.open_points",
    "build_points": "napari_octree.writing.points.build",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
