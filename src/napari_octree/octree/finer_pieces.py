"""Finer tiles as stand-ins: what they can show of the pieces of missing ideal tiles.

Invariants: pure; only resident tiles are looked at, never all the children that a tile could have;
what they leave over is as few rectangles as their rows allow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import chain
from operator import itemgetter

import numpy as np

from napari_octree.octree.cells import boxes_of, cells_of, ragged
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.intersection import OctreeIntersection
from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel
from napari_octree.octree.octree import Octree
from napari_octree.octree.pieces import Pieces, cut


def split_by_finer(
    octree: Octree,
    intersection: OctreeIntersection,
    level: OctreeLevel,
    resident: Collection[ChunkKey],
    pieces: Pieces,
) -> tuple[FloatArray, IntArray, Pieces]:
    """Cut out of pieces what the resident tiles of a finer level can show.

    Parameters
    ----------
    octree : Octree
    intersection : OctreeIntersection
    level : OctreeLevel
        Finer than the ideal one.
    resident : collection of ChunkKey
        Of that level.
    pieces : Pieces
        Ordered by owner.

    Returns
    -------
    rectangles : (N, 4) float64
    cells : (N, 2) int64
        The tile that each rectangle shows.
    rest : Pieces
        What still waits, ordered by owner.
    """
    boxes = boxes_of(level, pieces.rectangles, octree.slack)
    candidates = _resident_in(resident, level.index, boxes)
    owner, cells = _join(octree, intersection, level, candidates, pieces, boxes)
    rectangles = cut(level, pieces, boxes, owner, cells)
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
        return rectangles, cells, pieces.take(whole)
    together = pieces.take(whole) + Pieces(np.array(left), np.array(left_owners, np.int64))
    order = np.argsort(together.owners, kind="stable")
    return rectangles, cells, together.take(order)


def _resident_in(keys: Collection[ChunkKey], level: int, boxes: IntArray) -> IntArray:
    """Return the resident cells of a level inside the hull of some boxes, in order."""
    r0, c0 = boxes[:, :2].min(axis=0).tolist()
    r1, c1 = boxes[:, 2:].max(axis=0).tolist()
    cells: Collection[tuple[int, ...]]
    if (r1 - r0) * (c1 - c0) < len(keys):
        cells = [(r, c) for r in range(r0, r1) for c in range(c0, c1) if (level, (r, c)) in keys]
    else:
        cells = list(map(itemgetter(1), keys))
    found = np.fromiter(chain.from_iterable(cells), np.int64, 2 * len(cells)).reshape(-1, 2)
    found = found[((found >= (r0, c0)) & (found < (r1, c1))).all(axis=1)]
    # A set gives its members in any order; plans of equal input are equal.
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _join(
    octree: Octree,
    intersection: OctreeIntersection,
    level: OctreeLevel,
    cells: IntArray,
    pieces: Pieces,
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
