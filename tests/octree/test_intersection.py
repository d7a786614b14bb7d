import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import EXPLORE, Octree, View, choose_level, intersect
from octree.reference import convex_overlap, ideal_level
from octree.strategies import pyramids, views

CUBE = Octree.from_shapes([(4096 >> k, 4096 >> k) for k in range(4)], 256)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_tiles_are_those_that_the_view_touches(data):
    octree = data.draw(pyramids())
    view = data.draw(views(octree))
    margin = data.draw(st.sampled_from([0.0, 0.0, 2.5]))
    found = intersect(octree, view, margin_texels=margin)
    level = octree.levels[found.level]
    grow_y, grow_x = (margin * f for f in level.transform.factor)
    named = set(map(tuple, found.tiles.tolist()))
    assert len(named) == len(found.tiles) == len(found) == len(found.chunks)
    assert named == {key.index for key in found.chunks}
    for tile in np.ndindex(*level.grid_shape):
        (y0, y1), (x0, x1) = level.tile_bounds(tile)
        depth = convex_overlap(view.corners, (y0 - grow_y, x0 - grow_x, y1 + grow_y, x1 + grow_x))
        if y1 > y0 and x1 > x0 and abs(depth) > 1e-6:
            assert (tile in named) == (depth > 0), (tile, depth)
    if named:
        (r0, r1), (c0, c1) = found.box
        assert (r0, c0) == tuple(found.tiles.min(axis=0))
        assert (r1 - 1, c1 - 1) == tuple(found.tiles.max(axis=0))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_level_is_the_coarsest_with_texels_within_a_pixel(data):
    octree = data.draw(pyramids())
    pixel = tuple(data.draw(st.floats(0.1, 60)) for _ in range(2))
    level = choose_level(octree, pixel)
    assert level == ideal_level(octree, pixel)
    previous = data.draw(st.integers(0, len(octree.levels) - 1))
    kept = choose_level(octree, pixel, previous, hysteresis=0.2)
    # Never coarser than what is sharp; finer only if it was so before.
    assert min(previous, level) <= kept <= level


def test_trembling_at_a_threshold_does_not_flip_levels():
    level, seen = None, []
    for pixel in [1.9, 2.02, 1.98, 2.05, 1.97, 2.03, 2.5, 2.02, 1.99, 2.02]:
        level = choose_level(CUBE, (pixel, pixel), level, hysteresis=EXPLORE.hysteresis)
        seen.append(level)
    assert seen == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0]


def test_exact_powers_are_met_in_spite_of_rounding():
    assert choose_level(CUBE, (2.0, 2.0)) == 1
    assert choose_level(CUBE, (2 * (1 - 1e-12), 2.0)) == 1
    assert choose_level(CUBE, (3.9, 8.0)) == 1


def test_high_dpi_screens_get_the_finer_level():
    assert choose_level(CUBE, (2.0, 2.0)) == 1
    assert choose_level(CUBE, (1.0, 1.0)) == 0


def test_bias_is_in_octaves():
    assert choose_level(CUBE, (1.0, 1.0), level_bias=1) == 1
    assert choose_level(CUBE, (4.0, 4.0), level_bias=-1) == 1


def test_too_many_tiles_coarsen_the_level_and_drop_nothing():
    view = View.of_box((0, 0), (4096, 4096))
    assert len(intersect(CUBE, view)) == 256
    few = intersect(CUBE, view, max_tiles=100)
    assert (few.requested_level, few.level, len(few)) == (0, 1, 64)
    none = intersect(CUBE, view, max_tiles=0)
    assert none.level == len(CUBE.levels) - 1
    assert len(none) == np.prod(CUBE.coarsest.grid_shape)


def test_a_lock_holds_until_it_cannot():
    near = View.of_box((0, 0), (300, 300), pixel_size=8.0)
    assert intersect(CUBE, near, locked_level=0).level == 0
    assert intersect(CUBE, near, locked_level=99).level == len(CUBE.levels) - 1
    huge = Octree.from_shapes([(2**40, 2**40)], 256)
    everything = View.of_box((0, 0), (2**40, 2**40), pixel_size=2.0**30)
    locked = intersect(huge, everything, locked_level=0)
    assert locked.requested_level == 0
    assert len(locked) <= EXPLORE.max_tiles


def test_a_view_beside_the_image_touches_nothing():
    found = intersect(CUBE, View.of_box((-500, -500), (-1, -1)))
    assert len(found) == 0
    assert found.tiles.shape == (0, 2)
    assert found.box == ((0, 0), (0, 0))


def test_views_of_the_same_tiles_are_equal_and_others_are_not():
    view = View.of_box((300.0, 300.0), (700.0, 700.0))
    moved = View.of_box((310.0, 305.0), (710.0, 705.0))
    same = intersect(CUBE, view), intersect(CUBE, moved)
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    assert intersect(CUBE, dataclasses.replace(view, slice=(3,))) != same[0]
    assert intersect(CUBE, View.of_box((100.0, 300.0), (700.0, 700.0))) != same[0]


def test_far_corner_of_the_largest_image_is_exact():
    side = 2**40
    octree = Octree.from_shapes([(side, side)], 256)
    found = intersect(octree, View.of_box((side - 300.0, side - 300.0), (side, side)))
    last = side // 256
    assert found.box == ((last - 2, last), (last - 2, last))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_views_that_are_not_ready_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        View.of_box((bad, 0), (1, 1))
    with pytest.raises(ValueError, match="size"):
        View.of_box((0, 0), (1, 1), pixel_size=0.0)
