import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import Octree
from octree.strategies import pyramids


def all_tiles(level):
    return np.array(list(np.ndindex(*level.grid_shape)), np.int64)


@settings(max_examples=100, deadline=None)
@given(pyramids())
def test_tiles_of_every_level_cover_level_zero_once(octree):
    for level in octree.levels:
        for axis in (0, 1):
            edges = level.edges(axis, np.arange(level.grid_shape[axis] + 1))
            assert edges[0] == 0
            assert edges[-1] == octree.extent[axis]
            assert (np.diff(edges) >= 0).all()
        tiles = all_tiles(level)
        starts_then_stops = [
            (y0, x0, y1, x1)
            for (y0, y1), (x0, x1) in (level.tile_bounds(t) for t in tiles.tolist())
        ]
        # Not nearly but exactly: quads of either origin must meet.
        np.testing.assert_array_equal(level.bounds(tiles), starts_then_stops)


@settings(max_examples=100, deadline=None)
@given(pyramids())
def test_tile_regions_cut_the_level_into_whole_and_edge_tiles(octree):
    for level in octree.levels:
        count = np.zeros(level.shape, int)
        for tile in np.ndindex(*level.grid_shape):
            region = level.tile_region(tile)
            count[tuple(slice(*r) for r in region)] += 1
            assert all(0 < b - a <= t for (a, b), t in zip(region, level.tile_shape, strict=True))
        assert (count == 1).all()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_inner_edges_follow_the_level_pixels(data):
    octree = data.draw(pyramids())
    level = data.draw(st.sampled_from(octree.levels))
    tile = tuple(data.draw(st.integers(0, n - 1)) for n in level.grid_shape)
    region, bounds = level.tile_region(tile), level.tile_bounds(tile)
    first = level.transform.to_octree([start for start, _ in region])
    for axis in (0, 1):
        if tile[axis]:
            expected = min(max(first[axis], 0), octree.extent[axis])
            np.testing.assert_allclose(bounds[axis][0], expected, atol=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_tile_range_is_the_tiles_that_an_interval_touches(data):
    octree = data.draw(pyramids())
    level = data.draw(st.sampled_from(octree.levels))
    start, length = data.draw(st.floats(-50, 1000)), data.draw(st.floats(0.01, 500))
    first, last = level.tile_range(0, start, start + length)
    for i in range(level.grid_shape[0]):
        a, b = level.edge(0, i), level.edge(0, i + 1)
        depth = min(b - start, start + length - a)
        if b > a and abs(depth) > 1e-9:
            assert (first <= i < last) == (depth > 0)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_range_is_that_of_many(data):
    octree = data.draw(pyramids())
    level = data.draw(st.sampled_from(octree.levels))
    edge = st.floats(-50, 1000) | st.integers(-50, 1000).map(float)
    start, stop = data.draw(edge), data.draw(edge)
    for axis in (0, 1):
        first, last = level.tile_ranges(axis, np.array([start]), np.array([stop]))
        assert level.tile_range(axis, start, stop) == (int(first[0]), int(last[0]))


def test_an_interval_beside_the_image_touches_no_tile():
    level = Octree.from_shapes([(100, 100)], 10).levels[0]
    for interval in ((-9.0, -1.0), (-9.0, 0.0), (100.0, 101.0), (4.0, 4.0), (5.0, 4.0)):
        first, last = level.tile_range(1, *interval)
        assert first >= last


def test_slack_ignores_overlaps_that_are_rounding():
    level = Octree.from_shapes([(100, 100)], 10).levels[0]
    start, stop = np.array([19.9999]), np.array([30.0001])
    assert [int(n[0]) for n in level.tile_ranges(0, start, stop)] == [1, 4]
    assert [int(n[0]) for n in level.tile_ranges(0, start, stop, slack=0.001)] == [2, 3]


def test_grids_of_three_axes_and_of_enormous_levels():
    octree = Octree.from_shapes([(2**40, 5, 2**40)], (64, 64, 64), max_overview=64)
    level = octree.levels[0]
    assert level.grid_shape == (2**34, 1, 2**34)
    assert level.tile_bounds((2**34 - 1, 0, 7)) == (
        (2.0**40 - 64, 2.0**40),
        (0.0, 5.0),
        (448.0, 512.0),
    )
    corner = level.bounds(np.array([[2**34 - 1, 0, 7]]))
    assert corner.tolist() == [[2.0**40 - 64, 0, 448, 2.0**40, 5, 512]]
    assert max(octree.coarsest.shape) <= 64
    assert [a.grid_shape[1] for a in octree.levels] == [1] * len(octree.levels)
    assert all(f == 1 for f in octree.factors[1])
    assert all(b == 2 * a for a, b in itertools.pairwise(octree.factors[0]))
