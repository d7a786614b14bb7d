"""Trees of points: every point once, cells, boxes, and fair samples, whatever the points are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid, choose_planes
from napari_octree.octree.points.point_tree import build_trees, hashes_of, sample_rows

QUOTA = 8


def build(points: np.ndarray, planes: dict[int, float] | None = None, quota: int = QUOTA):
    grid = PointGrid.of(points.min(axis=0), points.max(axis=0), planes)
    table, order = build_trees(points, hashes_of(np.arange(len(points))), grid, quota)
    return grid, table, order


def check(points: np.ndarray, grid: PointGrid, table: NodeTable, order: np.ndarray) -> None:
    """The promises of a table of nodes."""
    np.testing.assert_array_equal(np.sort(order), np.arange(len(points)))  # every point once
    assert table.count == len(points) == table.subtrees[: table.roots].sum()
    hashes = hashes_of(np.arange(len(points)))
    nodes = [order[table.starts[i] : table.ends[i]] for i in range(len(table))]
    for i, rows in enumerate(nodes):
        cells = grid.cells(points[rows], int(table.depths[i]))
        assert (cells == table.cells[i]).all()
        assert (np.diff(hashes[rows]) > 0).all() if len(rows) > 1 else True
        assert (points[rows] >= table.lows[i]).all()
        assert (points[rows] <= table.highs[i]).all()
        children = table.children(np.array([i]))[1]
        below = [i, *children.tolist()]
        for child in below:
            stack = table.children(np.array([child]))[1]
            if child != i:
                below.extend(stack.tolist())
        assert table.subtrees[i] == table.counts[below].sum()
        inside = np.concatenate([points[nodes[j]] for j in below])
        np.testing.assert_array_equal(table.lows[i], inside.min(axis=0))
        np.testing.assert_array_equal(table.highs[i], inside.max(axis=0))
        for child in children:
            assert table.parents[child] == i
            assert table.depths[child] == table.depths[i] + 1
        # A node keeps those with the least hashes of what its ancestors have left.
        rest = np.concatenate([nodes[j] for j in below[1:]]) if len(below) > 1 else rows[:0]
        assert not len(rest) or hashes[rows].max() < hashes[rest].min()
        assert len(rows) == QUOTA if len(rest) else True


coordinates = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, -1.0, 1e9])


@given(st.data())
@settings(max_examples=60)
def test_any_points_are_in_exactly_one_node(data):
    ndim = data.draw(st.integers(1, 3))
    row = st.tuples(*[coordinates] * ndim)
    points = np.array(data.draw(st.lists(row, min_size=1, max_size=120)), float)
    points = np.repeat(points, data.draw(st.integers(1, 3)), axis=0)
    check(points, *build(points))


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((50, 2)),
        np.full((50, 3), 1e300),
        np.array([[1e12, 1e12], *np.random.default_rng(0).random((60, 2))]),
        np.random.default_rng(1).random((200, 3)) * 1e-3 + 1e9,
        np.random.default_rng(2).normal(size=(300, 2)),
        np.c_[np.arange(200.0), np.zeros(200)],
        np.array([[3.5, -2.0]]),
    ],
    ids=["one place", "huge", "outlier", "far", "around 0", "line", "one"],
)
def test_odd_sets(points):
    check(points, *build(points))


def test_planes_have_trees_of_their_own():
    rng = np.random.default_rng(0)
    points = np.c_[rng.integers(0, 4, 300), rng.random((300, 2)) * 50].astype(float)
    grid, table, order = build(points, {0: 1.0})
    check(points, grid, table, order)
    assert (table.lows[:, 0] == table.highs[:, 0]).all()


def test_which_axes_are_planes():
    low, high = np.zeros(3), np.array([99.0, 1000.0, 1000.0])
    whole = (True, False, False)
    assert choose_planes(low, high, 10**6, whole) == {0: 1.0}
    assert choose_planes(low, high, 1000, whole) == {}  # a few points in each plane
    assert choose_planes(low, high, 10**6, (False,) * 3) == {}
    assert choose_planes(low, high, 10, whole, planes=(-3,)) == {0: 1.0}
    five = choose_planes(np.zeros(5), np.full(5, 9.5), 10**6, (False,) * 5)
    assert sorted(five) == [0, 1]  # at most three axes are split


def test_the_trees_do_not_depend_on_the_order_of_points_in_memory():
    rng = np.random.default_rng(3)
    points, hashes = rng.random((500, 2)), hashes_of(np.arange(500))
    grid = PointGrid.of(points.min(axis=0), points.max(axis=0))
    table, order = build_trees(points, hashes, grid, QUOTA)
    shuffled = rng.permutation(500)
    other, again = build_trees(points[shuffled], hashes[shuffled], grid, QUOTA)
    np.testing.assert_array_equal(shuffled[again], order)
    for name in ("depths", "cells", "counts", "subtrees", "lows", "highs", "parents"):
        np.testing.assert_array_equal(getattr(other, name), getattr(table, name))


def test_every_prefix_of_a_node_is_a_fair_sample():
    """Chi-square over cells: of the root, and of a prefix of it, for clustered points."""
    rng = np.random.default_rng(4)
    n = 40_000
    points = np.concatenate([rng.random((n // 2, 2)), rng.normal(0.3, 0.02, (n // 2, 2))])
    points = points[(points > 0).all(axis=1) & (points < 1).all(axis=1)]
    _, _, order = build(points, quota=2000)

    def counts(rows):
        cells = np.minimum((points[rows] * 6).astype(int), 5)
        return np.bincount(cells[:, 0] * 6 + cells[:, 1], minlength=36)

    whole = counts(np.arange(len(points))) / len(points)
    for part in (2000, 500):
        expected = whole * part
        likely = expected > 5
        found = counts(order[:part])
        square = ((found - expected)[likely] ** 2 / expected[likely]).sum()
        degrees = np.count_nonzero(likely) - 1
        assert abs(square - degrees) < 4 * np.sqrt(2 * degrees), (part, square, degrees)


def test_a_sample_is_the_least_hashes():
    hashes = hashes_of(np.arange(100))
    np.testing.assert_array_equal(sample_rows(hashes, 10), np.argsort(hashes)[:10])
    assert len(np.unique(hashes)) == 100
    assert len(sample_rows(hashes, 200)) == 100
