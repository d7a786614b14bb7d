"""A time series with channels and planes: 4 TB, one slider per axis; slices are read ahead."""

import napari

from napari_octree import OctreeImage, samples

viewer = napari.Viewer()
layer = OctreeImage(
    samples.series(),
    name="series",
    axis_labels=("t", "c", "z", "y", "x"),
    contrast_limits=(0, 32767),
    colormap="magma",
)
layer.display.policy = "play"  # read more slices ahead
layer.display.play = "wait"  # a playing slider waits until it can show something of each slice
viewer.add_layer(layer)
napari.run()
