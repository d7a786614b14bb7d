"""The Mandelbulb, 2^20 voxels a side (an exabyte), 15 levels: computed brick by brick.

Invariants: every level is computed for its own voxels' centres, from the same formula; voxels
depend on nothing but their place. A value falls from the set outwards, to 0 within `REACH` voxels
of its level: so each level has a surface that is smooth at its own scale, a hair's breadth
around that of the next finer one. How high it is tells how far into a crevice a place lies.

Sources: D. White and P. Nylander, "The Mandelbulb" (2009), for the formula, the eighth power of a
point in spherical coordinates; I. Quilez, "Mandelbulb" (2009), for the distance to the set,
r log r / 2r', and for light and shade by the orbit's least distance from the origin.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.pyramids import part_of_pyramid

SIDE_BITS = 20
LEVELS = 15

EXTENT = 2.5
"""Of the image, all three ways, around the origin."""

ESCAPE = 8.0
"""Distance from the origin beyond which a point has surely escaped."""
OUTSIDE = 1.25
"""All points further away than this escape."""
REACH = 4.0
"""Voxels from the set at which values are 0."""
DARKEST = 0.35
"""Of a crevice, as a share of the highest value."""
ITERATIONS = 6
"""Of the coarsest level. Each shows detail eight times as small: one more for two levels."""
COARSE_LEVEL = 6
"""From here on float32 tells places apart by far less than a voxel."""
BATCH = 1 << 14
"""Voxels iterated together: their state fits the processor's cache."""

Floats = npt.NDArray[np.floating]


def mandelbulb(side: int = 1 << SIDE_BITS, levels: int | None = None) -> list[GeneratedArray]:
    """Make the pyramid, finest level first: arrays of uint8.

    Parameters
    ----------
    side : int
        Voxels of the finest level, all three ways: a power of two from 2^6 to 2^20.
    levels : int, optional
        Default: down to 2^6 voxels a side.

    Raises
    ------
    ValueError
        There is no such pyramid.
    """
    return part_of_pyramid(_whole(), side, levels)


def _whole() -> list[GeneratedArray]:
    return [
        GeneratedArray(
            name=f"Mandelbulb/level {level}",
            shape=(1 << (SIDE_BITS - level),) * 3,
            dtype=np.dtype(np.uint8),
            chunks=(),  # bricks for 3-D, tiles for slices: as whoever looks at it likes
            compute=partial(_compute, level),
        )
        for level in range(LEVELS)
    ]


def voxel_size(level: int) -> float:
    """Side of a voxel, where the set has a radius of about 1.2."""
    return EXTENT / (1 << (SIDE_BITS - level))


def max_iterations(level: int) -> int:
    """Iterations after which a voxel counts as inside."""
    return ITERATIONS + (LEVELS - 1 - level) // 2


def bulb_values(
    z: Floats, y: Floats, x: Floats, reach: float, iterations: int
) -> npt.NDArray[np.uint8]:
    """Values of points in space.

    Parameters
    ----------
    z, y, x : (N,) float32 or float64
    reach : float
        Distance from the set at which values are 0.
    iterations : int
    """
    values = np.zeros(x.shape, np.uint8)
    near = np.flatnonzero(x * x + y * y + z * z < (OUTSIDE + reach) ** 2)
    for start in range(0, len(near), BATCH):
        points = near[start : start + BATCH]
        distance, least = _iterate(z[points], y[points], x[points], iterations)
        light = DARKEST + (1 - DARKEST) * np.minimum(least, 1)
        values[points] = 255 * light * np.clip(1 - distance / reach, 0, 1)
    return values


def _compute(level: int, voxels: tuple[range, ...]) -> npt.NDArray[np.uint8]:
    step, dtype = voxel_size(level), np.float32 if level >= COARSE_LEVEL else np.float64
    axes = [(np.asarray(axis, np.float64) + 0.5) * step - EXTENT / 2 for axis in voxels]
    shape = tuple(map(len, axes))
    z, y, x = (
        np.broadcast_to(axis.astype(dtype).reshape([-1 if n == a else 1 for n in range(3)]), shape)
        for a, axis in enumerate(axes)
    )
    values = bulb_values(z.ravel(), y.ravel(), x.ravel(), REACH * step, max_iterations(level))
    return values.reshape(shape)


def _iterate(c_z: Floats, c_y: Floats, c_x: Floats, iterations: int) -> tuple[Floats, Floats]:
    """Distance of each point from the set, and its orbit's least distance from the origin."""
    distance, least = np.zeros_like(c_x), np.empty_like(c_x)
    points = np.arange(len(c_x))
    z, y, x = c_z, c_y, c_x
    growth, nearest = np.ones_like(x), np.full_like(x, ESCAPE)
    for _ in range(iterations):
        square = x * x + y * y
        across = np.sqrt(square)
        square += z * z
        radius = np.sqrt(square)
        # Cosine and sine of both angles. On the axis the one around it means nothing.
        flat, far = np.maximum(across, 1e-15), np.maximum(radius, 1e-15)
        around = _eightfold(x / flat, y / flat)
        above = _eightfold(z / far, across / far)
        power = square * square
        growth *= power * square * radius
        growth *= 8
        growth += 1
        power *= power
        z = power * above[0] + c_z
        power *= above[1]
        x = power * around[0] + c_x
        y = power * around[1] + c_y
        radius = np.sqrt(x * x + y * y + z * z)
        np.minimum(nearest, radius, out=nearest)
        escaped = radius > ESCAPE
        if escaped.any():
            gone = points[escaped]
            r = radius[escaped]
            distance[gone] = 0.5 * np.log(r) * r / growth[escaped]
            least[gone] = nearest[escaped]
            keep = ~escaped
            points, nearest, growth = points[keep], nearest[keep], growth[keep]
            if not len(points):
                break
            z, y, x = z[keep], y[keep], x[keep]
            c_z, c_y, c_x = c_z[keep], c_y[keep], c_x[keep]
    least[points] = nearest
    return distance, least


def _eightfold(cosine: Floats, sine: Floats) -> tuple[Floats, Floats]:
    """Cosine and sine of eight times an angle."""
    for _ in range(3):
        doubled = cosine * sine
        doubled += doubled
        sine = sine * sine
        sine *= -2
        sine += 1
        cosine, sine = sine, doubled
    return cosine, sine
