"""Storage chunks to blocks: pure functions over arrays.

Invariants: nothing here reads, waits or keeps state; parts are never written to; regions are
half-open boxes of the storage array, one (start, stop) pair per storage axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
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


def grow(region: Region, apron: tuple[int, ...], shape: tuple[int, ...] | None) -> Region:
    """Return `region` with `apron` around it, clipped to an array of `shape` if one is given."""
    grown = [(start - a, stop + a) for (start, stop), a in zip(region, apron, strict=True)]
    if shape is None:
        return tuple(grown)
    return tuple(
        [
            (start if start > 0 else 0, stop if stop < n else n)
            for (start, stop), n in zip(grown, shape, strict=True)
        ]
    )


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
            return pixels if box == region else pixels[_cut(box, region).piece]
    around = grow(region, apron, None)
    inner = grow(region, apron, shape)
    origin = [start for start, _ in around]
    wanted = _relative(inner, origin)
    block = np.empty([stop - start for start, stop in around], dtype)
    fill = 0 if fill_value is None else fill_value

    def paste(parts: Iterable[Part]) -> int:
        """Write what parts have of the wanted pixels; return how many those are."""
        pasted = 0
        for box, pixels in parts:
            cut = _cut(_relative(box, origin), wanted)
            if cut.size:
                block[cut.place] = fill if pixels is None else pixels[cut.piece]
                pasted += cut.size
        return pasted

    if paste(parts) < prod([stop - start for start, stop in inner]):
        # What lacks around the core repeats it: so the core alone, then the parts over it.
        _repeat_edges(block, origin, region)
        paste(part for part in parts if part[0] != region)
    if inner != around:
        _repeat_edges(block, origin, inner)
    return block


class Cut(NamedTuple):
    """Where a part goes in a block, what of it, and how many pixels that is."""

    place: tuple[slice, ...]
    piece: tuple[slice, ...]
    size: int


def _relative(region: Region, origin: Sequence[int]) -> Region:
    return tuple([(start - o, stop - o) for (start, stop), o in zip(region, origin, strict=True)])


@lru_cache(maxsize=1024)
def _cut(box: Region, wanted: Region) -> Cut:
    """Return what a part has of the wanted pixels, both relative to the block.

    Most tiles of an image are cut in the same few ways.
    """
    place = []
    piece = []
    for (first, last), (start, stop) in zip(box, wanted, strict=True):
        start = max(start, first)
        stop = max(min(stop, last), start)
        place.append(slice(start, stop))
        piece.append(slice(start - first, stop - first))
    return Cut(tuple(place), tuple(piece), prod(s.stop - s.start for s in place))


def _repeat_edges(block: np.ndarray, origin: Sequence[int], known: Region) -> None:
    """Fill what lies around `known` with its nearest pixel, one axis after the other."""
    for axis, ((start, stop), o) in enumerate(zip(known, origin, strict=True)):
        before, after = start - o, stop - o
        lead = (slice(None),) * axis
        if before > 0:
            block[(*lead, slice(0, before))] = block[(*lead, slice(before, before + 1))]
        if after < block.shape[axis]:
            block[(*lead, slice(after, None))] = block[(*lead, slice(after - 1, after))]
