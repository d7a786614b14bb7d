"""What is drawn: every visible place exactly once, from the best chunk that is resident.

Invariants
----------
* The quads and the blank rectangles of a cover partition the ideal tiles of the intersection:
  no gap, no overlap. Neighbours share the very same float64 edge values, because an edge is
  either an edge of a tile grid (one formula) or handed down from the piece that was cut.
* Each place shows the ideal tile; else a finer resident tile; else the nearest coarser one.
* Pure; only resident chunks are looked at, so the cost follows the visible tiles and the
  resident chunks among them, never the size of the data.

Pieces wait, level by level, for a resident chunk. A piece is cut along a level's tile
edges only if that level has something to show in it, so quads stay few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, repeat

import numpy as np
import numpy.typing as npt

from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.cover.cells import boxes_of, cells_of, distinct
from napari_octree.octree.cover.finer_pieces import split_by_finer
from napari_octree.octree.cover.intersection import OctreeIntersection
from napari_octree.octree.cover.pieces import Pieces, cut
from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel
from napari_octree.octree.octree import Octree

BoolArray = npt.NDArray[np.bool_]

Resident = Mapping[int, Collection[ChunkKey]]
"""The chunks of one slice that can be drawn now, by level."""


def by_level(keys: Iterable[ChunkKey]) -> dict[int, set[ChunkKey]]:
    """Any collection of keys in the form that `cover` takes."""
    levels: dict[int, set[ChunkKey]] = defaultdict(set)
    for key in keys:
        levels[key.level].add(key)
    return dict(levels)


@dataclass(frozen=True, eq=False)
class Cover:
    """Quads to draw.

    Attributes
    ----------
    rectangles : (N, 4) float64
        y0, x0, y1, x1 of each quad, octree coordinates.
    chunks : tuple of N ChunkKey
        The resident chunk that each quad shows.
    tiles : (N, 2) int64
        Their (row, column) in their level's grid.
    texels : (N, 4) float64
        y0, x0, y1, x1 of the part shown, in pixels of the chunk's own level, from the
        chunk's first pixel. At the border of the image it may lie outside the chunk, where the
        level does not reach as far as level 0: clamp to the chunk's edge.
    relative_levels : (N,) int64
        The chunk's level minus the ideal level: 0 is ideal, negative finer.
    blank : (M, 4) float64
        Rectangles for which nothing at all is resident.
    """

    rectangles: FloatArray
    chunks: tuple[ChunkKey, ...]
    tiles: IntArray
    texels: FloatArray
    relative_levels: IntArray
    blank: FloatArray

    @property
    def ideal(self) -> BoolArray:
        """Which quads show their ideal tile."""
        result: BoolArray = self.relative_levels == 0
        return result

    def levels(self, ideal: int) -> frozenset[int]:
        """The levels that are shown, where `ideal` is the ideal one."""
        if self.complete:
            return frozenset([ideal])
        return frozenset((np.unique(self.relative_levels) + ideal).tolist())

    @cached_property
    def complete(self) -> bool:
        """Every visible place shows its ideal tile."""
        return not len(self.blank) and not self.relative_levels.any()


@dataclass
class _Quads:
    """The quads found so far, one entry per level."""

    ideal_level: int
    rectangles: list[FloatArray] = field(default_factory=list)
    texels: list[FloatArray] = field(default_factory=list)
    chunks: list[ChunkKey] = field(default_factory=list)
    tiles: list[IntArray] = field(default_factory=list)
    relative_levels: list[IntArray] = field(default_factory=list)

    def add(
        self, level: OctreeLevel, rectangles: FloatArray, cells: IntArray, keys: Iterable[ChunkKey]
    ) -> None:
        if not len(cells):
            return
        self.rectangles.append(rectangles)
        self.texels.append(level.texels(rectangles, cells))
        self.relative_levels.append(np.full(len(cells), level.index - self.ideal_level, np.int64))
        self.chunks.extend(keys)
        self.tiles.append(cells)

    def finish(self, blank: FloatArray) -> Cover:
        none = np.empty((0, 4))
        arrays = (
            np.concatenate([none, *self.rectangles]),
            np.concatenate([np.empty((0, 2), np.int64), *self.tiles]),
            np.concatenate([none, *self.texels]),
            np.concatenate([np.empty(0, np.int64), *self.relative_levels]),
            blank,
        )
        for array in arrays:
            array.flags.writeable = False
        rectangles, tiles, texels, relative_levels, blank = arrays
        return Cover(rectangles, tuple(self.chunks), tiles, texels, relative_levels, blank)


def cover(
    octree: Octree,
    intersection: OctreeIntersection,
    resident: Resident,
    finer_levels: int = 2,
) -> Cover:
    """Partition the ideal tiles of an intersection among resident chunks.

    Parameters
    ----------
    octree : Octree
        Of two displayed axes.
    intersection : OctreeIntersection
    resident : mapping of level to collection of ChunkKey
        What can be drawn; levels may be absent. See `by_level`.
    finer_levels : int
        How many levels below the ideal one may stand in for it.
    """
    ideal = intersection.octree_level
    keys = intersection.chunks
    bounds = intersection.bounds
    here = resident.get(ideal.index, ())
    present = np.fromiter(map(here.__contains__, keys), np.bool_, len(keys))
    if present.all():
        return ideal_cover(intersection)
    quads = _Quads(ideal.index)
    if present.any():
        drawn = compress(keys, present.tolist())
        quads.add(ideal, bounds[present], intersection.tiles[present], drawn)
    absent = np.flatnonzero(~present)
    pieces = Pieces(bounds[absent], absent)
    finest = max(0, ideal.index - finer_levels)
    for level in reversed(octree.levels[finest : ideal.index]):
        if len(pieces.owners) and resident.get(level.index):
            rectangles, cells, found, pieces = split_by_finer(
                octree, level, resident[level.index], pieces
            )
            quads.add(level, rectangles, cells, found)
    for level in octree.levels[ideal.index + 1 :]:
        if len(pieces.owners) and resident.get(level.index):
            pieces = _show_coarser(octree, level, resident, pieces, quads)
    return quads.finish(pieces.rectangles)


def ideal_cover(intersection: OctreeIntersection) -> Cover:
    """Return the `cover` where all ideal tiles of an intersection are resident."""
    bounds, tiles = intersection.bounds, intersection.tiles
    texels = intersection.octree_level.texels(bounds, tiles)
    relative_levels, blank = np.zeros(len(tiles), np.int64), np.empty((0, 4))
    for array in (texels, relative_levels, blank):
        array.flags.writeable = False
    return Cover(bounds, intersection.chunks, tiles, texels, relative_levels, blank)


def _show_coarser(
    octree: Octree, level: OctreeLevel, resident: Resident, pieces: Pieces, quads: _Quads
) -> Pieces:
    """Draw what a coarser level has of the pieces; return what still waits."""
    boxes = boxes_of(level, pieces.rectangles, octree.slack)
    owner, cells = cells_of(boxes)
    different, where = distinct(cells)
    here = resident[level.index]
    keys = chunk_keys(repeat(level.index), different)
    found = np.fromiter(map(here.__contains__, keys), np.bool_, len(keys))
    if not found.any():
        return pieces
    shown = found[where]
    quads.add(
        level,
        cut(level, pieces, boxes, owner[shown], cells[shown]),
        cells[shown],
        map(keys.__getitem__, where[shown].tolist()),
    )
    if found.all():
        return pieces.take(slice(0))
    touched = np.zeros(len(boxes), np.bool_)
    touched[owner[shown]] = True
    left = touched[owner] & ~shown
    rest = Pieces(cut(level, pieces, boxes, owner[left], cells[left]), pieces.owners[owner[left]])
    return pieces.take(~touched) + rest
