"""Buckets: subtrees that fit in memory, and what the nodes above them keep.

Invariants: pure. A bucket is a cell of the grid with no more than so many points (or one that is
not divided any further here); the nodes above all buckets are known by the greatest hash that they
keep: a node keeps the hashes of its cell above its parent's, up to its own. So the trees are those
that `build_trees` would make of all points at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.points.point_grid import CodeArray, PointGrid

Cell = tuple[int, ...]

MOST_CELLS = 4096
"""Cells that points are counted in, at most."""


@dataclass(frozen=True)
class Bucket:
    """A subtree.

    Attributes
    ----------
    depth : int
    cell : tuple of int
    count : int
        Points in its cell.
    """

    depth: int
    cell: Cell
    count: int


def count_depth(grid: PointGrid, roots: int, quota: int, most: int) -> int:
    """Return the depth of the cells that points are counted in."""
    per_level = max(len(grid.split_axes), 1)
    depth = max((12 - max(roots - 1, 0).bit_length()) // per_level, 0)
    # Above a bucket each node keeps `quota`; what is left must be more than one node's.
    return min(depth, grid.deepest, max(most // quota - 3, 0))


def choose_buckets(
    grid: PointGrid, counts: Mapping[Cell, int], depth: int, most: int
) -> tuple[Bucket, ...]:
    """Divide cells until each has at most `most` points, or has the given depth."""
    levels: list[dict[Cell, int]] = [dict(counts)]
    halves = np.where(grid.split, 2, 1)
    for _ in range(depth):
        coarser: dict[Cell, int] = {}
        for cell, count in levels[0].items():
            parent = tuple(int(v) for v in np.array(cell) // halves)
            coarser[parent] = coarser.get(parent, 0) + count
        levels.insert(0, coarser)
    chosen = []
    waiting = [(0, cell) for cell in sorted(levels[0], reverse=True)]
    children: dict[tuple[int, Cell], list[Cell]] = {}
    for level in range(1, depth + 1):
        for cell in sorted(levels[level]):
            parent = tuple(int(v) for v in np.array(cell) // halves)
            children.setdefault((level - 1, parent), []).append(cell)
    while waiting:
        level, cell = waiting.pop()
        count = levels[level][cell]
        if count <= most or level == depth:
            chosen.append(Bucket(level, cell, count))
        else:
            waiting += [(level + 1, child) for child in reversed(children[level, cell])]
    return tuple(chosen)


def ancestors(grid: PointGrid, bucket: Bucket) -> list[tuple[int, Cell]]:
    """Return the nodes above a bucket, the root first."""
    halves = np.where(grid.split, 2, 1)
    cell, found = np.array(bucket.cell), []
    for depth in range(bucket.depth - 1, -1, -1):
        cell = cell // halves
        found.append((depth, tuple(int(v) for v in cell)))
    return found[::-1]


def thresholds(
    grid: PointGrid, buckets: Sequence[Bucket], least: Sequence[CodeArray], quota: int
) -> dict[tuple[int, Cell], int]:
    """Return the greatest hash that each node above the buckets keeps.

    Parameters
    ----------
    grid : PointGrid
    buckets : sequence of Bucket
    least : sequence of (n,) uint64
        For each bucket its least hashes, sorted: as many as all above it keep at most.
    quota : int
    """
    members: dict[tuple[int, Cell], list[int]] = {}
    for i, bucket in enumerate(buckets):
        for node in ancestors(grid, bucket):
            members.setdefault(node, []).append(i)
    begun = np.zeros(len(buckets), np.int64)  # hashes that are taken already
    found: dict[tuple[int, Cell], int] = {}
    for node in sorted(members):
        parts = [least[i][begun[i] : begun[i] + quota] for i in members[node]]
        pool = np.concatenate(parts)
        limit = np.partition(pool, quota - 1)[quota - 1]
        found[node] = int(limit)
        for i in members[node]:
            begun[i] = int(least[i].searchsorted(limit, "right"))
    return found


class BucketFinder:
    """Tells in which bucket points lie.

    Parameters
    ----------
    grid : PointGrid
    buckets : sequence of Bucket
    """

    def __init__(self, grid: PointGrid, buckets: Sequence[Bucket]) -> None:
        self._grid = grid
        self._levels: dict[int, dict[Cell, int]] = {}
        for i, bucket in enumerate(buckets):
            self._levels.setdefault(bucket.depth, {})[bucket.cell] = i

    def find(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of the bucket of each point: (N,) int64."""
        numbers = np.full(len(positions), -1, np.int64)
        for depth, known in self._levels.items():
            cells, inverse = unique_cells(self._grid.cells(positions, depth))
            of_cell = np.array([known.get(tuple(c), -1) for c in cells.tolist()], np.int64)
            numbers = np.where(numbers < 0, of_cell[inverse], numbers)
        return numbers


def unique_cells(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows, sorted, and which of them each row is."""
    if not len(cells):
        return cells, np.zeros(0, np.int64)
    low = cells.min(axis=0)
    spans = cells.max(axis=0) - low + 1
    if float(np.prod(spans.astype(float))) >= 2.0**62:
        found, inverse = np.unique(cells, axis=0, return_inverse=True)
        return found, inverse.ravel()
    strides = np.concatenate([np.cumprod(spans[::-1])[::-1][1:], [1]])
    _, first, inverse = np.unique((cells - low) @ strides, return_index=True, return_inverse=True)
    return cells[first], inverse
