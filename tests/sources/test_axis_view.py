import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources import AxisView, as_level_source
from napari_octree.sources.derived.downsampled import read_region

PIXELS = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
INDICES = st.one_of(
    st.integers(0, 1), st.slices(4), st.just(Ellipsis), st.tuples(), st.tuples(st.slices(5))
)


@given(st.integers(-4, 3), st.integers(0, 1), st.data())
def test_slices_like_the_array_without_the_axis(axis, number, data):
    expected = PIXELS.take(number, axis)
    view = AxisView(PIXELS, axis, number)
    ellipsis_first = data.draw(st.booleans())
    parts = data.draw(st.lists(st.slices(3), max_size=3))
    index = (Ellipsis, *parts) if ellipsis_first else tuple(parts)
    assert view.shape == expected.shape
    assert (view.ndim, view.size, len(view)) == (3, expected.size, len(expected))
    np.testing.assert_array_equal(view[index], expected[index])
    np.testing.assert_array_equal(np.asarray(view), expected)


@pytest.mark.parametrize("index", [0, slice(1), Ellipsis, (0, 1), (Ellipsis, 0), (0, Ellipsis, 1)])
def test_takes_any_plain_index(index):
    np.testing.assert_array_equal(AxisView(PIXELS, 1, 2)[index], PIXELS[:, 2][index])


def test_views_of_views_share_the_storage():
    view = AxisView(AxisView(PIXELS, 1, 2), 2, -1)
    source = as_level_source(view)
    assert source.fixed == (None, 2, None, 4)
    assert source.storage.key == as_level_source(PIXELS).storage.key
    np.testing.assert_array_equal(np.asarray(view), PIXELS[:, 2, :, 4])
    np.testing.assert_array_equal(read_region(source, ((0, 2), (1, 3))), PIXELS[:, 2, 1:3, 4])


def test_says_what_it_is():
    assert repr(AxisView(PIXELS, -3, 1)) == "<AxisView (2, 4, 5) int64: index 1 of axis 1>"


@pytest.mark.parametrize(("axis", "index"), [(4, 0), (-5, 0), (0, 2), (0, -3)])
def test_refuses_what_is_not_there(axis, index):
    with pytest.raises(IndexError, match="has no"):
        AxisView(PIXELS, axis, index)
