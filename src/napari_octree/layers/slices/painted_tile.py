"""What was painted in a tile, or in any box of a level, as it is displayed.

Invariants: main thread; nothing is read but edits. Of the finest level all pixels of a box that
was painted on are known, painted or not, as a rule: one upload, where else there are many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import OctreeLevel
from napari_octree.sources.protocol import Region


@dataclass(frozen=True, eq=False)
class PaintedPart:
    """A part of a tile.

    Attributes
    ----------
    labels : array
        As displayed.
    written : bool array or None
        Where they were painted; None: all of them are as they are now.
    place : tuple of int
        Where in the tile with its apron the part begins.
    """

    labels: np.ndarray
    written: np.ndarray | None
    place: tuple[int, ...]


def painted_tile(
    octree_slice: OctreeSlice, key: ChunkKey, apron: int, box: Region | None = None
) -> PaintedPart | None:
    """What was painted in a tile with its apron.

    Parameters
    ----------
    octree_slice : OctreeSlice
    key : ChunkKey
    apron : int
    box : Region, optional
        Of level 0: what was painted elsewhere is left out.

    Returns
    -------
    PaintedPart or None
        None if nothing was painted there.
    """
    edits = octree_slice.pyramid.edits
    if edits is None:
        return None
    level = octree_slice.octree.levels[key.level]
    region = octree_slice.region(key.level, level.tile_region(key.index))
    margins = octree_slice.margins(apron)
    if box is not None and key.level == 0:
        found = _all_known(octree_slice, region, margins, box)
        if found is not None:
            return found
    places = list(octree_slice.places(key.level, region, margins))
    begins = [0] * len(places)
    if box is not None:
        for axis, (start, stop) in enumerate(box):
            first, last = np.searchsorted(places[axis], (start, stop))
            places[axis], begins[axis] = places[axis][first:last], int(first)
    painted = edits.overlay(places)
    if painted is None:
        return None
    labels, written = (octree_slice.to_display(part) for part in painted)
    place = tuple(begins[axis] for axis in octree_slice.key.displayed)
    return PaintedPart(labels, None if written.all() else written, place)


def _all_known(
    octree_slice: OctreeSlice, region: Region, margins: Sequence[int], box: Region
) -> PaintedPart | None:
    """All of the finest level that lies in a box, if it is in memory."""
    assert octree_slice.pyramid.edits is not None
    part, begins = [], []
    for (start, stop), margin, (low, high), n in zip(
        region, margins, box, octree_slice.pyramid.shapes[0], strict=True
    ):
        first, last = start - margin, stop + margin
        if (first < 0 and low == 0) or (last > n and high >= n):
            return None  # the outermost pixels are repeated in the apron
        low, high = max(first, low), min(last, high)
        if low >= high:
            return None
        part.append((low, high))
        begins.append(low - first)
    known = octree_slice.pyramid.edits.known(tuple(part))
    if known is None:
        return None
    place = tuple(begins[axis] for axis in octree_slice.key.displayed)
    return PaintedPart(octree_slice.to_display(known), None, place)


def painted_in(
    octree_slice: OctreeSlice, level: int, box: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray] | None:
    """What was painted in a box of the displayed axes (pixels of `level`), and where.

    Both as displayed; None if nothing was.
    """
    edits = octree_slice.pyramid.edits
    if edits is None:
        return None
    region = octree_slice.region(level, box)
    found = edits.overlay(octree_slice.places(level, region, octree_slice.margins(0)))
    if found is None:
        return None
    return octree_slice.to_display(found[0]), octree_slice.to_display(found[1])


def hull_on_level(
    regions: Sequence[Region], displayed: Sequence[int], level: OctreeLevel
) -> list[tuple[int, int]]:
    """The box of a level, on the displayed axes, that regions of level 0 may touch."""
    hull = []
    for axis, f, t, n in zip(
        displayed, level.transform.factor, level.transform.translation, level.shape, strict=True
    ):
        start = min(region[axis][0] for region in regions)
        stop = max(region[axis][1] for region in regions)
        low = min(max(math.floor((start - t) / f) - 1, 0), n - 1)
        hull.append((low, min(max(math.ceil((stop - t) / f) + 1, low + 1), n)))
    return hull
