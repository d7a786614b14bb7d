"""What a frame asks the octree depends on nothing but its input."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import Octree, View, cover, intersect, wish_list
from octree.strategies import pyramids, resident_sets, views


def asked(octree, view, resident):
    found = intersect(octree, view)
    return found, wish_list(octree, found), cover(octree, found, resident)


def same(one, other):
    assert one[:2] == other[:2]
    assert one[2].chunks == other[2].chunks
    for name in ("rectangles", "texels", "relative_levels", "blank"):
        np.testing.assert_array_equal(getattr(one[2], name), getattr(other[2], name))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_same_input_gives_the_same_answers(data):
    octree = data.draw(pyramids())
    view = data.draw(views(octree))
    resident = data.draw(resident_sets(octree))
    first = asked(octree, view, resident)
    # Equal sets that were filled in another order iterate differently.
    shuffled = {}
    for level, keys in resident.items():
        order = sorted(keys)
        random.Random(1).shuffle(order)
        shuffled[level] = dict.fromkeys(order)
    again = Octree(octree.levels, octree.virtual_from)
    same(first, asked(again, View(view.corners, view.pixel_size, view.focus), shuffled))
