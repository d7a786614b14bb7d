"""What the first layer of a session imports: every module costs time in which the window waits."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import numpy as np
from napari.components import ViewerModel
from napari_octree import OctreeImage
viewer = ViewerModel()
viewer.add_layer(OctreeImage(np.zeros((30, 40), np.uint8)))
print(*sys.modules)
import xarray
array = xarray.DataArray(np.zeros((3, 4)), dims=("row", "column"), coords={"column": [0, 2, 4, 6]})
layer = OctreeImage(array)
assert layer.axis_labels == ("row", "column") and layer.scale[1] == 2, layer.axis_labels
"""


def test_the_first_image_needs_neither_pandas_nor_xarray() -> None:
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    modules = set(said.stdout.split())
    assert "napari_octree.rendering.tiles.tile_drawing" in modules
    alone = subprocess.run(
        [sys.executable, "-c", "import sys, dask.array; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    dask_s_own = set(alone.stdout.split())  # of 2025: it imports all three
    assert not modules & {"pandas", "xarray", "pyarrow"} - dask_s_own
