"""The Mandelbulb against its textbook formula, and its levels against each other."""

from __future__ import annotations

import math

import numpy as np

from napari_octree.sources.mandelbulb import (
    ESCAPE,
    EXTENT,
    LEVELS,
    escape_values,
    mandelbulb,
    max_iterations,
)


def textbook(z: float, y: float, x: float, iterations: int) -> int:
    """White's and Nylander's formula with angles, one point at a time."""
    cz, cy, cx = z, y, x
    for n in range(iterations):
        r = math.sqrt(x * x + y * y + z * z)
        theta, phi = math.atan2(math.hypot(x, y), z), math.atan2(y, x)
        power = r**8
        x = power * math.sin(8 * theta) * math.cos(8 * phi) + cx
        y = power * math.sin(8 * theta) * math.sin(8 * phi) + cy
        z = power * math.cos(8 * theta) + cz
        r = math.sqrt(x * x + y * y + z * z)
        if r > ESCAPE:
            nu = max(n + 1 - math.log(math.log(r) / math.log(ESCAPE)) / math.log(8), 0)
            return int(1 + min(60 * math.log2(1 + nu), 250))
    return 255


def test_equal_to_the_textbook_formula() -> None:
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (400, 3))
    expected = [textbook(*point, 8) for point in points]
    found = escape_values(*points.T.copy(), 8).astype(int)
    # Chaos: next to the surface rounding decides.
    assert np.mean(np.abs(found - expected) <= 1) > 0.99
    assert 0.1 < np.mean(found == 255) < 0.9


def test_an_exabyte_in_15_levels() -> None:
    levels = mandelbulb()
    assert [level.shape[0] for level in levels] == [2**20 >> k for k in range(LEVELS)]
    assert math.prod(levels[0].shape) == 2**60


def test_levels_agree() -> None:
    coarse, fine = mandelbulb()[-1], mandelbulb()[-2]
    mean = fine[:].reshape(64, 2, 64, 2, 64, 2).mean(axis=(1, 3, 5))
    difference = np.abs(coarse[:] - mean)
    assert np.median(difference) <= 1
    assert (difference < 40).mean() > 0.9


def test_any_place_can_be_asked_for() -> None:
    finest = mandelbulb()[0]
    place = (2**19, 2**19 + 5, 2**18)
    box = finest[place[0] : place[0] + 4, place[1] : place[1] + 3, place[2] : place[2] + 2]
    step = EXTENT / 2**20
    for index in np.ndindex(box.shape):
        point = [(p + i + 0.5) * step - EXTENT / 2 for p, i in zip(place, index, strict=True)]
        assert abs(int(box[index]) - textbook(*point, max_iterations(0))) <= 1


def test_the_axis_is_defined() -> None:
    values = escape_values(np.array([0.3, 1.3]), np.zeros(2), np.zeros(2), 8)
    assert values[0] == 255
    assert 0 < values[1] < 255
