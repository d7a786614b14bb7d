"""Which nodes a view is made of: all that it needs, none that it does not see, within a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree.points.density_grid import CellBoxes, NodeShares
from napari_octree.octree.points.node_selection import PointView, select_nodes
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import build_trees, hashes_of
from napari_octree.octree.view import VolumeView

RNG = np.random.default_rng(0)
POINTS = np.concatenate([RNG.random((6000, 2)) * 1000, RNG.normal(300, 5, (6000, 2))])
GRID = PointGrid.of(POINTS.min(axis=0), POINTS.max(axis=0))
TABLE, ORDER = build_trees(POINTS, hashes_of(np.arange(len(POINTS))), GRID, 100)


def look(centre=(500.0, 500.0), width=1000.0, low=(-np.inf,) * 2, high=(np.inf,) * 2):
    """A square view of 800 × 800 pixels."""
    s = 2 / width
    (y, x) = centre
    matrix = ((0, 0, s, -s * x), (0, s, 0, -s * y), (0, 0, 0, 0), (0, 0, 0, 1))
    view = VolumeView(matrix, (800.0, 800.0), (0.0, y, x))
    return PointView(view, (0, 1), low, high)


@given(
    st.tuples(st.floats(0, 1000), st.floats(0, 1000)),
    st.floats(1, 3000),
    st.integers(50, 20_000),
)
@settings(max_examples=60)
def test_what_is_chosen(centre, width, budget):
    shown = look(centre, width)
    chosen = select_nodes(TABLE, shown, budget)
    rows = chosen.rows.tolist()
    place = {row: i for i, row in enumerate(rows)}
    assert len(place) == len(rows)
    for row in rows:  # parents come first
        parent = int(TABLE.parents[row])
        assert parent < 0 or place[parent] < place[row]
    drawn = TABLE.counts[rows].sum() * chosen.share
    assert drawn <= budget + 1 or chosen.share < 1 or len(rows) <= TABLE.roots
    # All that is in view and not chosen is missing, and no more.
    half = width / 2
    low, high = np.array(centre) - half, np.array(centre) + half
    inside = ((low <= POINTS) & (high >= POINTS)).all(axis=1)
    nodes = np.repeat(np.arange(len(TABLE)), TABLE.counts)
    seen = inside[ORDER]
    unseen_nodes = set(nodes[seen].tolist()) - set(rows)
    assert chosen.missing.sum() >= np.count_nonzero(seen & np.isin(nodes, list(unseen_nodes)))
    if chosen.complete and not chosen.missing.any():
        assert not unseen_nodes


def test_a_close_view_shows_every_point():
    chosen = select_nodes(TABLE, look((300, 300), 8), 10**6)
    assert chosen.complete
    assert not chosen.missing.any()


def test_a_far_view_stops_where_points_are_denser_than_pixels():
    chosen = select_nodes(TABLE, look(width=1e6), 10**6)
    assert chosen.complete
    assert len(chosen.rows) == TABLE.roots
    assert chosen.missing.sum() == len(POINTS) - TABLE.counts[: TABLE.roots].sum()


def test_a_small_budget_is_met_by_fewer_points_of_all_roots():
    chosen = select_nodes(TABLE, look(), 20)
    assert len(chosen.rows) == TABLE.roots
    assert chosen.share * TABLE.counts[chosen.rows].sum() == pytest.approx(20)
    assert not chosen.complete


def test_nothing_in_view():
    chosen = select_nodes(TABLE, look((1e7, 1e7)), 1000)
    assert not len(chosen.rows)
    assert chosen.complete


def test_more_budget_shows_more():
    few, many = (select_nodes(TABLE, look(), n) for n in (1000, 5000))
    assert set(few.rows.tolist()) < set(many.rows.tolist())


def test_a_slab_leaves_out_other_planes():
    rng = np.random.default_rng(1)
    points = np.c_[rng.integers(0, 5, 2000), rng.random((2000, 2)) * 1000].astype(float)
    grid = PointGrid.of(points.min(axis=0), points.max(axis=0), {0: 1.0})
    table, _ = build_trees(points, hashes_of(np.arange(2000)), grid, 50)
    flat = look().view
    shown = PointView(flat, (1, 2), (1.5, -np.inf, -np.inf), (2.5, np.inf, np.inf))
    rows = select_nodes(table, shown, 10**6).rows
    assert (table.lows[rows, 0] == 2).all()
    assert table.counts[rows].sum() == np.count_nonzero(points[:, 0] == 2)


@pytest.mark.parametrize("budget", [300, 2000, 6000])
@pytest.mark.parametrize("width", [1000.0, 400.0, 100.0, 25.0])
@pytest.mark.parametrize("centre", [(500.0, 500.0), (300.0, 300.0), (310.0, 290.0)])
def test_what_is_shown_is_as_dense_as_the_whole_at_every_zoom(centre, width, budget):
    """Points that are drawn, and what the image of density adds for the others, by cells."""
    chosen = select_nodes(TABLE, look(centre, width), budget)
    edges = [np.linspace(c - width / 2, c + width / 2, 9) for c in centre]

    def counts(points: np.ndarray) -> np.ndarray:
        return np.histogram2d(points[:, 0], points[:, 1], bins=edges)[0]

    truth, shown, variance = counts(POINTS), np.zeros((8, 8)), np.zeros((8, 8))
    shares = NodeShares.of(TABLE).totals
    lows, highs = CellBoxes(GRID).boxes(TABLE, chosen.rows)
    for i, row in enumerate(chosen.rows.tolist()):
        start, count = int(TABLE.starts[row]), int(TABLE.counts[row])
        drawn = int(np.ceil(count * chosen.share))
        shown += counts(POINTS[ORDER[start : start + drawn]])
        missing = (chosen.missing[i] + count - drawn) / shares[row]
        if missing:
            inside = ((lows[i] <= POINTS) & (highs[i] > POINTS)).all(axis=1)
            here = counts(POINTS[inside])
            shown += missing * here
            variance += missing * (1 - min(missing, 1)) * here
    assert abs(shown.sum() - truth.sum()) <= 4 * np.sqrt(variance.sum()) + 0.01 * truth.sum()
    uncertain = variance > 1
    if uncertain.any():
        # Not more than chance: as many standard deviations as a normal distribution has.
        off = (shown - truth)[uncertain] / np.sqrt(variance[uncertain])
        assert np.abs(off).max() < 5
        assert (off**2).mean() < 1 + 5 * np.sqrt(2 / len(off))
    # What is drawn whole is exact.
    np.testing.assert_allclose(shown[variance == 0], truth[variance == 0], rtol=1e-9)
