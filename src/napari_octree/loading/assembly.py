"""Storage chunks to blocks: pure functions over arrays.

Invariants: nothing here reads, waits or keeps state; parts are never written to; regions are
half-open boxes of the storage array, one (start, stop) pair per storage axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from napari_octree.sources.protocol import LevelSource, Region

Part = tuple[Region, np.ndarray | None]
"""A chunk's box and its pixels; None where the fill value applies."""


def shape_of(region: Region) -> tuple[int, ...]:
    """Return the shape of a region."""
    return tuple(stop - start for start, stop in region)


def nbytes_of(region: Region, dtype: np.dtype) -> int:
    """Return the bytes of a region's pixels."""
    return prod(stop - start for start, stop in region) * dtype.itemsize


def storage_apron(source: LevelSource, apron: tuple[int, ...]) -> tuple[int, ...]:
    """Return `apron` per storage axis: 0 where the axis is fixed."""
    remaining = iter(apron)
    return tuple(next(remaining) if i is None else 0 for i in source.fixed)


def grow(region: Region, apron: tuple[int, ...], shape: tuple[int, ...]) -> Region:
    """Return `region` with `apron` around it, clipped to an array of `shape`."""
    return tuple(
        (max(start - a, 0), min(stop + a, n))
        for (start, stop), a, n in zip(region, apron, shape, strict=True)
    )


def touches(first: Region, second: Region) -> bool:
    """Whether two regions have pixels in common."""
    return _intersection(first, second) is not None


def assemble(
    region: Region,
    apron: tuple[int, ...],
    shape: tuple[int, ...],
    dtype: np.dtype,
    fill_value: object,
    parts: Iterable[Part],
) -> np.ndarray:
    """Put chunks together to `region` with `apron` around it.

    Parameters
    ----------
    region, apron
        The core, which `parts` must cover, and the pixels around it per axis.
    shape, dtype, fill_value
        Of the array.
    parts
        Chunks that touch the core or its apron, in any order.

    Returns
    -------
    numpy.ndarray
        Shape of `region` plus twice `apron`. Where no part covers the apron it repeats the
        nearest pixel of the core; outside the array, the nearest pixel of the array.
    """
    parts = list(parts)
    box, pixels = parts[0]
    if not any(apron) and len(parts) == 1 and pixels is not None:
        return pixels[_within(region, box)]
    origin = tuple(start - a for (start, _), a in zip(region, apron, strict=True))
    inner = grow(region, apron, shape)
    block = np.empty(tuple(n + 2 * a for n, a in zip(shape_of(region), apron, strict=True)), dtype)
    for box, pixels in parts:
        _paste(block, origin, _intersection(box, region), box, pixels, fill_value)
    _repeat_edges(block, origin, region)
    if inner != region:
        for box, pixels in parts:
            if not _contains(region, box):
                _paste(block, origin, _intersection(box, inner), box, pixels, fill_value)
        _repeat_edges(block, origin, inner)
    return block


def _paste(
    block: np.ndarray,
    origin: tuple[int, ...],
    target: Region | None,
    box: Region,
    pixels: np.ndarray | None,
    fill_value: object,
) -> None:
    if target is not None:
        place = tuple(slice(a - o, b - o) for (a, b), o in zip(target, origin, strict=True))
        block[place] = (
            (0 if fill_value is None else fill_value)
            if pixels is None
            else pixels[_within(target, box)]
        )


def _repeat_edges(block: np.ndarray, origin: tuple[int, ...], known: Region) -> None:
    """Fill what lies around `known` with its nearest pixel, one axis after the other."""
    for axis, ((start, stop), o) in enumerate(zip(known, origin, strict=True)):
        before, after = start - o, stop - o
        lead = (slice(None),) * axis
        if before > 0:
            block[(*lead, slice(0, before))] = block[(*lead, slice(before, before + 1))]
        if after < block.shape[axis]:
            block[(*lead, slice(after, None))] = block[(*lead, slice(after - 1, after))]


def _within(region: Region, box: Region) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(region, box, strict=True))


def _intersection(first: Region, second: Region) -> Region | None:
    both = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(first, second, strict=True))
    return both if all(start < stop for start, stop in both) else None


def _contains(outer: Region, inner: Region) -> bool:
    return all(a <= c and d <= b for (a, b), (c, d) in zip(outer, inner, strict=True))
