"""A checkerboard whose squares say their level, row and column: for finding out what is shown.

Invariants: computed when read; a square of a level is a tile of it; its value tells even from odd
squares, and the text within is the brightest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.pyramids import halved_pyramid

FONT = {
    "0": "111101101101111", "1": "010110010010111", "2": "111001111100111",
    "3": "111001111001111", "4": "101101111001001", "5": "111100111001111",
    "6": "111100111101111", "7": "111001001001001", "8": "111101111101111",
    "9": "111101111001111", "L": "100100100100111", ",": "000000000010100",
    " ": "000000000000000",
}  # fmt: skip
"""Glyphs of 5 rows and 3 columns."""


def checkerboard(
    shape: Sequence[int] = (1 << 20, 1 << 20),
    levels: int | None = None,
    dtype: Any = np.uint8,
    tile: int = 256,
) -> list[GeneratedArray]:
    """Make the pyramid, finest level first.

    Parameters
    ----------
    shape : sequence of int
        Of the finest level; the last two axes are rows and columns, others repeat them.
    levels : int, optional
        Default: down to 512 pixels a side.
    dtype : data-type
        Values go from 0 to the type's largest, of floats to 1.
    tile : int
        Side of a square, in pixels of its level.
    """
    kind = np.dtype(dtype)
    rank = len(shape)
    if rank < 2:
        raise ValueError(f"a checkerboard needs two axes or more, not {rank}")
    top = 1.0 if kind.kind == "f" else 1 if kind.kind == "b" else float(np.iinfo(kind).max)

    def make_compute(factors: tuple[int, ...]) -> partial[np.ndarray]:
        return partial(_compute, factors[-1].bit_length() - 1, tile, kind, top)

    chunk = (1,) * (rank - 2) + (tile, tile)
    axes = (rank - 2, rank - 1)
    return halved_pyramid("checkerboard", shape, kind, chunk, axes, levels, make_compute)


def _compute(
    level: int, tile: int, kind: np.dtype, top: float, ranges: tuple[range, ...]
) -> np.ndarray:
    rows, columns = (np.asarray(axis) for axis in ranges[-2:])
    plane = ((rows[:, None] // tile + columns[None, :] // tile) % 2 * 0.25 + 0.25) * top
    for row in np.unique(rows // tile):
        for column in np.unique(columns // tile):
            text = _text(f"L{level} {row},{column}", tile)
            ys, xs = np.flatnonzero(rows // tile == row), np.flatnonzero(columns // tile == column)
            ink = text[np.ix_(rows[ys] % tile, columns[xs] % tile)]
            part = plane[np.ix_(ys, xs)]
            part[ink] = top
            plane[np.ix_(ys, xs)] = part
    shape = tuple(len(axis) for axis in ranges)
    return np.broadcast_to(_rounded(plane, kind), shape).copy()


def _rounded(plane: np.ndarray, kind: np.dtype) -> np.ndarray:
    if kind.kind == "b":
        return plane > 0.4
    if kind.kind == "f":
        return plane.astype(kind)
    limit = np.iinfo(kind).max
    return np.where(plane >= float(limit), limit, np.minimum(plane, limit // 2).astype(kind))


def _text(text: str, tile: int) -> npt.NDArray[np.bool_]:
    """The text in the upper left of a square, as large as fits in nine tenths of its width."""
    scale = max(tile * 9 // 10 // (4 * len(text)), 1)
    image = np.zeros((tile, tile), bool)
    for place, letter in enumerate(text):
        bits = np.array([bit == "1" for bit in FONT[letter]]).reshape(5, 3)
        glyph = bits.repeat(scale, 0).repeat(scale, 1)
        top, left = scale, scale + place * 4 * scale
        target = image[top : top + glyph.shape[0], left : left + glyph.shape[1]]
        target[:] = glyph[: target.shape[0], : target.shape[1]]
    return image
