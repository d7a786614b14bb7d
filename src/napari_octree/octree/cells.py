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
    boxes = np.empty((len(rectangles), 4), np.int64)
    boxes[:, 0], boxes[:, 2] = level.tile_ranges(0, rectangles[:, 0], rectangles[:, 2], slack)
    boxes[:, 1], boxes[:, 3] = level.tile_ranges(1, rectangles[:, 1], rectangles[:, 3], slack)
    return boxes


def cells_of(boxes: IntArray) -> tuple[IntArray, IntArray]:
    """Every (row, column) of many boxes, and which box it comes from."""
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    if (height == 1).all() and (width == 1).all():
        return np.arange(len(boxes)), boxes[:, :2]
    owner, nth = ragged(np.zeros_like(height), height * width)
    row, column = np.divmod(nth, width[owner])
    return owner, np.stack([boxes[owner, 0] + row, boxes[owner, 1] + column], axis=1)


def distinct(cells: IntArray) -> tuple[IntArray, IntArray]:
    """Return the different rows of `cells` in order, and where each of `cells` is among them."""
    if not len(cells):
        return cells, np.empty(0, np.int64)
    origin = cells.min(axis=0)
    width = int(cells[:, 1].max() - origin[1]) + 1
    names, where = np.unique(
        (cells[:, 0] - origin[0]) * width + (cells[:, 1] - origin[1]), return_inverse=True
    )
    return np.stack(np.divmod(names, width), axis=1) + origin, where


def project(level: OctreeLevel, rectangles: FloatArray, slack: float) -> IntArray:
    """Return the tiles of a level that touch any of some rectangles, in order."""
    boxes = boxes_of(level, rectangles, slack)
    if (boxes == boxes[:1]).all():
        return cells_of(boxes[:1])[1]
    return distinct(cells_of(boxes)[1])[0]
