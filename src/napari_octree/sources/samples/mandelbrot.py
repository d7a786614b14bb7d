"""The Mandelbrot set, 2^27 × 2^27 pixels, 18 levels: computed tile by tile while you look.

Invariants: every level is computed for its own pixels' centres, from the same formula, so levels
agree; pixels depend on nothing but their place. Values are monotone in the escape time:
0 never escapes, else 1 + 6000·log2(1 + ν), with the smooth iteration count ν.

Source of ν = n + 1 − log2(log2 |z|): L. Vepštas, "Renormalizing the Mandelbrot Escape" (1997).
It hardly changes with further iterations once |z| is large, so an escape may be noticed late.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.pyramids import part_of_pyramid

SIDE_BITS = 27
LEVELS = 18
TILE = 256

CENTRE = (-0.75, 0.0)
"""Of the image, real and imaginary."""
EXTENT = 3.0
"""Of the image, both ways."""

ESCAPE_SQUARED = 256.0
STRIDE = 5
"""Iterations between looks for escapes: from |z| = 16, five more stay far below overflow."""
STANDSTILL_SQUARED = 1e-22
"""An orbit that comes back so near to itself has been caught by a cycle: it never escapes."""
VALUES_PER_OCTAVE = 6000.0
BATCH = 1 << 14
"""Pixels iterated together: their state fits the processor's cache."""

Floats = npt.NDArray[np.float64]


def mandelbrot(side: int = 1 << SIDE_BITS, levels: int | None = None) -> list[GeneratedArray]:
    """Make the pyramid, finest level first: arrays of uint16.

    Parameters
    ----------
    side : int
        Pixels of the finest level, both ways: a power of two from 2^10 to 2^27.
    levels : int, optional
        Default: down to 2^10 pixels a side.

    Raises
    ------
    ValueError
        There is no such pyramid.
    """
    return part_of_pyramid(_whole(), side, levels)


def _whole() -> list[GeneratedArray]:
    return [
        GeneratedArray(
            name=f"Mandelbrot set/level {level}",
            shape=(1 << (SIDE_BITS - level),) * 2,
            dtype=np.dtype(np.uint16),
            chunks=(TILE, TILE),
            compute=partial(_compute, level),
        )
        for level in range(LEVELS)
    ]


def max_iterations(level: int) -> int:
    """Iterations after which a pixel counts as inside: the finer, the more are worth it."""
    return 200 + 40 * (LEVELS - 1 - level)


def escape_values(real: Floats, imaginary: Floats, iterations: int) -> npt.NDArray[np.uint16]:
    """Values of the points of a plane (flat arrays of the same length)."""
    values = np.zeros(real.shape, np.uint16)
    open_points = np.flatnonzero(~in_main_bodies(real, imaginary))
    for start in range(0, len(open_points), BATCH):
        points = open_points[start : start + BATCH]
        smooth = _iterate(real[points], imaginary[points], iterations)
        escaped = smooth >= 0
        values[points[escaped]] = 1 + VALUES_PER_OCTAVE * np.log2(1 + smooth[escaped])
    return values


def in_main_bodies(real: Floats, imaginary: Floats) -> npt.NDArray[np.bool_]:
    """Whether points lie in the main cardioid or the disc left of it, both inside the set."""
    y2 = imaginary * imaginary
    x = real - 0.25
    q = x * x + y2
    return (q * (q + x) <= 0.25 * y2) | ((real + 1) ** 2 + y2 <= 0.0625)


def _compute(level: int, pixels: tuple[range, ...]) -> npt.NDArray[np.uint16]:
    step = EXTENT / (1 << (SIDE_BITS - level))
    rows, columns = (np.asarray(axis, np.float64) + 0.5 for axis in pixels)
    imaginary = CENTRE[1] + EXTENT / 2 - rows * step
    real = CENTRE[0] - EXTENT / 2 + columns * step
    shape = (len(rows), len(columns))
    flat = (np.broadcast_to(real, shape).ravel(), np.repeat(imaginary, len(columns)))
    return escape_values(*flat, max_iterations(level)).reshape(shape)


def _iterate(c_real: Floats, c_imaginary: Floats, iterations: int) -> Floats:
    """Smooth iteration count of each point; -1 where it does not escape in time."""
    result = np.full(c_real.shape, -1.0)
    points = np.arange(len(c_real))
    x, y = c_real.copy(), c_imaginary.copy()
    saved_x, saved_y = x.copy(), y.copy()
    next_save = 2
    for look in range(1, -(-iterations // STRIDE) + 1):
        for _ in range(STRIDE):
            xy = x * y
            x *= x
            y *= y
            x -= y
            x += c_real
            np.add(xy, xy, out=y)
            y += c_imaginary
        square = x * x + y * y
        escaped = square > ESCAPE_SQUARED
        moved_x, moved_y = x - saved_x, y - saved_y
        done = escaped | (moved_x * moved_x + moved_y * moved_y < STANDSTILL_SQUARED)
        if done.any():
            counted = STRIDE * look + 2 - np.log2(0.5 * np.log2(square[escaped]))
            result[points[escaped]] = np.maximum(counted, 0)
            keep = ~done
            points = points[keep]
            if not len(points):
                break
            x, y, saved_x, saved_y = x[keep], y[keep], saved_x[keep], saved_y[keep]
            c_real, c_imaginary = c_real[keep], c_imaginary[keep]
        if look == next_save:  # Brent's cycle search: compare over ever longer stretches
            saved_x, saved_y = x.copy(), y.copy()
            next_save *= 2
    return result
