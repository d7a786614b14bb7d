import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import (
    PLAY,
    QUALITY,
    ChunkKey,
    LevelTransform,
    Motion,
    Octree,
    Tier,
    Velocity,
    VolumeView,
    in_other_slices,
    select_bricks,
)
from napari_octree.octree.bricks import brick_seed
from napari_octree.octree.bricks import selection as bricks
from napari_octree.octree.bricks.brick_seed import Seed
from napari_octree.octree.bricks.brick_set import BrickSet
from octree.cameras_3d import orthographic, perspective
from octree.reference import best_first, brick_children, brick_in_view, brick_scores

CUBE = Octree.from_shapes([(2000, 2000, 2000)], 64, max_overview=64)
VAST = Octree.from_shapes([(2**40,) * 3], 64, max_overview=64)
MIDDLE = 2.0**39 + 1234.5


@st.composite
def volumes(draw):
    """Octrees of three axes: nested and not, anisotropic, odd, thin, shifted."""
    shape = tuple(draw(st.integers(1, 200)) for _ in range(3))
    shapes, factor = [shape], (1.0, 1.0, 1.0)
    transforms = [LevelTransform(factor, (0.0, 0.0, 0.0))]
    for _ in range(draw(st.integers(0, 3))):
        step = draw(st.sampled_from([(2, 2, 2), (1, 2, 2), (3, 3, 3), (4, 2, 2), (1.5, 1.5, 1.5)]))
        rounding = draw(st.sampled_from([math.floor, math.ceil]))
        shapes.append(
            tuple(max(1, rounding(n / f)) for n, f in zip(shapes[-1], step, strict=True))
        )
        factor = tuple(f * s for f, s in zip(factor, step, strict=True))
        shift = draw(st.sampled_from([(0.0,) * 3, (0.5, -0.5, 0.5), (3.3, 0.0, -4.1)]))
        transforms.append(LevelTransform(factor, shift))
    tile = draw(st.sampled_from([16, (8, 16, 16), 20]))
    return Octree.from_shapes(shapes, tile, transforms, max_overview=draw(st.integers(16, 40)))


@st.composite
def volume_views(draw, octree):
    # Off the grid: whether a box that only touches a plane is seen is a matter of rounding.
    target = tuple(
        draw(st.floats(-0.2, 1.2)) * n + off
        for n, off in zip(octree.extent, (0.1234, 0.2345, 0.3456), strict=True)
    )
    direction = tuple(draw(st.floats(-1, 1)) for _ in range(2))
    direction = (direction[0] or 0.1, 0.1, direction[1] + 0.05)
    planes = draw(st.sampled_from([(), ((target, (1.0, 0.3, -0.5)),)]))
    size = draw(st.floats(1.0, 600.0))
    make = draw(st.sampled_from([perspective, orthographic]))
    return make(target, size, direction, clipping_planes=planes)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bricks_are_a_tree_that_covers_the_view_within_the_budget(data):
    octree = data.draw(volumes())
    view = data.draw(volume_views(octree))
    budget = data.draw(st.integers(1, 300))
    found = select_bricks(octree, view, budget)
    leaves, ancestors = set(found.leaves), set(found.ancestors)
    assert not leaves & ancestors
    assert len(found) == len(leaves) + len(ancestors)
    top = octree.coarsest
    roots = {
        (top.index, t)
        for t in np.ndindex(*top.grid_shape)
        if brick_in_view(octree, view, (top.index, t))
    }
    assert len(found) <= max(budget, len(roots))
    expected = set(roots)
    for key in ancestors:
        assert brick_scores(octree, view, key)[0] > 1 - 1e-9, "refined beyond a pixel"
        children = [c for c in brick_children(octree, key) if brick_in_view(octree, view, c)]
        assert children
        expected.update(children)
    assert leaves | ancestors == expected
    if found.complete:
        for key in leaves:
            assert (
                key.level == 0
                or brick_scores(octree, view, key)[0] <= 1 + 1e-9
                or not any(brick_in_view(octree, view, c) for c in brick_children(octree, key))
            )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_batches_choose_what_one_at_a_time_would(data):
    side = data.draw(st.integers(40, 500))
    octree = Octree.from_shapes([(side,) * 3], 16, max_overview=16)
    at = tuple(data.draw(st.floats(0.1, 0.9)) * side + 0.1234 * k for k in range(3))
    make = data.draw(st.sampled_from([perspective, orthographic]))
    view = make(at, data.draw(st.floats(2.0, 900.0)), (0.61, 0.37, data.draw(st.floats(-1, 1))))
    assert_chosen_as_one_at_a_time(octree, view, data.draw(st.integers(8, 150)))


