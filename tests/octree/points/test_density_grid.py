"""Densities: numpy's own histogram, whatever the planes and the parts."""

from __future__ import annotations

import numpy as np
import pytest

from napari_octree.octree.points.density_grid import DensityGrid, DensityPlan, NodeShares, halved
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import build_trees, hashes_of

RNG = np.random.default_rng(0)
FLAT = RNG.normal(0, 30, (5000, 2))
PLANES = np.c_[RNG.integers(2, 5, 5000), FLAT]


def plan_of(points: np.ndarray, planes: dict[int, float]) -> DensityPlan:
    grid = PointGrid.of(points.min(axis=0), points.max(axis=0), planes)
    cells = np.unique(points[:, list(planes)].astype(int), axis=0)
    plan = DensityPlan.of(grid, points.min(axis=0), points.max(axis=0), cells.tolist())
    assert plan is not None
    return plan


@pytest.mark.parametrize(("points", "planes"), [(FLAT, {}), (PLANES, {0: 1.0})])
def test_as_numpy_counts(points, planes):
    plan = plan_of(points, planes)
    parts = [plan.count(part) for part in np.array_split(points, 7)]
    for density in (DensityGrid.of(plan, points), DensityGrid.of_parts(plan, parts)):
        assert density.counts.sum() == len(points)
        for number, plane in enumerate(plan.planes or ((),)):
            own = points if not planes else points[points[:, 0] == plane[0]]
            (row, column), (rows, columns) = density.low, plan.shape
            truth, _, _ = np.histogram2d(
                own[:, -2],
                own[:, -1],
                bins=[
                    row + plan.side * np.arange(rows + 1),
                    column + plan.side * np.arange(columns + 1),
                ],
            )
            np.testing.assert_array_equal(density.counts[number], truth)


def test_a_slab_adds_up_its_planes():
    density = DensityGrid.of(plan_of(PLANES, {0: 1.0}), PLANES)
    weights = density.weights((2.5, -np.inf, -np.inf), (4.5, np.inf, np.inf))
    np.testing.assert_array_equal(weights, [0, 1, 1])
    assert density.picture(weights).sum() == np.count_nonzero(PLANES[:, 0] > 2)
    assert halved(density.picture(weights)).sum() == np.count_nonzero(PLANES[:, 0] > 2)


def test_sets_without_a_flat_picture_have_none():
    grid = PointGrid.of(np.zeros(3), np.ones(3))
    assert DensityPlan.of(grid, np.zeros(3), np.ones(3), [[]]) is None
    grid = PointGrid.of(np.ones(2), np.ones(2))
    assert DensityPlan.of(grid, np.ones(2), np.ones(2), [[]]) is None


def test_what_lies_in_the_cell_of_a_node_is_known():
    grid = PointGrid.of(FLAT.min(axis=0), FLAT.max(axis=0))
    table, _ = build_trees(FLAT, hashes_of(np.arange(len(FLAT))), grid, 50)
    totals = NodeShares.of(table).totals
    for i in range(len(table)):
        inside = (grid.cells(FLAT, int(table.depths[i])) == table.cells[i]).all(axis=1).sum()
        assert abs(totals[i] - inside) < 6 * np.sqrt(inside) + 1
