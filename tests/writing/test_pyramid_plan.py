"""Levels of a pyramid: shapes, factors, chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.writing.errors import WritingError
from napari_octree.writing.pyramid_plan import plan_pyramid

SIDE = st.integers(1, 9000)


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 300), SIDE, SIDE),
    scale=st.tuples(*[st.floats(0.1, 10)] * 4),
    measured=st.booleans(),
)
def test_levels_cover_the_image_and_end_small(shape, scale, measured):
    plan = plan_pyramid(shape, "czyx", scale, measured=measured)
    for finer, coarser in zip(plan.levels, plan.levels[1:], strict=False):
        assert coarser.shape == tuple(
            -(-n // f) for n, f in zip(finer.shape, coarser.factors, strict=True)
        )
        assert coarser.factors[0] == 1
        assert max(coarser.factors) == 2
        if not measured:
            assert coarser.factors[1] == 1
    assert max(plan.levels[-1].shape[2:]) <= 512
    assert all(s % c == 0 for s, c in zip(plan.shard, plan.chunk, strict=True))


def test_coarse_axes_wait_until_pixels_are_isotropic():
    plan = plan_pyramid((100, 4096, 4096), "zyx", (4.0, 1.0, 1.0), measured=True)
    assert [level.factors for level in plan.levels[1:]] == [(1, 2, 2), (1, 2, 2), (2, 2, 2)]
    assert plan.chunk == (64, 64, 64)


def test_given_factors_are_taken():
    plan = plan_pyramid((10, 90, 90), "zyx", (1, 1, 1), factors=[(1, 3, 3), (2, 2, 2)], shard=96,
                        chunk=16)  # fmt: skip
    assert [level.shape for level in plan.levels] == [(10, 90, 90), (10, 30, 30), (5, 15, 15)]
    assert plan.levels[2].total == (2, 6, 6)


@pytest.mark.parametrize(
    "options",
    [
        {"factors": [(2, 2)]},
        {"factors": [(1, 1, 1)]},
        {"factors": [(0, 2, 2)]},
        {"chunk": 100, "shard": 150},
        {"factors": [(1, 3, 3)]},  # shards are not a multiple of three
    ],
)
def test_what_does_not_fit_is_refused(options):
    with pytest.raises(WritingError):
        plan_pyramid((10, 900, 900), "zyx", (1, 1, 1), **options)
