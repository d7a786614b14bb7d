"""DensityGrid: how many points lie in each cell of a flat grid: exact, and small.

Invariants: pure and immutable; cells are squares with sides of a power of two, aligned as the
cells of the tree are; the counts are those of numpy's own histogram. Axes of planes have a picture
each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid

MOST_CELLS = 2**22
"""Of all planes together."""

FINEST = 2048
"""Cells along an axis, at most."""


@dataclass(frozen=True)
class DensityPlan:
    """Where the cells of a set lie.

    Attributes
    ----------
    axes : (int, int)
        Rows and columns.
    plane_axes : tuple of int
    planes : tuple of tuple of int
        Cells along the axes of planes, in order.
    thickness : tuple of float
        Of a plane, along each of its axes.
    side : float
        Of a cell, in data units.
    first : (int, int)
        The cell of the least coordinates: floor(position / side).
    shape : (int, int)
    """

    axes: tuple[int, int]
    plane_axes: tuple[int, ...]
    planes: tuple[tuple[int, ...], ...]
    thickness: tuple[float, ...]
    side: float
    first: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls, grid: PointGrid, low: FloatArray, high: FloatArray, planes: Sequence[Sequence[int]]
    ) -> DensityPlan | None:
        """Choose the cells of points in a box; None where they are no flat set, or in one place.

        Parameters
        ----------
        grid : PointGrid
        low, high : (ndim,) float64
        planes : cells along the axes that are not split, without repeats
        """
        axes = grid.split_axes
        if len(axes) != 2 or not np.isfinite([*low, *high]).all():
            return None
        kept = list(axes)
        extent = float((np.asarray(high)[kept] - np.asarray(low)[kept]).max())
        if not extent > 0:
            return None
        known = tuple(sorted({tuple(int(v) for v in plane) for plane in planes}))
        most = min(FINEST, math.isqrt(MOST_CELLS // max(len(known), 1)))
        side = 2.0 ** math.ceil(math.log2(extent / max(most - 1, 1)))
        first = np.floor(np.asarray(low)[kept] / side).astype(np.int64)
        last = np.floor(np.asarray(high)[kept] / side).astype(np.int64)
        rows, columns = (last - first + 1).tolist()
        plane_axes = tuple(a for a in range(grid.ndim) if not grid.split[a])
        thickness = tuple(grid.sides[a] for a in plane_axes)
        y, x = (int(v) for v in first)
        return cls((axes[0], axes[1]), plane_axes, known, thickness, side, (y, x), (rows, columns))

    def count(self, positions: FloatArray) -> tuple[tuple[int, int, int], IntArray]:
        """Count points: where a box of cells begins, and how many lie in each of its cells.

        Returns
        -------
        (plane, row, column) : of the first cell
        counts : (planes, rows, columns) int64
        """
        y, x = self.axes
        cells = np.floor(positions[:, [y, x]] / self.side).astype(np.int64) - self.first
        planes = self._planes(positions)
        if not len(cells):
            return (0, 0, 0), np.zeros((0, 0, 0), np.int64)
        all_cells = np.column_stack([planes, cells])
        low = all_cells.min(axis=0)
        shape = all_cells.max(axis=0) - low + 1
        flat = np.ravel_multi_index(tuple((all_cells - low).T), tuple(shape.tolist()))
        counts = np.bincount(flat, minlength=int(shape.prod())).reshape(shape)
        p, r, c = (int(v) for v in low)
        return (p, r, c), counts.astype(np.int64)

    def _planes(self, positions: FloatArray) -> IntArray:
        if not self.plane_axes:
            return np.zeros(len(positions), np.int64)
        cells = np.floor(positions[:, list(self.plane_axes)] / np.array(self.thickness))
        places = {plane: i for i, plane in enumerate(self.planes)}
        found, inverse = np.unique(cells.astype(np.int64), axis=0, return_inverse=True)
        numbers = np.array([places[tuple(cell)] for cell in found.tolist()], np.int64)
        return numbers[inverse.ravel()]

    @property
    def full_shape(self) -> tuple[int, int, int]:
        """(planes, rows, columns)."""
        return (max(len(self.planes), 1), *self.shape)


@dataclass(frozen=True, eq=False)
class DensityGrid:
    """The counts.

    Attributes
    ----------
    plan : DensityPlan
    counts : (planes, rows, columns) uint32
    """

    plan: DensityPlan
    counts: np.ndarray

    @classmethod
    def of(cls, plan: DensityPlan, positions: FloatArray) -> DensityGrid:
        """Count all points at once."""
        return cls.of_parts(plan, [plan.count(positions)])

    @classmethod
    def of_parts(
        cls, plan: DensityPlan, parts: Sequence[tuple[tuple[int, int, int], IntArray]]
    ) -> DensityGrid:
        """Add up what `DensityPlan.count` returned."""
        counts = np.zeros(plan.full_shape, np.uint32)
        for (plane, row, column), part in parts:
            p, r, c = part.shape
            place = counts[plane : plane + p, row : row + r, column : column + c]
            place += part.astype(np.uint32)
        return cls(plan, counts)

    @property
    def low(self) -> tuple[float, float]:
        """Where the first cell begins, (row, column) in data units."""
        row, column = self.plan.first
        return row * self.plan.side, column * self.plan.side

    def picture(self, weights: FloatArray) -> np.ndarray:
        """Return the counts of some planes: (rows, columns) float32.

        Parameters
        ----------
        weights : (planes,) float64
            How much of each counts.
        """
        if len(weights) == 1:
            return np.asarray(self.counts[0] * np.float32(weights[0]), np.float32)
        used = np.flatnonzero(weights)
        total = np.zeros(self.plan.shape, np.float32)
        for plane in used:
            total += self.counts[plane] * np.float32(weights[plane])
        return total

    def weights(self, low: Sequence[float], high: Sequence[float]) -> FloatArray:
        """Return how much of each plane lies in a slab: by their cells, or by whole numbers."""
        plan = self.plan
        weights = np.ones(max(len(plan.planes), 1))
        for place, axis in enumerate(plan.plane_axes):
            cells = np.array([plane[place] for plane in plan.planes], float)
            thick = plan.thickness[place]
            if thick == 1.0:  # whole numbers, or taken for such
                weights *= (cells >= low[axis]) & (cells <= high[axis])
                continue
            start, stop = cells * thick, (cells + 1) * thick
            overlap = np.minimum(stop, high[axis]) - np.maximum(start, low[axis])
            weights *= np.clip(overlap / thick, 0, 1)
        return weights


def halved(picture: np.ndarray) -> np.ndarray:
    """Return a picture of counts in cells twice as wide."""
    rows, columns = picture.shape
    padded = np.pad(picture, ((0, rows % 2), (0, columns % 2)))
    rows, columns = padded.shape
    summed: np.ndarray = padded.reshape(rows // 2, 2, columns // 2, 2).sum(axis=(1, 3))
    return summed


@dataclass(frozen=True, eq=False)
class NodeShares:
    """How much of the points in a node's cell its subtree holds: the rest is its ancestors'.

    Attributes
    ----------
    totals : (n,) float64
        Points that lie in the cell of each node, as expected.
    """

    totals: FloatArray

    @classmethod
    def of(cls, table: NodeTable) -> NodeShares:
        """Find them, from the roots down."""
        left = np.ones(len(table))
        taken = table.counts / np.maximum(table.subtrees, 1)
        for depth in range(1, int(table.depths.max(initial=0)) + 1):
            rows = np.flatnonzero(table.depths == depth)
            parents = table.parents[rows]
            left[rows] = left[parents] * np.maximum(1 - taken[parents], 1e-12)
        return cls(table.subtrees / left)


class CellBoxes:
    """Where the cells of nodes lie.

    Parameters
    ----------
    grid : PointGrid
    """

    def __init__(self, grid: PointGrid) -> None:
        self._grid = grid

    @cached_property
    def _sides(self) -> FloatArray:
        return np.array([self._grid.shape(depth) for depth in range(self._grid.deepest + 1)])

    def boxes(self, table: NodeTable, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the low and the high corners of the cells of some nodes: (n, ndim) each."""
        sides = self._sides[np.minimum(table.depths[rows], self._grid.deepest)]
        low = table.cells[rows] * sides
        return low, low + sides
