"""A Julia set, 2^27 × 2^27 pixels: computed tile by tile while you look.

Invariants: as of the Mandelbrot set: each level is computed for its own pixels' centres; values
are 0 where an orbit never escapes, else 1 + 6000·log2(1 + ν) with the smooth iteration count ν.
Source: as of the Mandelbrot set.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.pyramids import halved_pyramid

EXTENT = 3.2
"""Of the image, both ways, around the origin."""
ESCAPE_SQUARED = 256.0
VALUES_PER_OCTAVE = 6000.0
BATCH = 1 << 14
TILE = 256


def julia(
    side: int = 1 << 27, levels: int | None = None, c: complex = -0.7269 + 0.1889j
) -> list[GeneratedArray]:
    """Make the pyramid, finest level first: arrays of uint16.

    Parameters
    ----------
    side : int
        Pixels of the finest level, both ways.
    levels : int, optional
        Default: down to 512 pixels a side.
    c : complex
        Which Julia set: of z² + c.
    """

    def make_compute(factors: tuple[int, ...]) -> partial[npt.NDArray[np.uint16]]:
        step = EXTENT / side * factors[0]
        return partial(_compute, step, complex(c), _iterations(step))

    return halved_pyramid(
        "Julia set", (side, side), np.dtype(np.uint16), (TILE, TILE), (0, 1), levels, make_compute
    )


def _iterations(step: float) -> int:
    """How often an orbit is followed: finer pixels show what escapes later."""
    return 150 + max(int(-30 * np.log2(step * 300)), 0)


def _compute(
    step: float, c: complex, iterations: int, pixels: tuple[range, ...]
) -> npt.NDArray[np.uint16]:
    rows, columns = (np.asarray(axis, np.float64) + 0.5 for axis in pixels)
    imaginary = EXTENT / 2 - rows * step
    real = columns * step - EXTENT / 2
    points = (real[None, :] + 1j * imaginary[:, None]).ravel()
    values = np.zeros(points.shape, np.uint16)
    for start in range(0, len(points), BATCH):
        values[start : start + BATCH] = _escape(points[start : start + BATCH], c, iterations)
    return values.reshape(len(rows), len(columns))


def _escape(points: np.ndarray, c: complex, iterations: int) -> npt.NDArray[np.uint16]:
    values = np.zeros(len(points), np.uint16)
    index, z = np.arange(len(points)), points.copy()
    for number in range(1, iterations + 1):
        z *= z
        z += c
        square = z.real * z.real + z.imag * z.imag
        escaped = square > ESCAPE_SQUARED
        if escaped.any():
            smooth = np.maximum(number + 1 - np.log2(0.5 * np.log2(square[escaped])), 0)
            values[index[escaped]] = 1 + VALUES_PER_OCTAVE * np.log2(1 + smooth)
            index, z = index[~escaped], z[~escaped]
            if not len(index):
                break
    return values
