import dataclasses
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import (
    AT_REST,
    EXPLORE,
    PLAY,
    QUALITY,
    Motion,
    Octree,
    Tier,
    Velocity,
    View,
    intersect,
    wish_list,
)
from octree.strategies import pyramids, views

LARGE = Octree.from_shapes([(2**16 >> k, 2**16 >> k) for k in range(7)], 256)
VIEW = View.of_box((20000.0, 20000.0), (21000.0, 21500.0))


def motions():
    speed = st.builds(Velocity, st.floats(-3000, 3000), st.floats(0, 1e6))
    small = st.builds(Velocity, st.floats(-10, 10), st.floats(0, 30))
    return st.builds(
        Motion, pan=st.tuples(speed, speed), zoom=small, scroll=small, scrolled=st.booleans()
    )


def distance(octree, wish, view):
    bounds = octree.levels[wish.key.level].tile_bounds(wish.key.index)
    gaps = [
        max(lo - f, f - hi, 0.0) / p
        for (lo, hi), f, p in zip(bounds, view.focus_point, view.pixel_size, strict=True)
    ]
    return float(np.hypot(*gaps))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_wishes_are_complete_ordered_and_without_duplicates(data):
    octree = data.draw(pyramids())
    view = data.draw(views(octree))
    policy = data.draw(st.sampled_from([EXPLORE, PLAY, QUALITY]))
    motion = data.draw(motions())
    found = intersect(octree, view, policy)
    wishes = wish_list(octree, found, policy, motion)

    names = [(w.key, w.slice_offset) for w in wishes]
    assert len(names) == len(set(names))
    assert [w.tier for w in wishes] == sorted(w.tier for w in wishes)
    here = {w.key for w in wishes if w.slice_offset == 0}
    assert set(found.chunks) <= here
    for level in octree.levels:
        above = level.index - found.level
        if level is octree.coarsest or above in policy.coverage:
            assert overlapping(level, octree, found) <= {
                w.key.index for w in wishes if w.key.level == level.index and w.tier < 3
            }
    for wish in wishes:
        level = octree.levels[wish.key.level]
        assert all(0 <= i < n for i, n in zip(wish.key.index, level.grid_shape, strict=True))
        assert wish.relative_level == wish.key.level - found.level
        assert wish.distance == pytest.approx(distance(octree, wish, view), abs=1e-6)
        assert wish.slice_offset == 0 or wish.tier in (Tier.AHEAD, Tier.PREFETCH)
        most = policy.most_ahead if wish.tier is Tier.AHEAD else policy.slices
        assert abs(wish.slice_offset) <= most
        if wish.tier is Tier.AHEAD:
            assert wish.slice_offset
            assert wish.key.level == octree.coarsest.index
    ideal = [w.distance for w in wishes if w.tier is Tier.IDEAL]
    assert ideal == sorted(ideal)
    assert motion.scrolled or all(w.slice_offset == 0 for w in wishes)
    ahead = [w for w in wishes if w.tier is Tier.PREFETCH]
    assert len(ahead) <= np.ceil(policy.prefetch * len(found))


def overlapping(level, octree, found):
    """Tiles of a level that share area with an ideal tile, one by one."""
    touched = set()
    ideal = octree.levels[found.level]
    boxes = [ideal.tile_bounds(t) for t in found.tiles.tolist()]
    thin = 2 * octree.slack
    for tile in np.ndindex(*level.grid_shape):
        own = level.tile_bounds(tile)
        for box in boxes:
            depth = min(
                min(a1, b1) - max(a0, b0) for (a0, a1), (b0, b1) in zip(own, box, strict=True)
            )
            if depth > thin:
                touched.add(tile)
    return touched


def test_order_of_tiers_for_the_default():
    found = intersect(LARGE, VIEW)
    wishes = wish_list(LARGE, found)
    assert wishes[0].key == (6, (1, 1))
    overview = [w for w in wishes if w.tier is Tier.OVERVIEW]
    assert len(overview) == 16, "the whole overview, since it is small"
    assert {w.relative_level for w in wishes if w.tier is Tier.COVERAGE} == {2}
    assert [w.tier for w in wishes].index(Tier.IDEAL) == 16 + 4


