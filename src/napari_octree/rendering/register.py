"""Importing this module tells napari how our layers are drawn. It needs Qt and vispy."""

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.rendering._vispy import keep_programs_until_others_draw, register_visual_class
from napari_octree.rendering.canvas.qt_loop import attach_qt_loop
from napari_octree.rendering.image.vispy_image import VispyOctreeImage
from napari_octree.rendering.labels.vispy_labels import VispyOctreeLabels
from napari_octree.rendering.points.vispy_points import VispyOctreePoints

keep_programs_until_others_draw()
register_visual_class(OctreeImage, VispyOctreeImage)
register_visual_class(OctreeLabels, VispyOctreeLabels)
register_visual_class(OctreePoints, VispyOctreePoints)


def install() -> None:
    """Let Qt carry callbacks, as soon as there is an application."""
    attach_qt_loop()
