import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from napari_octree.sources import as_level_source
from napari_octree.sources.arrays.generated_array import GeneratedArray

PIXELS = np.arange(4 * 5 * 6).reshape(4, 5, 6)


def compute(pixels):
    return PIXELS[np.ix_(*pixels)]


ARRAY = GeneratedArray("numbers", (4, 5, 6), PIXELS.dtype, (1, 5, 3), compute)


@given(hnp.basic_indices((4, 5, 6), allow_newaxis=False))
def test_slices_like_numpy(index):
    np.testing.assert_array_equal(ARRAY[index], PIXELS[index])


@pytest.mark.parametrize("index", [(0, 0, 0, 0), (..., ...), 4, (0, -6)])
def test_refuses_what_numpy_refuses(index):
    with pytest.raises(IndexError):
        ARRAY[index]


def test_is_an_array_cut_into_chunks():
    assert (ARRAY.ndim, ARRAY.size, len(ARRAY)) == (3, 120, 4)
    assert repr(ARRAY) == "<numbers, 4 × 5 × 6, int64>"
    np.testing.assert_array_equal(np.asarray(ARRAY), PIXELS)
    source = as_level_source(ARRAY)
    assert source.storage.source_name == "GeneratedArray numbers"
    assert source.storage.grid((9, 9, 9)).region((3, 0, 1)) == ((3, 4), (0, 5), (3, 6))


def test_computes_only_what_is_asked_for():
    asked = []

    def record(pixels):
        asked.append(pixels)
        return np.zeros([len(axis) for axis in pixels])

    GeneratedArray("huge", (2**40, 2**40), np.dtype(float), (256, 256), record)[2**39, 7:9]
    assert asked == [(range(2**39, 2**39 + 1), range(7, 9))]
