"""Points of a region: as numpy counts them, reading only nodes at its border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.memory_points import index_points
from napari_octree.sources.points.region import PointRegion, count_points, points_in

RNG = np.random.default_rng(0)
POINTS = np.c_[RNG.integers(0, 4, 4000), RNG.normal(50, 20, (4000, 2))]
SOURCE = index_points(POINTS, {"value": np.arange(4000)}, planes=(), quota=50)

place = st.floats(-20, 120)


@given(place, place, place, place, st.integers(-1, 4))
def test_boxes(y0, y1, x0, x1, z):
    low = np.array([z - 0.5, min(y0, y1), min(x0, x1)])
    high = np.array([z + 0.5, max(y0, y1), max(x0, x1)])
    truth = ((low <= POINTS) & (high >= POINTS)).all(axis=1)
    region = PointRegion(low, high)
    assert count_points(SOURCE, region) == truth.sum()
    found = points_in(SOURCE, region, 10**6)
    np.testing.assert_array_equal(np.sort(found["index"]), np.flatnonzero(truth))


@given(place, place, st.floats(1, 60), st.floats(1, 60), st.floats(0, 2 * np.pi), st.booleans())
def test_turned_rectangles(y, x, height, width, angle, mirrored):
    box = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * [height, width]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = (box @ turn.T + [y, x])[:: -1 if mirrored else 1]
    region = PointRegion(np.full(3, -np.inf), np.full(3, np.inf), (1, 2), corners)
    own = (POINTS[:, 1:] - [y, x]) @ turn
    truth = (np.abs(own) <= [height, width]).all(axis=1)
    near = (np.abs(np.abs(own) - [height, width]) < 1e-9).any(axis=1)
    assert abs(count_points(SOURCE, region) - truth.sum()) <= near.sum()


def test_few_nodes_are_read():
    everything = PointRegion(np.full(3, -np.inf), np.full(3, np.inf))
    whole, partly = everything.nodes(SOURCE.table)
    assert not len(partly)
    assert len(whole) == SOURCE.table.roots
    reads: list[int] = []
    box = PointRegion(np.array([-1, 20.0, 20.0]), np.array([9, 80.0, 80.0]))
    count_points(SOURCE, box, lambda done, total: reads.append(total))
    assert 0 < reads[-1] < len(SOURCE.table) / 2


def test_too_many_are_refused():
    with pytest.raises(SourceError, match="more than 100 points"):
        points_in(SOURCE, PointRegion(np.full(3, -np.inf), np.full(3, np.inf)), 100)
