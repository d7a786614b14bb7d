"""A time series of drifting spots, in channels and planes: computed while you look.

Invariants: computed when read; a pixel depends on its place, its time and the seed only. Levels
are means of what they cover, nearly: spots are as wide and less bright.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.pyramids import halved_pyramid

CELL = 512
"""Each spot lives in a square of this side, in pixels of the finest level."""


def series(
    times: int = 100,
    channels: int = 2,
    planes: int = 20,
    side: int = 1 << 15,
    levels: int | None = None,
    dtype: Any = np.uint16,
    seed: int = 0,
) -> list[GeneratedArray]:
    """Make the pyramid, finest level first: axes time, channel, z, y, x.

    Parameters
    ----------
    times, channels, planes : int
    side : int
        Pixels of the finest level along y and x.
    levels : int, optional
        Default: down to 512 pixels a side.
    dtype : data-type
        Values go up to half of the type's largest, of floats to 1.
    seed : int
    """
    kind = np.dtype(dtype)
    top = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max // 2)

    def make_compute(factors: tuple[int, ...]) -> partial[np.ndarray]:
        return partial(_compute, factors[-1], planes, kind, top, seed)

    shape = (times, channels, planes, side, side)
    return halved_pyramid(
        "time series", shape, kind, (1, 1, 1, 256, 256), (3, 4), levels, make_compute
    )


def _compute(
    step: int, planes: int, kind: np.dtype, top: float, seed: int, ranges: tuple[range, ...]
) -> np.ndarray:
    times, channels, depths, rows, columns = (np.asarray(axis) for axis in ranges)
    y, x = ((axis + 0.5) * step for axis in (rows, columns))
    out = np.empty([len(axis) for axis in ranges], kind)
    for t, time in enumerate(times):
        for c, channel in enumerate(channels):
            rates = [_random(seed + 17 * k + 101 * int(channel), y, x) for k in range(4)]
            angle = 2 * np.pi * (rates[0] + time / 40 * (0.5 + rates[1]))
            centre_y = CELL / 2 + CELL / 5 * np.sin(angle)
            centre_x = CELL / 2 + CELL / 5 * np.cos(angle)
            from_y = y[:, None] % CELL - centre_y
            from_x = x[None, :] % CELL - centre_x
            width = np.maximum(20 + 50 * rates[2], step)
            spot = np.exp(-(from_y**2 + from_x**2) / (2 * width**2))
            for z, depth in enumerate(depths):
                middle = planes * (0.3 + 0.4 * rates[3])
                focus = np.exp(-(((depth - middle) / max(planes / 4, 1)) ** 2))
                out[t, c, z] = (0.02 + 0.95 * spot * focus) * top
    return out


def _random(seed: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A number from 0 to 1 for the square of each pixel, always the same."""
    rows = (y // CELL).astype(np.uint64)[:, None]
    columns = (x // CELL).astype(np.uint64)[None, :]
    with np.errstate(over="ignore"):
        mixed = rows * np.uint64(0x9E3779B97F4A7C15) + columns * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed = (mixed + np.uint64(seed)) * np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(40)) / float(1 << 24)
