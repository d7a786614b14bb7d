"""Importing this module tells napari how an `OctreeImage` is drawn. It needs Qt and vispy."""

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.rendering._vispy import register_visual_class
from napari_octree.rendering.canvas.qt_loop import attach_qt_loop
from napari_octree.rendering.image.vispy_image import VispyOctreeImage

register_visual_class(OctreeImage, VispyOctreeImage)
attach_qt_loop()
