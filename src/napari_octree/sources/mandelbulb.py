"""The Mandelbulb, 2^20 voxels a side (an exabyte), 15 levels: computed brick by brick.

Invariants: every level is computed for its own voxels' centres, from the same formula, so levels
agree; voxels depend on nothing but their place. Values grow with the escape time:
255 never escapes, else 1 + 60·log2(1 + ν), with the smooth iteration count ν.

Source of the formula: D. White and P. Nylander, "The Mandelbulb" (2009): the eighth power of
a point in spherical coordinates. Here both angles are turned by squaring complex numbers.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from napari_octree.sources.generated_array import GeneratedArray

SIDE_BITS = 20
LEVELS = 15

EXTENT = 2.5
"""Of the image, all three ways, around the origin."""

ESCAPE = 16.0
"""Distance from the origin beyond which a point has surely escaped."""
ITERATIONS = 6
"""Of the coarsest level. Each shows detail eight times as small: one more for three levels."""
VALUES_PER_OCTAVE = 60.0
BATCH = 1 << 14
"""Voxels iterated together: their state fits the processor's cache."""

Floats = npt.NDArray[np.float64]


def mandelbulb() -> list[GeneratedArray]:
    """Make the pyramid, finest level first: arrays of uint8 from 2^20 to 2^6 voxels a side."""
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


def max_iterations(level: int) -> int:
    """Iterations after which a voxel counts as inside."""
    return ITERATIONS + (LEVELS - 1 - level) // 3


def escape_values(z: Floats, y: Floats, x: Floats, iterations: int) -> npt.NDArray[np.uint8]:
    """Values of points in space (flat arrays of the same length)."""
    values = np.full(x.shape, 255, np.uint8)
    for start in range(0, len(x), BATCH):
        batch = slice(start, start + BATCH)
        smooth = _iterate(z[batch], y[batch], x[batch], iterations)
        escaped = smooth >= 0
        values[batch][escaped] = 1 + np.minimum(
            VALUES_PER_OCTAVE * np.log2(1 + smooth[escaped]), 250
        )
    return values


def _compute(level: int, voxels: tuple[range, ...]) -> npt.NDArray[np.uint8]:
    step = EXTENT / (1 << (SIDE_BITS - level))
    z, y, x = ((np.asarray(axis, np.float64) + 0.5) * step - EXTENT / 2 for axis in voxels)
    shape = (len(z), len(y), len(x))
    every_z = np.broadcast_to(z[:, None, None], shape).ravel()
    every_y = np.broadcast_to(y[None, :, None], shape).ravel()
    every_x = np.broadcast_to(x[None, None, :], shape).ravel()
    return escape_values(every_z, every_y, every_x, max_iterations(level)).reshape(shape)


def _iterate(c_z: Floats, c_y: Floats, c_x: Floats, iterations: int) -> Floats:
    """Smooth iteration count of each point; -1 where it does not escape in time."""
    result = np.full(c_x.shape, -1.0)
    points = np.arange(len(c_x))
    z, y, x = c_z, c_y, c_x
    for n in range(iterations):
        across = np.hypot(x, y)
        # On the axis the angle around it means nothing.
        around = (x + 1j * y) / np.where(across == 0, 1.0, across)
        above = z + 1j * across
        for _ in range(3):
            around, above = around * around, above * above
        x = above.imag * around.real + c_x
        y = above.imag * around.imag + c_y
        z = above.real + c_z
        distance = np.sqrt(x * x + y * y + z * z)
        escaped = distance > ESCAPE
        if escaped.any():
            late = np.log(np.log(distance[escaped]) / np.log(ESCAPE)) / np.log(8)
            result[points[escaped]] = np.maximum(n + 1 - late, 0)
            keep = ~escaped
            points = points[keep]
            if not len(points):
                break
            z, y, x = z[keep], y[keep], x[keep]
            c_z, c_y, c_x = c_z[keep], c_y[keep], c_x[keep]
    return result
