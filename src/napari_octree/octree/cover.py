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
from itertools import chain, compress, repeat

import numpy as np
import numpy.typing as npt

from napari_octree.octree.cells import boxes_of, cells_of, distinct, ragged
from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.intersection import OctreeIntersection
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
    texels: FloatArray
    relative_levels: IntArray
    blank: FloatArray

    @property
    def ideal(self) -> BoolArray:
        """Which quads show their ideal tile."""
        return self.relative_levels == 0

    @cached_property
    def complete(self) -> bool:
        """Every visible place shows its ideal tile."""
        return not len(self.blank) and not self.relative_levels.any()


@dataclass(frozen=True)
class _Pieces:
    """Rectangles that wait for a chunk, each with the place of its tile in the intersection."""

    rectangles: FloatArray
    owners: IntArray

    def take(self, chosen: BoolArray | IntArray) -> _Pieces:
        return _Pieces(self.rectangles[chosen], self.owners[chosen])

    def __add__(self, other: _Pieces) -> _Pieces:
        return _Pieces(
            np.concatenate([self.rectangles, other.rectangles]),
            np.concatenate([self.owners, other.owners]),
        )


@dataclass
class _Quads:
    """The quads found so far, one entry per level."""

    ideal_level: int
    rectangles: list[FloatArray] = field(default_factory=list)
    texels: list[FloatArray] = field(default_factory=list)
    chunks: list[ChunkKey] = field(default_factory=list)
    relative_levels: list[IntArray] = field(default_factory=list)

    def add(
        self,
        level: OctreeLevel,
        rectangles: FloatArray,
        cells: IntArray,
        keys: Iterable[ChunkKey] | None = None,
    ) -> None:
        if not len(cells):
            return
        (fy, fx), (ty, tx) = level.transform.factor, level.transform.translation
        first_pixel = cells * level.tile_shape
        texels = (rectangles - (ty, tx, ty, tx)) / (fy, fx, fy, fx)
        texels[:, :2] -= first_pixel
        texels[:, 2:] -= first_pixel
        self.rectangles.append(rectangles)
        self.texels.append(texels)
        self.relative_levels.append(np.full(len(cells), level.index - self.ideal_level, np.int64))
        self.chunks.extend(chunk_keys(repeat(level.index), cells) if keys is None else keys)

    def finish(self, blank: FloatArray) -> Cover:
        none = np.empty((0, 4))
        arrays = (
            np.concatenate([none, *self.rectangles]),
            np.concatenate([none, *self.texels]),
            np.concatenate([np.empty(0, np.int64), *self.relative_levels]),
            blank,
        )
        for array in arrays:
            array.flags.writeable = False
        rectangles, texels, relative_levels, blank = arrays
        return Cover(rectangles, tuple(self.chunks), texels, relative_levels, blank)


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
    quads = _Quads(ideal.index)
    bounds = intersection.bounds
    here = resident.get(ideal.index, ())
    present = np.fromiter(map(here.__contains__, keys), np.bool_, len(keys))
    if present.all():
        quads.add(ideal, bounds, intersection.tiles, keys)
        return quads.finish(np.empty((0, 4)))
    if present.any():
        drawn = compress(keys, present.tolist())
        quads.add(ideal, bounds[present], intersection.tiles[present], drawn)
    absent = np.flatnonzero(~present)
    pieces = _Pieces(bounds[absent], absent)
    finest = max(0, ideal.index - finer_levels)
    for level in reversed(octree.levels[finest : ideal.index]):
        if len(pieces.owners) and resident.get(level.index):
            pieces = _show_finer(octree, intersection, level, resident, pieces, quads)
    for level in octree.levels[ideal.index + 1 :]:
        if len(pieces.owners) and resident.get(level.index):
            pieces = _show_coarser(octree, level, resident, pieces, quads)
    return quads.finish(pieces.rectangles)


def _show_coarser(
    octree: Octree, level: OctreeLevel, resident: Resident, pieces: _Pieces, quads: _Quads
) -> _Pieces:
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
    quads.add(level, _cut(level, pieces, boxes, owner[shown], cells[shown]), cells[shown])
    touched = np.zeros(len(boxes), np.bool_)
    touched[owner[shown]] = True
    left = touched[owner] & ~shown
    rest = _Pieces(
        _cut(level, pieces, boxes, owner[left], cells[left]), pieces.owners[owner[left]]
    )
    return pieces.take(~touched) + rest


def _cut(
    level: OctreeLevel, pieces: _Pieces, boxes: IntArray, owner: IntArray, cells: IntArray
) -> FloatArray:
    """Return the parts of pieces inside given tiles of a level.

    The outermost tiles of a piece end where the piece ends (not at their own, perhaps
    differently rounded, edges), so that no gap can open between pieces.
    """
    rectangles = pieces.rectangles[owner]
    box = boxes[owner]
    for axis in (0, 1):
        inner = np.flatnonzero(cells[:, axis] > box[:, axis])
        if len(inner):
            rectangles[inner, axis] = level.edges(axis, cells[inner, axis])
        inner = np.flatnonzero(cells[:, axis] + 1 < box[:, 2 + axis])
        if len(inner):
            rectangles[inner, 2 + axis] = level.edges(axis, cells[inner, axis] + 1)
    return rectangles


