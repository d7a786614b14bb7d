"""Storage chunks to blocks: pure functions over arrays.

Invariants: nothing here reads, waits or keeps state; parts are never written to; regions are
half-open boxes of the storage array, one (start, stop) pair per storage axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from napari_octree.sources.protocol import LevelSource, Region

Part = tuple[Region, np.ndarray | None]
"""A chunk's box and its pixels; None where the fill value applies."""


def nbytes_of(region: Region, dtype: np.dtype) -> int:
    """Return the bytes of a region's pixels."""
    n = dtype.itemsize
    for start, stop in region:
        n *= stop - start
    return n


def storage_apron(source: LevelSource, apron: tuple[int, ...]) -> tuple[int, ...]:
    """Return `apron` per storage axis: 0 where the axis is fixed."""
    if source.is_whole:
        return apron
    remaining = iter(apron)
    return tuple(next(remaining) if i is None else 0 for i in source.fixed)


def grow(region: Region, apron: tuple[int, ...], shape: tuple[int, ...]) -> Region:
    """Return `region` with `apron` around it, clipped to an array of `shape`."""
    return tuple(
        [
            (max(start - a, 0), min(stop + a, n))
            for (start, stop), a, n in zip(region, apron, shape, strict=True)
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
        Chunks that touch the core or its apron, in any order: some or all of the cells of a grid.

    Returns
    -------
    numpy.ndarray
        Shape of `region` plus twice `apron`. Where no part covers the apron it repeats the
        nearest pixel of the core; outside the array, the nearest pixel of the array.
    """
    alone = len(parts) == 1 and not any(apron)
    if alone and parts[0][0] == region and parts[0][1] is not None:
        return parts[0][1]
    known = dict(parts)
    cells = [tuple(dict.fromkeys(pairs)) for pairs in zip(*known, strict=True)]
    axes = tuple(map(_axis, region, apron, shape, cells))
    if alone and parts[0][1] is not None:
        return parts[0][1][tuple(axis.pieces[0] for axis in axes)]
    block = np.empty([axis.length for axis in axes], dtype)
    fill = 0 if fill_value is None else fill_value
    places = product(*[axis.places for axis in axes])
    pieces = product(*[axis.pieces for axis in axes])
    cuts = list(zip(product(*cells), places, pieces, strict=True))

    def paste() -> bool:
        """Write what there is of the parts; return whether that is all of them."""
        for box, place, piece in cuts:
            pixels = known.get(box, _ABSENT)
            if pixels is None:
                block[place] = fill
            elif pixels is not _ABSENT:
                part = pixels[piece]
                if part.size <= BRIEF_ITEMS:  # as eight of the nine parts of most tiles are
                    block[place] = part
                else:
                    _copy(block[place], part)
        return len(cuts) == len(known)

    origin = [axis.origin for axis in axes]
    if not (paste() and all(axis.is_covered for axis in axes)):
        # What lacks around the core repeats it: so the core alone, then the parts over it.
        _repeat_edges(block, origin, region)
        paste()
    if not all(axis.is_inside for axis in axes):
        _repeat_edges(block, origin, [axis.inside for axis in axes])
    return block


_ABSENT = np.empty(0)

BRIEF_ITEMS = 500
"""That numpy copies with the interpreter's lock held."""

HELD_BYTES = 2**20
"""Copied within a tenth of a millisecond: for so long the window can wait for the interpreter."""


class _Axis(NamedTuple):
    """One axis of a block and of the parts that it is made of.

    Attributes
    ----------
    origin, length : int
        Its first pixel, and how many there are.
    inside : (int, int)
        What of it lies in the array.
    is_inside, is_covered : bool
        Whether that is all; whether the parts hold all of that.
    places, pieces : tuple of slice
        Where each part goes in the block, and what of it.
    """

    origin: int
    length: int
    inside: tuple[int, int]
    is_inside: bool
    is_covered: bool
    places: tuple[slice, ...]
    pieces: tuple[slice, ...]


@lru_cache(maxsize=256)
def _axis(
    core: tuple[int, int], apron: int, size: int, cells: tuple[tuple[int, int], ...]
) -> _Axis:
    """Cut one axis; the tiles of a row or column of an image have one in common."""
    origin, end = core[0] - apron, core[1] + apron
    inside = max(origin, 0), min(end, size)
    places = []
    pieces = []
    covered = 0
    for first, last in cells:
        start = max(first, inside[0])
        stop = max(min(last, inside[1]), start)
        places.append(slice(start - origin, stop - origin))
        pieces.append(slice(start - first, stop - first))
        covered += stop - start
    return _Axis(
        origin,
        end - origin,
        inside,
        inside == (origin, end),
        covered == inside[1] - inside[0],
        tuple(places),
        tuple(pieces),
    )


def _copy(target: np.ndarray, pixels: np.ndarray) -> None:
    """Copy pixels; those of a tile with the interpreter's lock held.

    For more than `BRIEF_ITEMS` numpy lets go of the lock, and to get it back from a thread that
    computes takes longer than to copy a tile. So rows are the items.
    """
    width = target.shape[-1]
    if (
        width < target.size <= BRIEF_ITEMS * width
        and target.nbytes <= HELD_BYTES
        and target.strides[-1] == pixels.strides[-1] == target.itemsize
        and target.dtype == pixels.dtype
        and not target.dtype.hasobject
    ):
        row = np.dtype((np.void, width * target.itemsize))
        target, pixels = target.view(row), pixels.view(row)
    target[...] = pixels


def _repeat_edges(
    block: np.ndarray, origin: Sequence[int], known: Sequence[tuple[int, int]]
) -> None:
    """Fill what lies around `known` with its nearest pixel, one axis after the other."""
    for axis, ((start, stop), o) in enumerate(zip(known, origin, strict=True)):
        before, after = start - o, stop - o
        lead = (slice(None),) * axis
        if before > 0:
            block[(*lead, slice(0, before))] = block[(*lead, slice(before, before + 1))]
        if after < block.shape[axis]:
            block[(*lead, slice(after, None))] = block[(*lead, slice(after - 1, after))]
