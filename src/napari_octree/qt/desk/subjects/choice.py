"""Which kind of subject a layer is."""

from __future__ import annotations

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.qt.desk.subjects.pixel_subject import PixelSubject
from napari_octree.qt.desk.subjects.point_subject import PointSubject
from napari_octree.qt.desk.subjects.subject import Subject


def subject_of(layer: OctreeLayer | None) -> Subject | None:
    """A layer as the dock shows it; None for no layer, or a kind that is not known."""
    if isinstance(layer, OctreeScalarField):
        return PixelSubject(layer)
    if isinstance(layer, OctreePoints):
        return PointSubject(layer)
    return None