def _show_finer(
    octree: Octree,
    intersection: OctreeIntersection,
    level: OctreeLevel,
    resident: Resident,
    pieces: _Pieces,
    quads: _Quads,
) -> _Pieces:
    """Draw what a finer level has of the pieces; return what still waits."""
    boxes = boxes_of(level, pieces.rectangles, octree.slack)
    candidates = _resident_in(resident[level.index], level.index, boxes)
    owner, cells = _join(octree, intersection, level, candidates, pieces, boxes)
    if not len(owner):
        return pieces
    quads.add(level, _cut(level, pieces, boxes, owner, cells), cells)
    found = np.bincount(owner, minlength=len(boxes))
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    whole = found == 0
    left: list[tuple[float, float, float, float]] = []
    left_owners: list[int] = []
    ends = np.cumsum(found)
    for i in np.flatnonzero((found > 0) & (found < sizes)).tolist():
        shown = cells[ends[i] - found[i] : ends[i]].tolist()
        rest = _remainder(level, pieces.rectangles[i].tolist(), boxes[i].tolist(), shown)
        left.extend(rest)
        left_owners.extend([int(pieces.owners[i])] * len(rest))
    if not left:
        return pieces.take(whole)
    together = pieces.take(whole) + _Pieces(np.array(left), np.array(left_owners, np.int64))
    return together.take(np.argsort(together.owners, kind="stable"))


def _resident_in(keys: Collection[ChunkKey], level: int, boxes: IntArray) -> IntArray:
    """Return the resident cells of a level inside the hull of some boxes, in order."""
    r0, c0 = boxes[:, :2].min(axis=0).tolist()
    r1, c1 = boxes[:, 2:].max(axis=0).tolist()
    if (r1 - r0) * (c1 - c0) < len(keys):
        cells = [(r, c) for r in range(r0, r1) for c in range(c0, c1) if (level, (r, c)) in keys]
    else:
        cells = [(r, c) for _, (r, c) in keys if r0 <= r < r1 and c0 <= c < c1]
    found = np.fromiter(chain.from_iterable(cells), np.int64, 2 * len(cells)).reshape(-1, 2)
    # A set gives its members in any order; plans of equal input are equal.
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _join(
    octree: Octree,
    intersection: OctreeIntersection,
    level: OctreeLevel,
    cells: IntArray,
    pieces: _Pieces,
    boxes: IntArray,
) -> tuple[IntArray, IntArray]:
    """Pairs of a piece and one of the finer `cells` inside it, ordered by piece.

    A cell finds its ideal tiles by arithmetic, and the pieces of a tile lie side by side:
    no piece is compared with every cell.
    """
    ideal = intersection.octree_level
    cell, tiles = cells_of(boxes_of(ideal, level.bounds(cells), octree.slack))
    columns = np.array(intersection.columns, np.int64).reshape(-1, 2)
    row = tiles[:, 0] - intersection.first_row
    inside = (row >= 0) & (row < len(columns))
    row, cell, tiles = row[inside], cell[inside], tiles[inside]
    inside = (tiles[:, 1] >= columns[row, 0]) & (tiles[:, 1] < columns[row, 1])
    row, cell, tiles = row[inside], cell[inside], tiles[inside]
    widths = columns[:, 1] - columns[:, 0]
    tile = (np.cumsum(widths) - widths)[row] + tiles[:, 1] - columns[row, 0]
    pair, piece = ragged(
        np.searchsorted(pieces.owners, tile, "left"),
        np.searchsorted(pieces.owners, tile, "right"),
    )
    cell = cell[pair]
    box, candidates = boxes[piece], cells[cell]
    inside = ((candidates >= box[:, :2]) & (candidates < box[:, 2:])).all(axis=1)
    piece, candidates = piece[inside], candidates[inside]
    order = np.argsort(piece, kind="stable")
    return piece[order], candidates[order]


def _remainder(
    level: OctreeLevel,
    rectangle: tuple[float, float, float, float],
    box: tuple[int, int, int, int],
    shown: list[tuple[int, int]],
) -> list[tuple[float, float, float, float]]:
    """Return a piece without some cells of a finer level, in as few rectangles as rows allow."""
    y0, x0, y1, x1 = rectangle
    r0, c0, r1, c1 = box

    def y(row: int) -> float:
        return y0 if row == r0 else y1 if row == r1 else level.edge(0, row)

    def x(column: int) -> float:
        return x0 if column == c0 else x1 if column == c1 else level.edge(1, column)

    by_row: dict[int, list[int]] = defaultdict(list)
    for r, c in shown:
        by_row[r].append(c)
    rest = []
    done = r0
    for r in sorted(by_row):
        if done < r:
            rest.append((y(done), x0, y(r), x1))
        start = c0
        for c in (*sorted(by_row[r]), c1):
            if start < c:
                rest.append((y(r), x(start), y(r + 1), x(c)))
            start = c + 1
        done = r + 1
    if done < r1:
        rest.append((y(done), x0, y1, x1))
    return rest
