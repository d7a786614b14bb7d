"""A scan of 400 overlapping tiles as one image; only the tiles in view are read."""

import napari
import numpy as np

from napari_octree import open_mosaic

TILE, STEP = 256, 240


class Tile:
    """A tile of the scan: in real life a file. It is read when it comes into view."""

    shape, dtype = (TILE, TILE), np.dtype("uint8")

    def __init__(self, number):
        self.number = number

    def __getitem__(self, index):
        y, x = np.mgrid[index]
        return ((np.hypot(y - TILE / 2, x - TILE / 2) + 8 * self.number) % 255).astype("u1")


tiles = [(Tile(20 * y + x), (y * STEP, x * STEP)) for y in range(20) for x in range(20)]
viewer = napari.Viewer()
viewer.add_layer(open_mosaic(tiles, name="scan", contrast_limits=(0, 255), colormap="viridis"))
napari.run()
