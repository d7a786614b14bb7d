"""The value under the cursor, from RAM only: of the slice that the sliders name, never another's.

Invariants: nothing is read and nothing waits; any thread (napari asks in one of its own).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.cache.values import value_at
from napari_octree.sources.protocol import Region


def value_under(
    octree_slice: OctreeSlice, cache: ChunkCache, point: np.ndarray, overview: np.ndarray | None
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
    spot = [float(point[a]) for a in key.displayed]
    coarsest = len(octree_slice.octree.levels) - 1
    thin = all(r is None or r[1] - r[0] == 1 for r in key.ranges)
    for level in range(coarsest + 1 if thin else 0):
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
    """A pixel's value or colour, or None."""
    source, hint = octree_slice.sources[level], octree_slice.hint
    rgb = octree_slice.pyramid.rgb
    index = tuple(start for start, _ in (pixel[:-1] if rgb else pixel))
    if not rgb:
        return value_at(cache, source, index, hint)
    channels = range(source.shape[-1])
    colours = [value_at(cache, source, (*index, channel), hint) for channel in channels]
    return None if any(c is None for c in colours) else np.array(colours, source.dtype)
