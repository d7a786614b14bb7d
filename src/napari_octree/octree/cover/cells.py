"""Small array algebra on tile indices.

Invariants: pure; every function costs in proportion to the number of rows it is given or returns;
results are ordered, so equal input gives equal output.
"""

from __future__ import annotations

import numpy as np

from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel


def ragged(first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Every number of many half-open ranges, and which range it comes from.

    Returns
    -------
    owner, value : numpy.ndarray of int64
        ``value`` runs through ``range(first[owner], last[owner])``.
    """
    counts = np.maximum(last - first, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) + (first - before)[owner]


def boxes_of(level: OctreeLevel, rectangles: FloatArray, slack: float) -> IntArray:
    """Tile boxes that rectangles touch: (N, 4) rows of first row, column, last row, column."""
    ranges = level.tile_ranges(slice(2), rectangles[:, :2], rectangles[:, 2:], slack)
    return np.concatenate(ranges, axis=1)


def cells_of(boxes: IntArray) -> tuple[IntArray, IntArray]:
    """Every (row, column) of many boxes, and which box it comes from."""
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    if (height == 1).all() and (width == 1).all():
        return np.arange(len(boxes)), boxes[:, :2]
    owner, nth = ragged(np.zeros_like(height), height * width)
    cells = boxes[owner, :2]
    row, column = np.divmod(nth, width[owner])
    cells[:, 0] += row
    cells[:, 1] += column
    return owner, cells


def number(cells: IntArray, origin: IntArray, width: int) -> IntArray:
    """Number cells row by row, in a block of `width` columns that begins at a cell `origin`."""
    rows, columns = (cells - origin).T
    result: IntArray = rows * width + columns
    return result


def distinct(cells: IntArray) -> tuple[IntArray, IntArray]:
    """Return the different rows of `cells` in order, and where each of `cells` is among them."""
    if not len(cells):
        return cells, np.empty(0, np.int64)
    origin = cells.min(axis=0)
    width = int(cells[:, 1].max() - origin[1]) + 1
    numbers, where = np.unique(number(cells, origin, width), return_inverse=True)
    return np.stack(np.divmod(numbers, width), axis=1) + origin, where


def project(level: OctreeLevel, rows: FloatArray, slack: float) -> IntArray:
    """Return the tiles of a level that touch any of some rectangles, in order.

    Parameters
    ----------
    level : OctreeLevel
    rows : (N, 4) float64
        Rectangles one below the other: each begins in y where the one before it ends.
    slack : float
    """
    boxes = boxes_of(level, rows, slack)
    if (boxes[:, 1::2] == boxes[:1, 1::2]).all():
        return cells_of(np.concatenate([boxes[:1, :2], boxes[-1:, 2:]], axis=1))[1]
    return distinct(cells_of(boxes)[1])[0]