def test_each_plan_is_one_line_of_the_log(caplog):
    found = intersect(LARGE, VIEW)
    with caplog.at_level(logging.DEBUG, "napari_octree.octree"):
        wishes = wish_list(LARGE, found)
    (record,) = caplog.records
    assert record.name == "napari_octree.octree"
    ideal = sum(wish.tier is Tier.IDEAL for wish in wishes)
    assert record.message.startswith(f"level {found.level}: {ideal} ideal tiles, ")


def test_a_large_overview_is_wished_only_where_it_is_seen():
    octree = Octree.from_shapes([(2**16, 2**16)], 256, max_overview=2**13)
    wishes = wish_list(octree, intersect(octree, VIEW))
    overview = [w for w in wishes if w.tier is Tier.OVERVIEW]
    assert [w.key.index for w in overview] == [(10, 10), (9, 10), (10, 9), (9, 9)]


def test_the_focus_comes_first():
    view = dataclasses.replace(VIEW, focus=(20900.0, 21400.0))
    found = intersect(LARGE, view)
    ideal = [w.key.index for w in wish_list(LARGE, found) if w.tier is Tier.IDEAL]
    assert ideal[0] == (20900 // 256, 21400 // 256)
    assert ideal[-1] == (20000 // 256, 20000 // 256)


def test_panning_prefetches_ahead_and_not_behind():
    right = Motion(pan=(Velocity(), Velocity(800.0, 100.0**2)))
    found = intersect(LARGE, VIEW)
    ahead = [w.key for w in wish_list(LARGE, found, motion=right) if w.tier is Tier.PREFETCH]
    first, last = found.columns[0]
    beside = [k for k in ahead if k.level == 0 and k.index[0] in range(*found.box[0])]
    assert {k.index[1] for k in beside} == {last}
    assert len(beside) == len(found.columns)
    assert ahead[: len(beside)] == [k for k in ahead if k in set(beside)], "the surest first"
    assert first > 0


def test_zooming_prefetches_the_next_level_that_way():
    found = intersect(LARGE, dataclasses.replace(VIEW, pixel_size=(2.2, 2.2)))
    assert found.level == 1

    def levels(speed):
        motion = Motion(zoom=Velocity(speed, 0.1))
        return {
            w.relative_level
            for w in wish_list(LARGE, found, motion=motion)
            if w.tier is Tier.PREFETCH
        } - {0}

    assert levels(-2.0) == {-1}
    assert levels(3.0) == {1}


def test_scrolling_prefetches_slices_ahead_coarse_before_fine():
    motion = Motion(scroll=Velocity(4.0, 0.5), scrolled=True)
    found = intersect(LARGE, VIEW)
    wishes = wish_list(LARGE, found, PLAY, motion)
    slices = [w for w in wishes if w.slice_offset and w.tier is Tier.PREFETCH]
    assert {w.slice_offset for w in slices} == {1, 2, 3, 4}
    assert [w.slice_offset for w in slices] == sorted(w.slice_offset for w in slices)
    first = [w.relative_level for w in slices if w.slice_offset == 1]
    assert first == sorted(first, reverse=True)
    assert {w.key for w in slices if w.slice_offset == 1} >= set(found.chunks)


def ahead_of(speed, **changes):
    """Offsets of the slices whose overview is wished at a speed, in slices a second."""
    motion = Motion(scroll=Velocity(speed, 0.0), scrolled=True)
    policy = dataclasses.replace(EXPLORE, **changes)
    wishes = wish_list(LARGE, intersect(LARGE, VIEW), policy, motion)
    ahead = [w for w in wishes if w.tier is Tier.AHEAD]
    seen = {w.key for w in wishes if w.tier is Tier.OVERVIEW and not w.slice_offset}
    assert {w.key for w in ahead} <= seen
    return list(dict.fromkeys(w.slice_offset for w in ahead))


def test_overviews_are_there_before_a_moving_slider_is():
    assert ahead_of(16.0) == [1, 2, 3, 4]
    assert ahead_of(-8.0) == [-1, -2]
    assert ahead_of(1000.0) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ahead_of(1.0) == [], "a single step may be the last"
    assert ahead_of(16.0, slices=0) == [], "nothing is to be read ahead"


def test_at_rest_the_overviews_of_the_next_slices_are_there():
    assert ahead_of(0.0) == [1, -1, 2, -2]
    assert ahead_of(0.0, slices=1) == [1, -1]
    assert ahead_of(0.0, slices=0) == []


def test_slices_are_not_loaded_ahead_before_one_was_moved():
    assert all(w.slice_offset == 0 for w in wish_list(LARGE, intersect(LARGE, VIEW), PLAY))


def test_quality_loads_nothing_but_the_overview_and_the_view():
    found = intersect(LARGE, VIEW)
    wishes = wish_list(LARGE, found, QUALITY, Motion(zoom=Velocity(5.0, 5.0)))
    assert {w.tier for w in wishes} == {Tier.OVERVIEW, Tier.IDEAL}


def test_nothing_in_view_still_wants_the_overview():
    found = intersect(LARGE, View.of_box((-900.0, -900.0), (-800.0, -800.0)))
    wishes = wish_list(LARGE, found, motion=AT_REST)
    assert {w.tier for w in wishes} == {Tier.OVERVIEW}


def test_at_rest_only_the_ring_is_prefetched_even_on_a_threshold():
    found = intersect(LARGE, dataclasses.replace(VIEW, pixel_size=(2.0, 2.0)))
    ahead = [w for w in wish_list(LARGE, found) if w.tier is Tier.PREFETCH]
    assert ahead
    assert {w.relative_level for w in ahead} == {0}
    assert not {w.key for w in ahead} & set(found.chunks)


@pytest.mark.parametrize(("ring", "count"), [(0, 0), (1, 20), (2, 48)])
def test_the_ring_is_as_wide_as_it_says(ring, count):
    """A view over 4 × 4 tiles; without a bound, all that is so near is wished, and no more."""
    view = View.of_box((20000.0, 20000.0), (20900.0, 20900.0))
    policy = dataclasses.replace(
        EXPLORE, ring=ring, neighbour_levels=False, probable=0.0, prefetch=100.0
    )
    found = intersect(LARGE, view, policy)
    inside = {chunk.index for chunk in found.chunks}
    ahead = [w for w in wish_list(LARGE, found, policy, AT_REST) if w.tier is Tier.PREFETCH]
    assert len(inside) == 16
    assert len(ahead) == count
    for wish in ahead:
        steps = (max(abs(a - b) for a, b in zip(wish.key.index, i, strict=True)) for i in inside)
        assert 0 < min(steps) <= ring
    few = dataclasses.replace(policy, prefetch=0.5)
    ahead = [w for w in wish_list(LARGE, found, few, AT_REST) if w.tier is Tier.PREFETCH]
    assert len(ahead) == min(count, 8)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_few_places_hold_the_view_first(data):
    octree = data.draw(pyramids())
    found = intersect(octree, data.draw(views(octree)))
    room = data.draw(st.integers(len(found), 3 * len(found) + 20))
    wishes = [w for w in wish_list(octree, found, room=room) if w.tier.awaited]
    assert len(wishes) <= room
    assert set(found.chunks) <= {w.key for w in wishes}
    free = [w for w in wish_list(octree, found) if w.tier.awaited]
    assert [w for w in free if w in wishes] == wishes
    if len(free) <= room:
        assert wishes == free
    elif found.octree_level is not octree.coarsest:
        seen = overlapping(octree.coarsest, octree, found)
        unseen = [w for w in wishes if w.tier is Tier.OVERVIEW and w.key.index not in seen]
        assert not unseen
