"""The value under the cursor, from RAM only: of the slice that the sliders name, never another's.

Invariants: nothing is read and nothing waits; any thread (napari asks in one of its own).
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.cache.values import value_at
from napari_octree.sources.protocol import Region

MOST_PLANES = 256
"""Of a thick slice; a thicker one shows the value of its overview."""


def value_under(
    octree_slice: OctreeSlice,
    cache: ChunkCache,
    point: np.ndarray,
    overview: np.ndarray | None,
    finest: int = 0,
) -> tuple[int, Any] | None:
    """Return (level, value) of the finest level that is at hand.

    Parameters
    ----------
    octree_slice : OctreeSlice
    cache : ChunkCache
    point : (ndim,) float64
        Octree coordinates of all axes.
    overview : numpy.ndarray or None
        The coarsest level of this very slice, as displayed.
    finest : int
        No finer level is looked at: the one that is shown whatever the zoom.

    Returns
    -------
    (int, value) or None
        None outside of the image. The value is None where nothing is at hand yet; a colour is
        an array.
    """
    pyramid, key = octree_slice.pyramid, octree_slice.key
    shape = pyramid.shapes[0]
    if any(not 0 <= point[a] < shape[a] for a in key.displayed):
        return None
    if pyramid.edits is not None:
        place = [int(point[a]) if r is None else r[0] for a, r in enumerate(key.ranges)]
        if (painted := pyramid.edits.value(place)) is not None:
            return (0, painted)
    spot = [float(point[a]) for a in key.displayed]
    coarsest = len(octree_slice.octree.levels) - 1
    for level in range(min(finest, coarsest), coarsest + 1):
        _, pixel = octree_slice.tile_at(level, spot)
        region = octree_slice.region(level, [(i, i + 1) for i in pixel])
        value = _cached(octree_slice, cache, level, region)
        if value is not None:
            return (level, value)
    _, pixel = octree_slice.tile_at(coarsest, spot)
    if overview is None or overview.shape[: len(pixel)] != octree_slice.octree.levels[-1].shape:
        return (coarsest, None)
    return (coarsest, overview[pixel])


def _cached(octree_slice: OctreeSlice, cache: ChunkCache, level: int, pixel: Region) -> Any:
    """A pixel's value or colour, projected over a thick slice, or None."""
    axes = pixel[:-1] if octree_slice.pyramid.rgb else pixel
    if math.prod(stop - start for start, stop in axes) > MOST_PLANES:
        return None
    values = []
    for index in product(*(range(*extent) for extent in axes)):
        value = _stored(octree_slice, cache, level, index)
        if value is None:
            return None
        values.append(value)
    if len(values) == 1:
        return values[0]
    dtype = octree_slice.sources[level].dtype
    return octree_slice.project(np.array(values, dtype), (0,))[()]


def _stored(
    octree_slice: OctreeSlice, cache: ChunkCache, level: int, index: tuple[int, ...]
) -> Any:
    source, hint = octree_slice.sources[level], octree_slice.hint
    if not octree_slice.pyramid.rgb:
        return value_at(cache, source, index, hint)
    channels = range(source.shape[-1])
    colours = [value_at(cache, source, (*index, channel), hint) for channel in channels]
    return None if any(c is None for c in colours) else np.array(colours, source.dtype)
