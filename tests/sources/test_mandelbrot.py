import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources import as_level_sources
from napari_octree.sources.samples.mandelbrot import (
    escape_values,
    in_main_bodies,
    mandelbrot,
    max_iterations,
)


def slow_smooth_count(c, iterations):
    """ν by the book, or None: one point, complex numbers, a far escape radius."""
    z = c
    for n in range(1, iterations + 1):
        if abs(z) > 1e6:
            return max(n + 1 - math.log2(math.log2(abs(z))), 0)
        z = z * z + c
    return None


def pixel_centre(level, row, column):
    step = 3 / 2 ** (27 - level)
    return complex(-2.25 + (column + 0.5) * step, 1.5 - (row + 0.5) * step)


def test_the_pyramid():
    levels = mandelbrot()
    assert len(as_level_sources(levels)) == 18
    assert [level.shape for level in levels] == [(2**k, 2**k) for k in range(27, 9, -1)]
    assert {level.dtype for level in levels} == {np.dtype("uint16")}


@pytest.mark.parametrize(
    ("level", "centre"),
    [
        (17, -1.8 + 1.1j),  # the far outside
        (17, -0.75 + 0j),  # where the cardioid meets the disc
        (8, 0.25001 + 0j),  # orbits creep past the cusp
        (13, -0.743644 + 0.131826j),  # the valley of seahorses
        (3, -0.743643887 + 0.131825904j),
        (0, -1.7497591 + 0j),  # a small copy of the set
    ],
)
def test_tiles_hold_the_escape_times_of_their_pixels(level, centre):
    step = 3 / 2 ** (27 - level)
    row, column = int((1.5 - centre.imag) / step) - 12, int((centre.real + 2.25) / step) - 12
    tile = mandelbrot()[level][row : row + 24, column : column + 24]
    certain = 0
    for y in range(0, 24, 3):
        for x in range(0, 24, 3):
            smooth = slow_smooth_count(pixel_centre(level, row + y, column + x), 3000)
            if smooth is None:
                assert tile[y, x] == 0
                certain += 1
            elif smooth < max_iterations(level) - 10:
                assert abs(int(tile[y, x]) - (1 + 6000 * math.log2(1 + smooth))) <= 8
                certain += 1
    assert certain > 20


@given(st.floats(-2, 0.5), st.floats(-1.2, 1.2))
def test_the_main_bodies_never_escape(x, y):
    if in_main_bodies(np.array([x]), np.array([y]))[0]:
        assert slow_smooth_count(complex(x, y), 2000) is None


def test_points_that_a_cycle_catches_are_given_up_early():
    """Inside the bulb of period 3: without the search for cycles this would take for ever."""
    points = np.full(8, -0.1225), np.full(8, 0.7449)
    assert (escape_values(*points, iterations=10**12) == 0).all()


def test_values_do_not_depend_on_the_tile():
    level = mandelbrot()[12]
    whole = level[16000:16040, 12000:12040]
    np.testing.assert_array_equal(whole[7:9, 30:], level[16007:16009, 12030:12040])
    np.testing.assert_array_equal(whole[::3, ::-2], level[16000:16040:3, 12039:11999:-2])


def test_levels_agree():
    """A coarse pixel's value lies between those of the pixels below it, where it is smooth."""
    levels = mandelbrot()
    fine = levels[16][0:64, 0:64].astype(float)
    coarse = levels[17][0:32, 0:32].astype(float)
    np.testing.assert_allclose(fine.reshape(32, 2, 32, 2).mean((1, 3)), coarse, atol=3)


def test_the_largest_values_fit():
    assert 1 + 6000 * math.log2(1 + max_iterations(0) + 7) < 2**16
