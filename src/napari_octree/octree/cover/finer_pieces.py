"""Finer tiles as stand-ins: what they can show of the pieces of missing ideal tiles.

Invariants: pure; only resident tiles are looked at, never all the children that a tile could have;
what they leave over is as few rectangles as their rows allow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import chain, repeat
from operator import itemgetter

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.cover.cells import boxes_of, cells_of, number, ragged
from napari_octree.octree.cover.pieces import Pieces, cut
from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel
from napari_octree.octree.octree import Octree


def split_by_finer(
    octree: Octree, level: OctreeLevel, resident: Collection[ChunkKey], pieces: Pieces
) -> tuple[FloatArray, IntArray, list[ChunkKey], Pieces]:
    """Cut out of pieces what the resident tiles of a finer level can show.

    Parameters
    ----------
    octree : Octree
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
    keys : list of N ChunkKey
        The same, as named by `resident`.
    rest : Pieces
        What still waits, ordered by owner.
    """
    boxes = boxes_of(level, pieces.rectangles, octree.slack)
    owner, cells, keys = _resident_in(resident, level.index, boxes)
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
        return rectangles, cells, keys, pieces.take(whole)
    together = pieces.take(whole) + Pieces(np.array(left), np.array(left_owners, np.int64))
    order = np.argsort(together.owners, kind="stable")
    return rectangles, cells, keys, together.take(order)


def _resident_in(
    resident: Collection[ChunkKey], level: int, boxes: IntArray
) -> tuple[IntArray, IntArray, list[ChunkKey]]:
    """Return the resident cells of a level in each of some boxes, row by row.

    Returns
    -------
    owner : (N,) int64
        The box that each cell was found in; rising.
    cells : (N, 2) int64
    keys : list of N ChunkKey
    """
    start, stop = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    height, width = (stop - start).tolist()
    if height * width < len(resident):
        _, hull = cells_of(np.concatenate([start, stop])[np.newaxis])
        candidates = list(filter(resident.__contains__, chunk_keys(repeat(level), hull)))
    else:
        candidates = list(resident)
    indices = chain.from_iterable(map(itemgetter(1), candidates))
    cells = np.fromiter(indices, np.int64, 2 * len(candidates)).reshape(-1, 2)
    inside = np.flatnonzero(((cells >= start) & (cells < stop)).all(axis=1))
    # Numbered row by row the cells of a box are one run in each of its rows.
    numbers = number(cells[inside], start, width)
    order = np.argsort(numbers)
    numbers = numbers[order]
    owner, row = ragged(boxes[:, 0], boxes[:, 2])
    row_start = (row - start[0]) * width - start[1]
    run, place = ragged(
        numbers.searchsorted(row_start + boxes[owner, 1]),
        numbers.searchsorted(row_start + boxes[owner, 3]),
    )
    found = inside[order[place]]
    return owner[run], cells[found], list(map(candidates.__getitem__, found.tolist()))


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
