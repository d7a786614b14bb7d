import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import LevelTransform, infer_level_transforms


def factors(shapes, **metadata):
    return [t.factor for t in infer_level_transforms(shapes, **metadata)]


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(st.integers(300, 10**12), st.integers(300, 10**12)),
    st.sampled_from([2, 3, 4, 5]),
    st.lists(st.sampled_from([math.floor, math.ceil]), min_size=1, max_size=3),
)
def test_integer_factors_are_recovered_whatever_the_rounding(shape, factor, roundings):
    shapes = [shape]
    for rounding in roundings:
        # floor and ceil of exact fractions: floats would round above 2^53
        up = rounding is math.ceil
        shapes.append(tuple((n + (factor - 1) * up) // factor for n in shapes[-1]))
    # Large enough that only one integer gives these sizes.
    if min(shapes[-1]) > factor * (factor + 1):
        expected = [(float(factor**k),) * 2 for k in range(len(shapes))]
        assert factors(shapes) == expected


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(7, 7), (3, 3), (1, 1)], [(1, 1), (2, 2), (4, 4)]),  # floor, odd
        ([(7, 7), (4, 4), (2, 2)], [(1, 1), (2, 2), (4, 4)]),  # ceil, odd
        ([(17, 512, 512), (17, 256, 256)], [(1, 1, 1), (1, 2, 2)]),  # 1×2×2
        ([(5, 1000), (2, 500)], [(1, 1), (2, 2)]),  # 5 → 2 fits 2 and 3: as the long axis
        ([(9, 900), (3, 300), (1, 100)], [(1, 1), (3, 3), (9, 9)]),
        ([(3, 4096), (1, 1024)], [(1, 1), (4, 4)]),  # a thin axis that bottoms out
        ([(1, 64), (1, 32)], [(1, 1), (1, 2)]),  # a 1-pixel axis stays
        ([(1024, 1024), (128, 128), (8, 8)], [(1, 1), (8, 8), (128, 128)]),
        ([(100, 100), (67, 67)], [(1, 1), (100 / 67, 100 / 67)]),  # no integer fits
        ([(8, 8), (8, 4), (4, 2)], [(1, 1), (1, 2), (2, 4)]),
        ([(50, 60)], [(1, 1)]),
    ],
)
def test_factors_from_shapes(shapes, expected):
    assert factors(shapes) == expected


def test_areas_are_aligned_unless_metadata_say_otherwise():
    assert all(t.translation == (0, 0) for t in infer_level_transforms([(8, 8), (4, 4)]))


def test_scales_are_ratios_and_rounding_is_forgiven():
    scales = [(0.65, 0.13), (1.3, 0.26 + 1e-9), (1.3, 0.39)]
    assert factors([(9, 9), (9, 9), (9, 3)], scales=scales) == [(1, 1), (2, 2), (2, 3)]


def test_translations_that_align_areas_mean_no_shift():
    # Centre of a pixel of two: half a pixel further than that of the first.
    transforms = infer_level_transforms(
        [(8, 8), (4, 4)],
        scales=[(0.5, 0.5), (1.0, 1.0)],
        translations=[(10.0, 20.0), (10.25, 20.25)],
    )
    assert transforms[1] == LevelTransform((2, 2), (0, 0))


def test_own_translations_are_respected():
    # Level 1 keeps every second pixel: its centres lie on those of level 0.
    transforms = infer_level_transforms(
        [(8, 8), (4, 4)],
        scales=[(1.0, 1.0), (2.0, 2.0)],
        translations=[(0.0, 0.0), (0.0, 5.0)],
    )
    assert transforms[1].translation == (-0.5, 4.5)
    centre = transforms[1].to_octree((0.5, 0.5))
    assert centre == (0.5, 5.5)
    assert transforms[1].from_octree(centre) == (0.5, 0.5)


def test_copied_translations_are_not_believed():
    transforms = infer_level_transforms(
        [(8, 8), (4, 4)],
        scales=[(1.0, 1.0), (2.0, 2.0)],
        translations=[(3.0, 3.0), (3.0, 3.0)],
    )
    assert transforms[1].translation == (0, 0)


def test_selecting_axes():
    transform = LevelTransform((1, 2, 3), (0, 4, 5))
    assert transform.select((2, 0)) == LevelTransform((3, 1), (5, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "at least one level"),
        (([(4, 4), (2,)],), "axes"),
        (([(4, 0)],), "empty"),
        (([(4, 4), (8, 8)],), "from fine to coarse"),
        (([(4, 4)], [(0.0, 1.0)]), "positive"),
        (([(4, 4)], [(float("nan"), 1.0)]), "finite"),
        (([(4, 4)], [(1.0,)]), "one number per axis"),
        (([(4, 4)], None, [(1.0, 1.0), (2.0, 2.0)]), "one number per axis"),
    ],
)
def test_what_cannot_be_a_pyramid_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        infer_level_transforms(*arguments)
