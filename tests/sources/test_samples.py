"""Generated images: sizes, levels and types are arguments; levels agree; pixels are local."""

from itertools import pairwise

import numpy as np
import pytest

from napari_octree import samples
from napari_octree.sources import as_level_sources

MAKERS = {
    "mandelbrot": lambda: samples.mandelbrot(2**12),
    "julia": lambda: samples.julia(2**12),
    "mandelbulb": lambda: samples.mandelbulb(2**8),
    "checkerboard": lambda: samples.checkerboard((3, 3000, 2000), tile=64),
    "series": lambda: samples.series(5, 2, 3, 2048),
    "labels": lambda: samples.labels(3000),
    "labels in 3-D": lambda: samples.labels(700, ndim=3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_levels_are_a_pyramid_of_local_pixels(name):
    levels = MAKERS[name]()
    as_level_sources(levels)
    for finer, coarser in pairwise(levels):
        assert all(a in (b, -(-b // 2)) for a, b in zip(coarser.shape, finer.shape, strict=True))
    level = levels[-2]
    box = tuple(slice(n // 3, n // 3 + 40) for n in level.shape)
    inner = tuple(slice(5, 25) if n > 40 else slice(None) for n in level.shape)
    there = tuple(
        slice(s.start + 5, s.start + 25) if n > 40 else s
        for s, n in zip(box, level.shape, strict=True)
    )
    np.testing.assert_array_equal(level[box][inner], level[there])


def test_sizes_levels_and_types_are_arguments():
    assert [a.shape[0] for a in samples.mandelbrot(2**14, levels=2)] == [2**14, 2**13]
    assert [a.shape[0] for a in samples.mandelbulb(2**7, levels=1)] == [2**7]
    assert samples.series(times=7, dtype="f4")[0].shape[0] == 7
    assert samples.series(dtype="u1")[0].dtype == np.uint8
    for dtype in ("u1", "i2", "u4", "f4", "f8", "?"):
        values = samples.checkerboard((100, 100), dtype=dtype, tile=32)[0][...]
        assert values.dtype == dtype
        assert len(np.unique(values)) >= 2
    assert len(samples.labels(2**10, levels=5)) == 5


@pytest.mark.parametrize(
    "make",
    [
        lambda: samples.mandelbrot(1000),
        lambda: samples.mandelbulb(2**8, levels=9),
        lambda: samples.labels(dtype="f4"),
        lambda: samples.labels(ndim=4),
        lambda: samples.checkerboard((5,)),
        lambda: samples.checkerboard((0, 5)),
        lambda: samples.series(levels=0),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_squares_say_their_level_row_and_column():
    fine, coarse = samples.checkerboard((600, 600), tile=256, levels=2)
    first, second = fine[:256, :256], fine[:256, 256:512]
    assert first.max() == second.max() == 255
    assert first.min() != second.min()
    assert not np.array_equal(first == 255, second == 255)
    assert not np.array_equal(coarse[:256, :256] == 255, first == 255)


def test_labels_are_one_a_cell_and_agree_between_levels():
    fine, half, *_ = samples.labels(1024, cell=32, levels=3)
    centres = fine[16::32, 16::32]
    assert np.unique(centres).size == 32 * 32
    assert (fine[::32, ::32] == 0).all()
    np.testing.assert_array_equal(half[...], fine[::2, ::2])
    assert samples.labels(2**20, dtype="u1")[0][2**19 : 2**19 + 99, :99].dtype == np.uint8


def test_a_series_moves_and_repeats():
    array = samples.series(side=1024)[0]
    first, later = array[0, 0, 8], array[20, 0, 8]
    assert not np.array_equal(first, later)
    np.testing.assert_array_equal(first, samples.series(side=1024)[0][0, 0, 8])