def test_of_two_bricks_before_the_eye_either_may_come_first():
    """Their nearest corner is one and the same, and they hold the focus: a tie to the last bit."""
    octree = Octree.from_shapes([(64,) * 3], 16, max_overview=16)
    view = perspective((32.0, 32.1234, 16.2468), 2.0, (0.61, 0.37, 0.0))
    scores = [brick_scores(octree, view, (1, t)) for t in ((0, 1, 0), (1, 1, 0))]
    assert scores[0] == scores[1] == pytest.approx((2109.063942514082,) * 2, rel=1e-12)
    assert_chosen_as_one_at_a_time(octree, view, 9)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_batches_choose_the_same_where_an_axis_does_not_shrink(data):
    """A child's voxel may then look as large as its parent's: batches have to reach further."""
    steps = data.draw(st.lists(st.sampled_from([(1, 2, 2), (2, 1, 2), (2, 2, 2)]), max_size=4))
    shape = tuple(data.draw(st.integers(20, 200)) for _ in range(3))
    shapes = [shape]
    for step in steps:
        shapes.append(tuple(-(-n // f) for n, f in zip(shapes[-1], step, strict=True)))
    octree = Octree.from_shapes(shapes, 16, max_overview=32)
    at = tuple(data.draw(st.floats(0.1, 0.9)) * n + 0.1234 * k for k, n in enumerate(shape))
    make = data.draw(st.sampled_from([perspective, orthographic]))
    view = make(at, data.draw(st.floats(2.0, 900.0)), (0.61, 0.37, data.draw(st.floats(-1, 1))))
    assert_chosen_as_one_at_a_time(octree, view, data.draw(st.integers(8, 60)))


def assert_chosen_as_one_at_a_time(octree, view, budget):
    """The slow version's choice, but for the last ones where these are equally important.

    Bricks that touch the same place before the eye are: any of them may come first.
    """
    found = select_bricks(octree, view, budget)
    leaves, ancestors, complete = best_first(octree, view, budget)
    least = min((brick_scores(octree, view, k)[1] for k in ancestors), default=0.0)
    for key in ancestors ^ set(found.ancestors):
        assert brick_scores(octree, view, key)[1] == pytest.approx(least, rel=1e-9)
    if ancestors == set(found.ancestors):
        assert set(found.leaves) == leaves
    assert found.complete == complete


@pytest.mark.parametrize("make", [perspective, orthographic])
def test_every_point_in_view_lies_in_a_leaf_or_a_stand_in(make):
    view = make((900.0, 1100.0, 1000.0), 700.0)
    found = select_bricks(CUBE, view, 300)
    chosen = np.array(
        [CUBE.levels[k.level].tile_bounds(k.index) for k in (*found.leaves, *found.ancestors)]
    )
    random = np.random.default_rng(7)
    points = random.uniform(0, 2000, (3000, 3))
    clip = np.array(view.matrix) @ np.column_stack([points, np.ones(len(points))]).T
    seen = points[(np.abs(clip[:2]) <= clip[3]).all(axis=0)]
    assert len(seen) > 20
    for point in seen:
        inside = (chosen[:, :, 0] <= point) & (point < chosen[:, :, 1])
        assert inside.all(axis=1).any()


def test_with_enough_budget_voxels_are_about_a_pixel():
    found = select_bricks(CUBE, orthographic((1000.0,) * 3, 2000.0), 5000)
    assert found.complete
    # 800 pixels across 2000 voxels: level 1, whose voxels span 0.8 pixels.
    assert {k.level for k in found.leaves} == {1}


def test_what_is_near_the_eye_is_finer():
    found = select_bricks(VAST, perspective((MIDDLE,) * 3, 300.0), 1000)
    assert not found.complete
    assert len(found) <= 1000
    assert min(k.level for k in found.leaves) == 0
    assert max(k.level for k in found.leaves) > 25


def test_the_focus_is_finer_where_all_depths_are_alike():
    at = (500.3, 700.1, 900.7)
    found = select_bricks(CUBE, orthographic(at, 500.0), 200)
    levels = np.array([k.level for k in found.leaves])
    centres = np.array(
        [np.mean(CUBE.levels[k.level].tile_bounds(k.index), axis=1) for k in found.leaves]
    )
    away = np.linalg.norm(centres - at, axis=1)
    finest = levels == levels.min()
    assert away[finest].mean() < away[~finest].mean()


def test_planes_cut_bricks_away():
    view = orthographic((1000.0,) * 3, 4000.0)
    cut = dataclasses.replace(view, clipping_planes=(((1000.0, 0.0, 0.0), (1.0, 0.0, 0.0)),))
    kept = select_bricks(CUBE, cut, 5000)
    assert len(kept) < 0.7 * len(select_bricks(CUBE, view, 5000))
    for key in kept.leaves:
        assert CUBE.levels[key.level].tile_bounds(key.index)[0][1] >= 1000


def test_a_lock_sets_the_level_of_all_leaves():
    view = orthographic((1000.0,) * 3, 4000.0)
    assert {k.level for k in select_bricks(CUBE, view, 9999, locked_level=3).leaves} == {3}
    assert {k.level for k in select_bricks(CUBE, view, 9999, locked_level=99).leaves} == {5}
    assert not select_bricks(CUBE, view, 100, locked_level=0).complete


def test_bias_makes_leaves_coarser():
    view = orthographic((1000.0,) * 3, 2000.0)
    found = select_bricks(CUBE, view, 9999, level_bias=1)
    assert {k.level for k in found.leaves} == {2}


def test_wishes_name_every_brick_once_coarse_before_fine():
    found = select_bricks(VAST, perspective((MIDDLE,) * 3, 3000.0), 500)
    wishes = found.wishes
    assert {w.key for w in wishes} == {*found.leaves, *found.ancestors}
    assert len(wishes) == len(found)
    tiers = [w.tier for w in wishes]
    assert tiers == sorted(tiers)
    assert [w.key for w in wishes if w.tier is Tier.IDEAL] == list(found.leaves)
    assert all(w.relative_level == 0 for w in wishes if w.tier is Tier.IDEAL)
    assert all(w.relative_level > 0 for w in wishes if w.tier is Tier.COVERAGE)
    assert wishes[0].key.level == VAST.coarsest.index
    assert min(w.distance for w in wishes) == 0


def test_leaves_come_in_order_of_importance():
    view = perspective((900.0, 1000.0, 1100.0), 800.0)
    leaves = select_bricks(CUBE, view, 300).leaves
    importance = [brick_scores(CUBE, view, k)[1] for k in leaves]
    assert all(a >= b * (1 - 1e-9) for a, b in itertools.pairwise(importance))


def test_what_a_slider_will_show_is_wished_ahead():
    motion = Motion(scroll=Velocity(8.0, 0.1), scrolled=True)
    found = select_bricks(CUBE, perspective((1000.0,) * 3, 3000.0), 200)
    wishes = in_other_slices(found, motion, PLAY)
    assert [w.tier for w in wishes] == sorted(w.tier for w in wishes)
    roots = [w.key for w in found.wishes if w.tier is Tier.OVERVIEW]
    ahead = [(w.slice_offset, w.key) for w in wishes if w.tier is Tier.AHEAD]
    assert ahead == [(offset, key) for offset in (1, 2) for key in roots]
    later = [w for w in wishes if w.tier is Tier.PREFETCH]
    assert 0 < len(later) <= PLAY.prefetch * len(found.leaves)
    assert min(w.slice_offset for w in later) > 0
    assert len({(w.key, w.slice_offset) for w in wishes}) == len(wishes)
    next_one = {w.key for w in wishes if w.slice_offset == 1}
    assert next_one == {w.key for w in found.wishes}
    assert not in_other_slices(found, Motion(), PLAY)
    assert not in_other_slices(found, motion, QUALITY)


def test_equal_input_gives_equal_bricks():
    view = perspective((MIDDLE,) * 3, 300.0)
    one, other = select_bricks(VAST, view, 700), select_bricks(VAST, view, 700)
    assert one == other
    assert one.wishes == other.wishes
    assert hash(one) == hash(other)
    assert one != select_bricks(VAST, view, 600)


def test_a_view_past_the_volume_is_empty():
    found = select_bricks(CUBE, orthographic((1e6, 1e6, 1e6), 100.0), 100)
    assert len(found) == 0
    assert found.complete
    assert found.wishes == ()


def test_a_coarsest_level_beyond_the_budget_is_kept_whole():
    octree = Octree.from_shapes([(256, 256, 256)], 32, max_overview=256)
    found = select_bricks(octree, orthographic((128.0,) * 3, 900.0), 10)
    assert len(found.leaves) == 512


def test_volume_views_that_are_not_ready_are_refused():
    rows = ((1.0, 0.0, 0.0, 0.0),) * 3
    with pytest.raises(ValueError, match="finite"):
        VolumeView((*rows, (0.0, 0.0, 0.0, float("nan"))), (8.0, 8.0), (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="size"):
        VolumeView((*rows, (0.0, 0.0, 0.0, 1.0)), (8.0, 0.0), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("size", [30.0, 300.0, 3000.0, 1e5, 1e8])
@pytest.mark.parametrize("make", [perspective, orthographic])
@pytest.mark.parametrize("budget", [150, 1000])
def test_a_seed_changes_nothing_but_the_time(monkeypatch, make, size, budget):
    at = (MIDDLE, MIDDLE / 3, MIDDLE * 1.7)
    guesses = []

    class Observed(Seed):
        def plant(self, *arguments):
            guesses.append(super().plant(*arguments))
            return guesses[-1]

    monkeypatch.setattr(bricks, "Seed", Observed)
    seeded = select_bricks(VAST, make(at, size), budget)
    assert guesses[0] < math.inf, "these trees are deep enough for a seed"
    monkeypatch.setattr(brick_seed, "SHARE", 0.0)
    plain = select_bricks(VAST, make(at, size), budget)
    assert set(seeded.leaves) == set(plain.leaves)
    assert set(seeded.ancestors) == set(plain.ancestors)
    assert seeded.complete == plain.complete


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_empty_is_chosen_but_not_refined(data):
    octree = data.draw(volumes())
    view = data.draw(volume_views(octree))
    budget = data.draw(st.integers(1, 300))
    full = select_bricks(octree, view, budget)
    bricks = [*full.ancestors, *full.leaves]
    empty = set(data.draw(st.lists(st.sampled_from(bricks), max_size=5))) if bricks else set()
    found = select_bricks(octree, view, budget, empty=empty)
    empty = {key for key in empty if brick_scores(octree, view, key)[0] <= 8}
    assert not empty & set(found.ancestors)
    if full.complete:
        below: set[ChunkKey] = set()
        for key in sorted(full.ancestors, reverse=True):
            if key in empty | below:
                below.update(brick_children(octree, key))
        assert set(found.ancestors) == set(full.ancestors) - empty - below
        assert set(found.leaves) == (set(full.leaves) | empty) - below
        assert found.complete
    else:
        assert len(found) <= max(budget, len(full))


def test_the_budget_goes_to_what_is_not_empty():
    view = orthographic((1000.3, 1000.2, 1000.1), 1500.0)
    full = select_bricks(CUBE, view, 300)
    half = [k for k in full.ancestors if k.level == 3 and k.index[0] < 2]
    found = select_bricks(CUBE, view, 300, empty=half)
    there = [k for k in found.leaves if CUBE.levels[k.level].tile_bounds(k.index)[0][0] >= 1024]
    before = [k for k in full.leaves if CUBE.levels[k.level].tile_bounds(k.index)[0][0] >= 1024]
    assert half
    assert len(there) > 1.2 * len(before)


@given(st.lists(st.tuples(*[st.integers(0, 2**34)] * 4), max_size=30), st.data())
def test_a_set_of_bricks_has_its_members_and_no_others(members, data):
    bricks = BrickSet.of([ChunkKey(level, tuple(index)) for level, *index in members])
    others = data.draw(st.lists(st.tuples(*[st.integers(0, 2**34)] * 4), max_size=30))
    asked = [*members, *others]
    found = bricks.contains(np.array(asked, np.int64).reshape(-1, 4))
    assert found.tolist() == [key in set(members) for key in asked]
