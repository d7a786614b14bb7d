"""A box of a mosaic's level out of one field: from the level that fits, in the mosaic's pixels.

Invariants: pure but for reading the field; what the store does not hold is None; a field of other
pixels is placed by its physical size. Where a field's own pixel is a whole part of the mosaic's it
is averaged (or its centre taken), else the nearest pixel is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.derived.reduction import Reduction, reduced
from napari_octree.sources.mosaic.field import Field, PixelSize
from napari_octree.sources.protocol import BlockStore, LevelSource, Region

SNAP = 0.02
"""Ratios this near to a whole number are taken for it: odd sizes, halved, are not quite halves."""


def fitting_level(field: Field, pixel_size: Sequence[float]) -> int:
    """Return the coarsest level of a field that is as fine as the mosaic's pixels.

    Only the last two axes count; the finest level if none is.
    """
    return _fitting(field.pixel_sizes, tuple(pixel_size))


@lru_cache(maxsize=256)
def _fitting(pixel_sizes: tuple[PixelSize, ...], pixel_size: PixelSize) -> int:
    wanted = prod(pixel_size[-2:])
    best = 0
    for number, own in enumerate(pixel_sizes):
        if prod(own[-2:]) <= wanted * (1 + 2 * SNAP):
            best = number
    return best


class Stored(NamedTuple):
    """Pixels of a field as they are stored, which are yet to be reduced.

    Attributes
    ----------
    pixels : numpy.ndarray
        In the field's own type.
    factors : tuple of int
        What they are to be reduced by, axis by axis.
    place : tuple of slice
        Where in the region that was asked for they are then.
    """

    pixels: np.ndarray
    factors: tuple[int, ...]
    place: tuple[slice, ...]

    @classmethod
    def whole(cls, pixels: np.ndarray, factors: tuple[int, ...]) -> Stored:
        """Of pixels of which all is wanted."""
        sizes = [-(-n // f) for n, f in zip(pixels.shape, factors, strict=True)]
        return cls(pixels, factors, tuple(slice(0, size) for size in sizes))


def read_field(
    source: LevelSource,
    own: PixelSize,
    pixel_size: PixelSize,
    region: Region,
    extent: Sequence[int],
    reduction: Reduction,
    blocks: BlockStore | None,
) -> tuple[np.ndarray, tuple[slice, ...]] | None:
    """Read a box of a field: what `read_stored` returns, reduced; None if nothing is there."""
    stored = read_stored(source, own, pixel_size, region, extent, blocks)
    return None if stored is None else (made_of([stored], reduction)[0], stored.place)


def read_stored(
    source: LevelSource,
    own: PixelSize,
    pixel_size: PixelSize,
    region: Region,
    extent: Sequence[int],
    blocks: BlockStore | None,
) -> Stored | None:
    """Read a box of a field, and leave its reduction for later.

    Parameters
    ----------
    source : LevelSource
        The field's level.
    own : PixelSize
        Of that level.
    pixel_size : PixelSize
        Of the mosaic's level.
    region : Region
        In pixels of the mosaic's level, from the field's first pixel on.
    extent : sequence of int
        Size of the field's box in the mosaic's level.
    blocks : BlockStore, optional
        Chunks at hand.

    Returns
    -------
    Stored or None
        A field may be smaller than its box. None if nothing is stored there.
    """
    plan = _plan(own, pixel_size, region, tuple(extent), source.shape)
    if plan is None:
        return None
    pixels = read_region(source, plan.below, blocks)
    if pixels is None:
        return None
    for axis, pick in enumerate(plan.picks):
        pixels = pixels.take(pick, axis)
    return Stored(pixels, plan.factors, plan.place)


class _Plan(NamedTuple):
    """What to read of a field's level, and what becomes of it.

    Attributes
    ----------
    below : Region
        Pixels of the field's level.
    picks : tuple of numpy.ndarray
        Which of them are taken, axis by axis; empty where all are.
    factors, place
        As those of `Stored`.
    """

    below: Region
    picks: tuple[np.ndarray, ...]
    factors: tuple[int, ...]
    place: tuple[slice, ...]


@lru_cache(maxsize=4096)
def _plan(
    own: PixelSize,
    pixel_size: PixelSize,
    region: Region,
    extent: tuple[int, ...],
    shape: tuple[int, ...],
) -> _Plan | None:
    """Plan a read of a field; kept, as most fields of a mosaic are alike. None: nothing is there.

    Parameters are those of `read_stored`, and the shape of the field's level.
    """
    ratios = [_snapped(size / mine) for size, mine in zip(pixel_size, own, strict=True)]
    whole = all(r >= 1 and r == int(r) for r in ratios)
    below: list[tuple[int, int]] = []
    place: list[slice] = []
    picks: list[np.ndarray] = []
    planar = len(region) - 2
    for axis, ((start, stop), ratio, n, box) in enumerate(
        zip(region, ratios, shape, extent, strict=True)
    ):
        reached = -(-n // int(ratio)) if whole else max(int(n / ratio + 0.5), 1)
        reached = min(reached, box)
        if axis >= planar and pixel_size[axis] > 1 and box - reached == 1 and box > 1:
            reached = box  # a pixel that rounding has lost: the last one is repeated
        end = min(stop, reached)
        if start >= end:
            return None
        place.append(slice(0, end - start))
        if whole:
            f = int(ratio)
            first, last = min(start * f, n - 1), min(end * f, n)
            below.append((first, max(last, first + 1)))
        else:
            index = np.minimum(((np.arange(start, end) + 0.5) * ratio).astype(np.int64), n - 1)
            below.append((int(index[0]), int(index[-1]) + 1))
            picks.append(index - index[0])
    factors = tuple(int(r) for r in ratios) if whole else (1,) * len(ratios)
    return _Plan(tuple(below), tuple(picks), factors, tuple(place))


def made_of(stored: Sequence[Stored], reduction: Reduction) -> list[np.ndarray]:
    """Reduce what was read of fields; those that are alike at once.

    To reduce small arrays one by one, in many threads, takes far longer than their pixels do: for
    each of a dozen steps the interpreter's lock is let go of and waited for again.
    """
    alike: dict[object, list[int]] = {}
    for number, (pixels, factors, _) in enumerate(stored):
        alike.setdefault((pixels.shape, pixels.dtype, factors), []).append(number)
    made: dict[int, np.ndarray] = {}
    for numbers in alike.values():
        factors = stored[numbers[0]].factors
        if max(factors) == 1:
            made.update((number, stored[number].pixels) for number in numbers)
        elif len(numbers) == 1:
            made[numbers[0]] = reduced(stored[numbers[0]].pixels, factors, reduction)
        else:
            together = np.stack([stored[number].pixels for number in numbers])
            made.update(zip(numbers, reduced(together, (1, *factors), reduction), strict=True))
    return [
        _repeated(made[number], [part.stop for part in place])
        for number, (_, _, place) in enumerate(stored)
    ]


def cast(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return pixels in another type; what it cannot hold becomes the nearest value that it can."""
    if pixels.dtype == dtype:
        return pixels
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if pixels.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                pixels = np.nan_to_num(np.rint(pixels), nan=0)
            top = np.nextafter(float(limits.max), 0) if dtype.itemsize == 8 else limits.max
            return pixels.clip(limits.min, top).astype(dtype)
        if pixels.dtype.kind in "iu":
            own = np.iinfo(pixels.dtype)
            low, high = max(limits.min, own.min), min(limits.max, own.max)
            return pixels.clip(low, high).astype(dtype)
    if dtype.kind == "b":
        result: np.ndarray = pixels != 0
        return result
    return pixels.astype(dtype)


def _snapped(ratio: float) -> float:
    nearest = round(ratio)
    return float(nearest) if nearest >= 1 and abs(ratio - nearest) <= SNAP * nearest else ratio


def _repeated(pixels: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return pixels whose last row and column are repeated up to `sizes`."""
    for axis, size in enumerate(sizes):
        n = pixels.shape[axis]
        if n < size:
            pixels = pixels.take(np.minimum(np.arange(size), n - 1), axis)
    return pixels
