"""Storage chunks to blocks: pure functions over arrays.

Invariants: nothing here reads, waits or keeps state; parts are never written to; regions are
half-open boxes of the storage array, one (start, stop) pair per storage axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from math import prod
from typing import NamedTuple

import numpy as np

from napari_octree.sources.protocol import LevelSource, Region

Part = tuple[Region, np.ndarray | None]
"""A chunk's box and its pixels; None where the fill value applies."""


def nbytes_of(region: Region, dtype: np.dtype) -> int:
    """Return the bytes of a region's pixels."""
    return prod(stop - start for start, stop in region) * dtype.itemsize


def storage_apron(source: LevelSource, apron: tuple[int, ...]) -> tuple[int, ...]:
    """Return `apron` per storage axis: 0 where the axis is fixed."""
    if source.is_whole:
        return apron
    remaining = iter(apron)
    return tuple(next(remaining) if i is None else 0 for i in source.fixed)


def grow(region: Region, apron: tuple[int, ...], shape: tuple[int, ...]) -> Region:
    """Return `region` with `apron` around it, clipped to an array of `shape`."""
    return tuple([_extent(*axis).inside for axis in zip(region, apron, shape, strict=True)])


def assemble(
    region: Region,
    apron: tuple[int, ...],
    shape: tuple[int, ...],
    dtype: np.dtype,
    fill_value: object,
    parts: Sequence[Part],
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
    if len(parts) == 1 and not any(apron):
        box, pixels = parts[0]
        if pixels is not None:
            if box == region:
                return pixels
            return pixels[tuple(cut.piece for cut in map(_overlap, box, region, repeat(0)))]
    extents = tuple(map(_extent, region, apron, shape))
    origin, lengths, inside, are_inside = zip(*extents, strict=True)
    block = np.empty(lengths, dtype)
    fill = 0 if fill_value is None else fill_value

    def paste(parts: Iterable[Part]) -> int:
        """Write what parts have of the wanted pixels; return how many those are."""
        pasted = 0
        for box, pixels in parts:
            places, pieces, sizes = zip(*map(_overlap, box, inside, origin), strict=True)
            size = prod(sizes)
            if size:
                block[places] = fill if pixels is None else pixels[pieces]
                pasted += size
        return pasted

    if paste(parts) < prod([stop - start for start, stop in inside]):
        # What lacks around the core repeats it: so the core alone, then the parts over it.
        _repeat_edges(block, origin, region)
        paste(part for part in parts if part[0] != region)
    if not all(are_inside):
        _repeat_edges(block, origin, inside)
    return block


class _Extent(NamedTuple):
    """One axis of a block: its first pixel, its length, and what of it lies in the array."""

    origin: int
    length: int
    inside: tuple[int, int]
    is_inside: bool


class _Overlap(NamedTuple):
    """One axis of a part: where it goes in a block, what of it, and how many pixels that is."""

    place: slice
    piece: slice
    size: int


# Tiles of one row or column have an axis in common: these are asked for the same again and again.


@lru_cache(maxsize=128)
def _extent(core: tuple[int, int], apron: int, size: int) -> _Extent:
    start, stop = core[0] - apron, core[1] + apron
    inside = max(start, 0), min(stop, size)
    return _Extent(start, stop - start, inside, inside == (start, stop))


@lru_cache(maxsize=256)
def _overlap(box: tuple[int, int], wanted: tuple[int, int], origin: int) -> _Overlap:
    start = max(box[0], wanted[0])
    stop = max(min(box[1], wanted[1]), start)
    return _Overlap(
        slice(start - origin, stop - origin), slice(start - box[0], stop - box[0]), stop - start
    )


def _repeat_edges(block: np.ndarray, origin: Sequence[int], known: Region) -> None:
    """Fill what lies around `known` with its nearest pixel, one axis after the other."""
    for axis, ((start, stop), o) in enumerate(zip(known, origin, strict=True)):
        before, after = start - o, stop - o
        lead = (slice(None),) * axis
        if before > 0:
            block[(*lead, slice(0, before))] = block[(*lead, slice(before, before + 1))]
        if after < block.shape[axis]:
            block[(*lead, slice(after, None))] = block[(*lead, slice(after - 1, after))]
