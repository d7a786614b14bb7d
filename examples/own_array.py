"""Show an array of your own: anything with shape, dtype and slicing. This one exists nowhere."""

import napari
import numpy as np

from napari_octree import OctreeImage


class Waves:
    """2^24 × 2^24 pixels of two waves, computed where somebody looks.

    `__getitem__` is called in worker threads, several at a time, with one slice per axis.
    """

    dtype = np.dtype("float32")

    def __init__(self, step):
        self.step = step
        self.shape = (2**24 // step, 2**24 // step)

    def __getitem__(self, index):
        pairs = zip(self.shape, index, strict=True)
        rows, columns = (np.arange(n)[part] * self.step for n, part in pairs)
        return (np.sin(rows / 3e5)[:, None] * np.cos(columns / 2e5)).astype("float32")


viewer = napari.Viewer()
levels = [Waves(2**k) for k in range(16)]
viewer.add_layer(OctreeImage(levels, name="waves", colormap="twilight", contrast_limits=(-1, 1)))
napari.run()
