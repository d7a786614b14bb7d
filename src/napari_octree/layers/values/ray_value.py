"""The values along a line of sight, from RAM only.

Invariants: nothing is read from a store; the line is cut into the same cells as on the GPU (the
finest brick shown, above which all are shown or have failed). It is sampled as napari samples a
volume: at two places per voxel, both ends included, in voxels of each cell's level; so where one
level is shown all along, the places are napari's. Places whose voxels are not in RAM are left
out. Any thread.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.loading import ChunkId
from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.octree import Octree

BoolArray = npt.NDArray[np.bool_]

PER_VOXEL = 2
"""Samples, as napari takes them."""

MAX_SAMPLES = 4096
"""Of one line: where there would be more, steps get longer."""


def ray_values(
    octree_slice: OctreeSlice,
    shown: Collection[ChunkKey],
    cache: ChunkCache,
    start: FloatArray,
    stop: FloatArray,
    failed: Collection[ChunkKey] = (),
) -> np.ndarray:
    """Values from `start` to `stop`.

    Parameters
    ----------
    octree_slice : OctreeSlice
        Of three displayed axes.
    shown : collection of ChunkKey
        The bricks on the GPU.
    cache : ChunkCache
    start, stop : (3,) float64
        In octree coordinates, in display order.
    failed : collection of ChunkKey
        Bricks that could not be loaded: those below them may be shown.

    Returns
    -------
    (N,) or (N, channels) array
        Of the image's type, in order; empty where nothing is at hand.
    """
    octree = octree_slice.octree
    length = float(np.linalg.norm(stop - start))
    parts: list[np.ndarray] = []
    if length > 0:
        cells = list(_cells(octree, shown, failed, start, (stop - start) / length, length))
        counts = [_count(octree, level, stop - start) for level, _, _ in cells]
        wanted = sum(n * (b - a) / length for n, (_, a, b) in zip(counts, cells, strict=True))
        widen = max(wanted / MAX_SAMPLES, 1.0)
        for (level, begin, end), count in zip(cells, counts, strict=True):
            places = _places(start, stop, int(count / widen), begin / length, end / length)
            parts.append(_at_hand(octree_slice, cache, level, _pixels(octree, level, places)))
    if parts:
        return np.concatenate(parts)
    source = octree_slice.sources[0]
    return np.empty((0, *octree_slice.pyramid.colour_axis), source.dtype)


def _cells(
    octree: Octree,
    shown: Collection[ChunkKey],
    failed: Collection[ChunkKey],
    start: FloatArray,
    direction: FloatArray,
    length: float,
) -> Iterator[tuple[int, float, float]]:
    """The level shown and the distances between which it is, from front to back."""
    nudge = octree.slack
    t = 0.0
    while t < length:
        place = start + direction * (t + nudge)
        low, high = np.full(3, -np.inf), np.full(3, np.inf)
        found: int | None = None
        for level in reversed(octree.levels):
            index = tuple(level.tile_range(a, p, p)[0] for a, p in enumerate(place))
            bounds = np.array(level.tile_bounds(index))
            last = np.array(level.grid_shape) - 1
            low = np.maximum(low, np.where(np.equal(index, 0), -np.inf, bounds[:, 0]))
            high = np.minimum(high, np.where(np.equal(index, last), np.inf, bounds[:, 1]))
            key = ChunkKey(level.index, index)
            if key in shown:
                found = level.index
            elif key not in failed:
                break
        with np.errstate(divide="ignore", invalid="ignore"):
            exits = (np.where(direction > 0, high, low) - start) / direction
        leave = min(float(np.min(exits, where=direction != 0, initial=np.inf)), length)
        leave = max(leave, t + nudge)
        if found is not None:
            yield found, t, leave
        t = leave


def _count(octree: Octree, level: int, line: FloatArray) -> int:
    """How many places of a line napari looks at in a volume of that level."""
    factor = np.array(octree.levels[level].transform.factor)
    return int(PER_VOXEL * float(np.linalg.norm(line / factor)))


def _places(
    start: FloatArray, stop: FloatArray, count: int, begin: float, end: float
) -> FloatArray:
    """Those of `count` evenly spaced places that lie from `begin` to before `end`: (N, 3).

    Both as parts of the line; its very end counts too.
    """
    if count < 2:
        return start[None][: count if begin == 0 else 0]
    first, last = (math.ceil(part * (count - 1) - 1e-9) for part in (begin, end))
    number = np.arange(first, count if end >= 1 else last)
    return start + number[:, None] * ((stop - start) / (count - 1))


def _pixels(octree: Octree, level: int, places: FloatArray) -> IntArray:
    grid = octree.levels[level]
    factor, origin = np.array(grid.transform.factor), np.array(grid.transform.translation)
    pixels = np.floor((places - origin) / factor).astype(np.int64)
    return np.clip(pixels, 0, np.array(grid.shape) - 1)


def _at_hand(
    octree_slice: OctreeSlice, cache: ChunkCache, level: int, pixels: IntArray
) -> np.ndarray:
    """Values of those pixels (N, 3) of a level that are in RAM, projected as displayed."""
    ranges = octree_slice.ranges(level)
    spots = np.empty((len(pixels), len(ranges)), np.int64)
    spots[:, list(octree_slice.key.displayed)] = pixels
    hidden = [axis for axis, extent in enumerate(ranges) if extent is not None]
    layers: list[np.ndarray] = []
    known = np.ones(len(pixels), np.bool_)
    for point in product(*(range(*extent) for extent in ranges if extent is not None)):
        spots[:, hidden] = point
        values, there = _stored(octree_slice, cache, level, spots)
        layers.append(values)
        known &= there
    values = layers[0] if len(layers) == 1 else octree_slice.project(np.stack(layers), (0,))
    return values[known]


def _stored(
    octree_slice: OctreeSlice, cache: ChunkCache, level: int, spots: IntArray
) -> tuple[np.ndarray, BoolArray]:
    """Values at `spots` (N, axes) of a level, and which of them are in RAM."""
    source = octree_slice.sources[level]
    storage, rank = source.storage, spots.shape[1]
    colour = tuple((0, n) for n in octree_slice.pyramid.colour_axis)
    values = np.zeros((len(spots), *octree_slice.pyramid.colour_axis), storage.dtype)
    known = np.zeros(len(spots), np.bool_)
    left = np.arange(len(spots))
    grid = storage.grid(source.storage_shape(octree_slice.hint))
    while len(left):
        point = tuple((int(i), int(i) + 1) for i in spots[left[0]])
        region = source.storage_region((*point, *colour))
        box = grid.region(next(iter(grid.indices(region))))
        own = [extent for extent, i in zip(box, source.fixed, strict=True) if i is None]
        low, high = np.array(own[:rank]).T
        inside = ((spots[left] >= low) & (spots[left] < high)).all(axis=1)
        here, left = left[inside], left[~inside]
        if storage.in_memory:
            block, fill = storage.read(box), storage.fill_value
        else:
            cached = cache.peek(ChunkId(storage.key, box))
            if cached is None:
                continue
            block, fill = cached.pixels, storage.fill_value
        if block is None:
            values[here] = 0 if fill is None else fill
        else:
            index = tuple((spots[here] - low).T)
            values[here] = source.drop_fixed(block)[index]
        known[here] = True
    return values, known
