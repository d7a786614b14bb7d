"""The Mandelbulb against its textbook formula, and its levels against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_octree.sources.samples.mandelbulb import (
    COARSE_LEVEL,
    DARKEST,
    ESCAPE,
    EXTENT,
    LEVELS,
    REACH,
    bulb_values,
    mandelbulb,
    max_iterations,
    voxel_size,
)


def textbook(z: float, y: float, x: float, reach: float, iterations: int) -> float:
    """White's and Nylander's formula with angles and Quilez' distance, one point at a time."""
    cz, cy, cx = z, y, x
    growth, least, distance = 1.0, ESCAPE, 0.0
    for _ in range(iterations):
        r = math.sqrt(x * x + y * y + z * z)
        theta, phi = math.atan2(math.hypot(x, y), z), math.atan2(y, x)
        growth = 8 * r**7 * growth + 1
        power = r**8
        x = power * math.sin(8 * theta) * math.cos(8 * phi) + cx
        y = power * math.sin(8 * theta) * math.sin(8 * phi) + cy
        z = power * math.cos(8 * theta) + cz
        r = math.sqrt(x * x + y * y + z * z)
        least = min(least, r)
        if r > ESCAPE:
            distance = 0.5 * math.log(r) * r / growth
            break
    light = DARKEST + (1 - DARKEST) * min(least, 1)
    return 255 * light * min(max(1 - distance / reach, 0), 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_to_the_textbook_formula(dtype: type) -> None:
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (400, 3)).astype(dtype)
    expected = [textbook(*map(float, point), 0.3, 8) for point in points]
    found = bulb_values(*points.T.copy(), 0.3, 8).astype(float)
    # Chaos: next to the surface rounding decides.
    assert np.mean(np.abs(found - expected) <= 1.1) > 0.98
    assert 0.1 < np.mean(found == 0) < 0.9
    assert found.max() > 200


def test_an_exabyte_in_15_levels() -> None:
    levels = mandelbulb()
    assert [level.shape[0] for level in levels] == [2**20 >> k for k in range(LEVELS)]
    assert math.prod(levels[0].shape) == 2**60


def test_finer_surfaces_lie_within_coarser_ones() -> None:
    coarse, fine = (level[:] > 130 for level in mandelbulb()[:-3:-1])
    around = fine.reshape(64, 2, 64, 2, 64, 2)
    assert coarse[around.all(axis=(1, 3, 5))].mean() > 0.995
    assert fine.mean() < coarse.mean()
    assert fine.mean() > 0.05


def test_values_fall_with_the_distance() -> None:
    points = np.random.default_rng(1).uniform(-1.2, 1.2, (3, 2000))
    near, far = (bulb_values(*points, reach, 8).astype(float) for reach in (0.2, 0.4))
    whole = bulb_values(*points, 1e9, 8).astype(float)
    seen = near > 0
    assert 0.1 < seen.mean() < 0.9
    # Light less distance over reach: half as much is missing where the reach is twice as long.
    assert np.abs(whole - near - 2 * (whole - far))[seen].max() <= 4


@pytest.mark.parametrize("level", [0, COARSE_LEVEL])
def test_any_place_can_be_asked_for(level: int) -> None:
    array, step = mandelbulb()[level], voxel_size(level)
    middle = array.shape[0] // 2
    place = (middle, middle + 5, middle // 2)
    box = array[place[0] : place[0] + 4, place[1] : place[1] + 3, place[2] : place[2] + 2]
    for index in np.ndindex(box.shape):
        point = [(p + i + 0.5) * step - EXTENT / 2 for p, i in zip(place, index, strict=True)]
        expected = textbook(*point, REACH * step, max_iterations(level))
        assert abs(int(box[index]) - expected) <= 2


def test_the_axis_is_defined() -> None:
    values = bulb_values(np.array([0.0, 0.3, 1.3]), np.zeros(3), np.zeros(3), 0.01, 8)
    assert values[0] > 0
    assert values[1] > 0
    assert values[2] == 0
