"""Convex polygons and grids of tiles.

Invariants: pure; polygons are sequences of (y, x) corners in order, either way round; a tile is
touched if it shares more than a border with the polygon (or with its thickening by a margin).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_octree.octree.level import IntArray, OctreeLevel

Point = tuple[float, float]


def clip_to_box(corners: Sequence[Point], start: Point, stop: Point) -> list[Point]:
    """Return the part of a convex polygon inside a box (Sutherland and Hodgman's algorithm)."""
    polygon = list(corners)
    for axis in (0, 1):
        for limit, side in ((start[axis], 1.0), (stop[axis], -1.0)):
            polygon = _clip_to_half(polygon, axis, limit, side)
    return polygon


def _clip_to_half(polygon: list[Point], axis: int, limit: float, side: float) -> list[Point]:
    kept: list[Point] = []
    for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        a_inside = side * (a[axis] - limit) >= 0
        if a_inside:
            kept.append(a)
        if a_inside != (side * (b[axis] - limit) >= 0):
            share = (limit - a[axis]) / (b[axis] - a[axis])
            other = a[1 - axis] + share * (b[1 - axis] - a[1 - axis])
            kept.append((limit, other) if axis == 0 else (other, limit))
    return kept


def touched_rows(level: OctreeLevel, polygon: Sequence[Point], margin: Point) -> tuple[int, int]:
    """Half-open range of the tile rows that a polygon touches."""
    if not polygon:
        return 0, 0
    ys = [y for y, _ in polygon]
    return level.tile_range(0, min(ys) - margin[0], max(ys) + margin[0])


def touched_columns(
    level: OctreeLevel, polygon: Sequence[Point], margin: Point, rows: tuple[int, int]
) -> list[tuple[int, int]]:
    """Half-open range of the tile columns that a polygon touches, for each of its tile rows.

    Thickening the polygon by the margin and touching a tile is the same as touching the
    tile's row thickened in y, then thickening the interval found there in x.
    """
    if _is_box(polygon):
        xs = [x for _, x in polygon]
        span = level.tile_range(1, min(xs) - margin[1], max(xs) + margin[1])
        return [span] * (rows[1] - rows[0])
    y_edges = level.edges(0, np.arange(rows[0], rows[1] + 1))
    low = (y_edges[:-1] - margin[0])[:, np.newaxis]
    high = (y_edges[1:] + margin[0])[:, np.newaxis]
    sides = [
        (*min(a, b), *max(a, b)) for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    ]
    y0, x0, y1, x1 = np.array(sides).T
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(y1 > y0, (x1 - x0) / (y1 - y0), 0.0)
    first = np.maximum(y0, low)
    last = np.minimum(y1, high)
    x_first = x0 + (first - y0) * slope
    # A level side has both of its ends in every row that it lies in.
    x_last = np.where(y1 > y0, x0 + (last - y0) * slope, x1)
    crossed = first <= last
    x_min = np.where(crossed, np.minimum(x_first, x_last), math.inf).min(axis=1)
    x_max = np.where(crossed, np.maximum(x_first, x_last), -math.inf).max(axis=1)
    first, last = level.tile_ranges(1, x_min - margin[1], x_max + margin[1])
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _is_box(polygon: Sequence[Point]) -> bool:
    """Whether all sides run along the axes, as in most views: then all rows are alike."""
    return len(polygon) == 4 and all(
        a[0] == b[0] or a[1] == b[1]
        for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    )


def cells_of_rows(rows: tuple[int, int], first: IntArray, last: IntArray) -> IntArray:
    """All (row, column) pairs of rows with a column range each, as an (N, 2) array."""
    counts = np.maximum(last - first, 0)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    cells = np.empty((total, 2), np.int64)
    cells[:, 0] = np.repeat(np.arange(rows[0], rows[1]), counts)
    cells[:, 1] = np.arange(total) + np.repeat(first - (ends - counts), counts)
    return cells
