"""Boxes of pixels to one pixel each: pure functions over arrays.

Invariants: every pixel is made of exactly the pixels it covers, also where the factor does not
divide the array; NaN is left out of means, and a pixel is NaN only if all that it covers are; what
is needed besides block and result is a few pieces of `PIECE_PIXELS`, however large the block is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod
from typing import Literal

import numpy as np

from napari_octree.sources.derived.mode import reduce_mode

Reduction = Literal["mean", "nearest", "mode"]

PIECE_PIXELS = 2**18
"""Averaged at a time: their sums stay in the processor's cache."""


def reduced(
    block: np.ndarray, factors: tuple[int, ...], reduction: Reduction, upper: bool = False
) -> np.ndarray:
    """Make one pixel of each box of `factors` pixels; boxes at the end may be smaller."""
    if reduction == "nearest":
        return reduce_nearest(block, factors, upper)
    if reduction == "mode":
        return reduce_mode(block, factors)
    return reduce_mean(block, factors)


def reduce_mean(block: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Average boxes of pixels without NaN; boxes at the end may be smaller.

    Integers are rounded to the nearest (half to even); 64-bit ones only as exactly as
    float64 holds them.
    """
    result = np.empty([-(-n // f) for n, f in zip(block.shape, factors, strict=True)], block.dtype)
    for box in _pieces(block.shape, factors):
        piece = block[tuple(slice(start, stop) for start, stop in box)]
        place = [slice(a // f, -(-b // f)) for (a, b), f in zip(box, factors, strict=True)]
        mean = _mean(piece, factors)
        if block.dtype.kind == "b":
            mean = mean > 0.5
        elif block.dtype.kind in "iu":
            np.rint(mean, out=mean)
            if block.dtype.itemsize == 8:  # float64 cannot hold the largest value: stay below it
                limits = np.iinfo(block.dtype)
                mean = mean.clip(limits.min, np.nextafter(float(limits.max), 0))
        result[tuple(place)] = mean
    return result


def reduce_nearest(block: np.ndarray, factors: tuple[int, ...], upper: bool = False) -> np.ndarray:
    """Take one pixel of each box: the one at its centre, the lower (or upper) of two."""
    for axis, f in enumerate(factors):
        size = block.shape[axis]
        centre = f // 2 if upper else (f - 1) // 2
        if (size - 1) % f >= centre:  # the last box has its centre too: a view, nothing is read
            block = block[(slice(None),) * axis + (slice(centre, None, f),)]
        else:
            block = block.take(np.minimum(np.arange(0, size, f) + centre, size - 1), axis)
    return np.ascontiguousarray(block)


def _pieces(
    shape: tuple[int, ...], factors: tuple[int, ...]
) -> Iterator[tuple[tuple[int, int], ...]]:
    """Cut an array between boxes, into pieces of about `PIECE_PIXELS`."""
    steps = list(shape)
    pixels = prod(shape)
    for axis, (n, f) in enumerate(zip(shape, factors, strict=True)):
        if pixels <= PIECE_PIXELS:
            break
        rest = pixels // n
        steps[axis] = min(max(PIECE_PIXELS // rest // f, 1) * f, n)
        pixels = rest * steps[axis]
    extents = zip(shape, steps, strict=True)
    return itertools.product(
        *[[(start, min(start + step, n)) for start in range(0, n, step)] for n, step in extents]
    )


def _mean(piece: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Means of boxes, in float64."""
    with np.errstate(invalid="ignore"):  # of infinities
        total = _sum_of_boxes(piece, factors, _accumulator(piece.dtype, prod(factors)))
        mean: np.ndarray = total / _pixels_in_boxes(piece.shape, factors)
    if piece.dtype.kind == "f" and np.isnan(mean).any():
        is_nan = np.isnan(piece)
        if is_nan.any():
            total = _sum_of_boxes(np.where(is_nan, 0, piece), factors, np.dtype("f8"))
            counts = _sum_of_boxes(~is_nan, factors, np.dtype("f8"))
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = total / counts
    return mean


def _accumulator(dtype: np.dtype, most: int) -> np.dtype:
    """Return the smallest type that holds sums of `most` pixels."""
    if dtype.kind in "biu" and dtype.itemsize < 8:
        kind = "i" if dtype.kind == "i" else "u"
        largest = 2 ** (8 * dtype.itemsize) * most
        for nbytes in (2, 4, 8):
            if largest < 2 ** (8 * nbytes - 1):
                return np.dtype(f"{kind}{nbytes}")
    return np.dtype("f8")


def _sum_of_boxes(
    block: np.ndarray, factors: tuple[int, ...], accumulator: np.dtype
) -> np.ndarray:
    """Sums of boxes: axis by axis, every n-th pixel and those after it."""
    total = block
    for axis, f in enumerate(factors):
        if f == 1:
            continue
        lead = (slice(None),) * axis
        parts = [total[(*lead, slice(k, None, f))] for k in range(f)]
        # The last box may be smaller, so that some parts are shorter by one.
        total = parts[0].astype(accumulator)
        for part in parts[1:]:
            target = total[(*lead, slice(part.shape[axis]))]
            np.add(target, part, out=target, dtype=accumulator)
    return total.astype(accumulator, copy=False)


def _pixels_in_boxes(shape: tuple[int, ...], factors: tuple[int, ...]) -> np.ndarray | float:
    if all(n % f == 0 for n, f in zip(shape, factors, strict=True)):
        return float(prod(factors))
    counts = np.ones((1,) * len(shape))
    for axis, (n, f) in enumerate(zip(shape, factors, strict=True)):
        sizes = np.minimum(f, n - np.arange(0, n, f)).astype(float)
        counts = counts * sizes.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return counts
