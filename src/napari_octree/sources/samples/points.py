"""Generated points: a billion of them, of which only those are made that are looked at.

A cascade: each cell hands its points to its four quarters in uneven parts, which follow from the
cell alone. So the number of points in any cell is known without making one, and the points of a
node are drawn from what its cell holds.

Invariants: a node's points follow from its place and the number of all points; they are made in
the thread that reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.points.density_grid import DensityGrid, DensityPlan
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import QUOTA, hashes_of
from napari_octree.sources.points.feature import CODE, Feature
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    SAMPLE,
    PointsSource,
    column_of,
    record_dtype,
)

SIDE = 2.0**20
"""Of the square that the points lie in."""

BELOW = 14
"""Quarterings below a node's cell down to which its points follow the cascade."""

DENSITY_DEPTH = 10

FEATURES = (
    Feature("brightness", np.dtype(np.float32), 0.0, 1.0),
    Feature("kind", CODE, categories=("red", "green", "blue")),
)

Hashes = npt.NDArray[np.uint64]


def points(count: int = 1_000_000_000) -> PointsSource:
    """Return so many points in a square of 2^20 units a side, with two features.

    Parameters
    ----------
    count : int
    """
    table = _table(count)
    reader = CascadeReader(table)
    grid = PointGrid((SIDE, SIDE), (True, True), 40)
    columns = (POSITION, INDEX, *(column_of(f.name) for f in FEATURES))
    kept = min(int(table.counts[0]), SAMPLE) if len(table) else 0
    sample = reader.read(0, 0, kept, columns) if kept else np.zeros(0, _dtype(columns))
    return PointsSource(
        f"{count:,} generated points",
        table,
        FEATURES,
        sample,
        reader,
        count,
        ("cascade of points", count),
        False,
        np.dtype(np.float64),
        grid_of_cells=grid,
        density=_density(count),
    )


@dataclass(frozen=True, eq=False)
class CascadeReader:
    """Makes the points of a node.

    Attributes
    ----------
    table : NodeTable
    """

    table: NodeTable

    def read(self, node: int, start: int, stop: int, columns: Sequence[str]) -> np.ndarray:
        """Make points of a node: any part of it is a sample of its cell."""
        depth, n = int(self.table.depths[node]), stop - start
        numbers = np.arange(start, stop)
        state = hashes_of(numbers)
        cells = np.tile(self.table.cells[node], (n, 1))
        for level in range(depth, depth + BELOW):
            state = hashes_of(state.view(np.int64))
            bounds = np.cumsum(_weights(level, cells), axis=1)
            chosen = (_unit(state)[:, np.newaxis] >= bounds[:, :3]).sum(axis=1)
            cells = cells * 2 + np.stack([chosen >> 1, chosen & 1], axis=1)
        block = np.empty(n, _dtype(columns))
        for column in columns:
            if column == POSITION:
                y = hashes_of(state.view(np.int64))
                x = hashes_of(y.view(np.int64))
                inside = np.stack([_unit(y), _unit(x)], axis=1)
                block[column] = (cells + inside) * (SIDE * 2.0 ** -(depth + BELOW))
            elif column == INDEX:
                block[column] = numbers
            elif column == column_of("brightness"):
                block[column] = _unit(hashes_of(~numbers))
            else:
                block[column] = (_unit(hashes_of(~numbers - 7)) * 3).astype(CODE.type)
        return block


def _dtype(columns: Sequence[str]) -> np.dtype:
    return record_dtype(2, np.dtype(np.float64), FEATURES, columns)


def _unit(hashes: Hashes) -> FloatArray:
    """Return numbers of [0, 1) for hashes."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _weights(depth: int, cells: IntArray) -> FloatArray:
    """Return how much of the points of cells lies in each of their quarters: (n, 4)."""
    with np.errstate(over="ignore"):
        name = cells[:, 0] * np.int64(0x1E3779B97F4A7C15) + cells[:, 1]
        names = hashes_of(name * np.int64(64) + np.int64(depth))
    parts = np.stack([_unit(hashes_of(names.view(np.int64) + k)) for k in range(4)], axis=1)
    parts = 0.08 + parts**2
    weights: FloatArray = parts / parts.sum(axis=1, keepdims=True)
    return weights


def _table(count: int) -> NodeTable:
    """Return the nodes: an inner one keeps a quota, and its quarters get the rest."""
    depths, cells = [np.zeros(1, np.int64)], [np.zeros((1, 2), np.int64)]
    subtrees, parents, first = [np.array([count], np.int64)], [np.full(1, -1, np.int64)], 0
    if not count:
        return NodeTable.empty(2)
    while True:
        depth, left = int(depths[-1][0]), subtrees[-1] - QUOTA
        inner = np.flatnonzero(subtrees[-1] > 2 * QUOTA)
        if not len(inner):
            break
        ends = np.cumsum(_weights(depth, cells[-1][inner]), axis=1) * left[inner, np.newaxis]
        edges = np.rint(ends).astype(np.int64)
        edges[:, 3] = left[inner]
        parts = np.diff(edges, axis=1, prepend=0).ravel()
        quarters = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        below = (cells[-1][inner, np.newaxis] * 2 + quarters).reshape(-1, 2)
        above = np.repeat(first + inner, 4)
        first += len(subtrees[-1])
        kept = np.flatnonzero(parts)
        depths.append(np.full(len(kept), depth + 1))
        cells.append(below[kept])
        subtrees.append(parts[kept])
        parents.append(above[kept])
    of_depth, of_cell = np.concatenate(depths), np.concatenate(cells)
    of_subtree = np.concatenate(subtrees)
    counts = np.where(of_subtree > 2 * QUOTA, QUOTA, of_subtree)
    sides = SIDE * 2.0 ** -of_depth[:, np.newaxis].astype(float)
    return NodeTable(
        of_depth,
        of_cell,
        counts,
        of_subtree,
        of_cell * sides,
        (of_cell + 1) * sides,
        np.concatenate(parents),
    )


def _density(count: int) -> DensityGrid:
    """Return how many points lie in each cell, as the cascade has it."""
    masses, cells = np.full(1, float(count)), np.zeros((1, 2), np.int64)
    quarters = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    for depth in range(DENSITY_DEPTH):
        masses = (masses[:, np.newaxis] * _weights(depth, cells)).ravel()
        cells = (cells[:, np.newaxis] * 2 + quarters).reshape(-1, 2)
    side = 2**DENSITY_DEPTH
    counts = np.zeros((1, side, side), np.uint32)
    counts[0, cells[:, 0], cells[:, 1]] = np.rint(masses)
    plan = DensityPlan((0, 1), (), ((),), (), SIDE / side, (0, 0), (side, side))
    return DensityGrid(plan, counts)
