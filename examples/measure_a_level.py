"""Compute on a coarse level with dask, and show the result where it belongs."""

import napari
import numpy as np

from napari_octree import OctreeImage, samples

viewer = napari.Viewer()
layer = OctreeImage(samples.checkerboard((2**16, 2**16)), name="board", contrast_limits=(0, 255))
viewer.add_layer(layer)

number = len(layer.level_shapes) - 1
level = layer.level(number)  # a dask array: nothing is read yet
bright = np.asarray(level > level.mean())
viewer.add_labels(bright.astype("u1"), name="bright", affine=layer.level_affine(number))
print(f"level {number}: {level.shape}, {bright.mean():.0%} of it is bright")
napari.run()
