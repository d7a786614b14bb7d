"""A plate of 384 wells, computed while you look, then a scan of placed tiles."""

import sys

import napari
import numpy as np

from napari_octree import OctreeImage, open_mosaic, open_ome_zarr
from napari_octree.sources.samples.plate import plate

viewer = napari.Viewer()
if len(sys.argv) > 1:
    for layer in open_ome_zarr(sys.argv[1]):
        viewer.add_layer(layer)
else:
    viewer.add_layer(OctreeImage(list(plate()), name="plate", colormap="viridis"))
    rng = np.random.default_rng(0)
    tiles = [
        (rng.normal(1000, 200, (256, 256)).astype("u2"), (y * 240 - 2000, x * 240))
        for y in range(8)
        for x in range(8)
    ]
    viewer.add_layer(open_mosaic(tiles, name="scan"))
napari.run()
