"""Fly around the Mandelbulb: 2^20 voxels a side, in 3-D, computed while you look."""

import napari

from napari_octree import OctreeImage, samples

viewer = napari.Viewer(ndisplay=3)
layer = OctreeImage(
    samples.mandelbulb(),
    name="Mandelbulb",
    rendering="iso",
    iso_threshold=130,
    contrast_limits=(0, 370),
    colormap="magma",
)
viewer.add_layer(layer)
viewer.scene.camera.angles = (10, 25, 15)
napari.run()
