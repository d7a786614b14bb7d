"""What it costs to have pixels of a plain numpy array in memory, before they are touched.

Invariants: nothing is read to find out. Memory maps, subclasses of arrays (whose slicing may be
anybody's code) and whatever is computed are no plain memory.
"""

from __future__ import annotations

import numpy as np

from napari_octree.sources.arrays.sliced_array import SlicedArray
from napari_octree.sources.protocol import LevelSource, Region

CACHE_LINE = 64
"""Bytes of memory that a pixel costs whose neighbours lie elsewhere."""


def bytes_touched(source: LevelSource, region: Region) -> int | None:
    """Return the bytes of memory that reading a region touches; None if it is not plain memory.

    Of an array whose neighbouring pixels lie apart each pixel costs a cache line.
    """
    storage = source.storage
    if not (isinstance(storage, SlicedArray) and storage.in_memory):
        return None
    array = storage.array
    if type(array) is not np.ndarray:
        return None
    bytes_each, nearest = array.itemsize, CACHE_LINE
    count = 1
    for (start, stop), step in zip(source.storage_region(region), array.strides, strict=True):
        count *= stop - start
        if stop - start > 1:
            nearest = min(nearest, abs(step))
    return count * max(nearest, bytes_each)
