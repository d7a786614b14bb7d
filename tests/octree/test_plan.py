import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import Octree, View, cover, intersect, plan, wish_list
from octree.strategies import pyramids, resident_sets, views


def same(one, other):
    assert one.intersection == other.intersection
    assert one.wishes == other.wishes
    assert one.cover.chunks == other.cover.chunks
    for name in ("rectangles", "texels", "relative_levels", "blank"):
        np.testing.assert_array_equal(getattr(one.cover, name), getattr(other.cover, name))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_same_input_gives_the_same_plan(data):
    octree = data.draw(pyramids())
    view = data.draw(views(octree))
    resident = data.draw(resident_sets(octree))
    first = plan(octree, view, resident)
    # Equal sets that were filled in another order iterate differently.
    shuffled = {}
    for level, keys in resident.items():
        order = sorted(keys)
        random.Random(1).shuffle(order)
        shuffled[level] = dict.fromkeys(order)
    again = Octree(octree.levels, octree.virtual_from)
    same(first, plan(again, View(view.corners, view.pixel_size, view.focus), shuffled))


def test_a_plan_is_its_parts():
    octree = Octree.from_shapes([(4096 >> k, 4096 >> k) for k in range(3)], 256)
    view = View.of_box((0.0, 0.0), (1000.0, 1000.0))
    whole = plan(octree, view, {}, max_tiles=9)
    found = intersect(octree, view, max_tiles=9)
    assert whole.intersection == found
    assert whole.intersection.level == 1
    assert whole.wishes == wish_list(octree, found)
    np.testing.assert_array_equal(whole.cover.blank, cover(octree, found, {}).blank)
