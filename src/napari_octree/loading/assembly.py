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
        return pixels[
            tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(region, box, strict=True))
        ]
    origin = tuple(start - a for (start, _), a in zip(region, apron, strict=True))
    inner = grow(region, apron, shape)
    block = np.empty(
        tuple(stop - start + 2 * a for (start, stop), a in zip(region, apron, strict=True)), dtype
    )
    fill = 0 if fill_value is None else fill_value
    # Chunks in a row share their extent across it: what is cut of them is worked out once.
    cuts: list[dict[tuple[int, int], Cut]] = [{} for _ in inner]
    covered = sum(_paste(block, origin, inner, box, pixels, fill, cuts) for box, pixels in parts)
    if covered < prod(stop - start for start, stop in inner):
        # What lacks around the core repeats it: so the core alone, then the parts over it.
        _repeat_edges(block, origin, region)
        for box, pixels in parts:
            if box != region:
                _paste(block, origin, inner, box, pixels, fill, cuts)
    _repeat_edges(block, origin, inner)
    return block


Cut = tuple[slice, slice, int]
"""Of one axis: where a part goes, what of it, and how many pixels that is."""


def _paste(
    block: np.ndarray,
    origin: tuple[int, ...],
    target: Region,
    box: Region,
    pixels: np.ndarray | None,
    fill: object,
    cuts: list[dict[tuple[int, int], Cut]],
) -> int:
    """Write what a part has of `target`; return how many pixels that was."""
    place = []
    piece = []
    size = 1
    for axis, extent in enumerate(box):
        cut = cuts[axis].get(extent)
        if cut is None:
            cut = cuts[axis][extent] = _cut(target[axis], extent, origin[axis])
        place.append(cut[0])
        piece.append(cut[1])
        size *= cut[2]
    if size:
        block[tuple(place)] = fill if pixels is None else pixels[tuple(piece)]
    return size


def _cut(target: tuple[int, int], extent: tuple[int, int], origin: int) -> Cut:
    start = max(target[0], extent[0])
    stop = max(min(target[1], extent[1]), start)
    first = extent[0]
    return slice(start - origin, stop - origin), slice(start - first, stop - first), stop - start


def _repeat_edges(block: np.ndarray, origin: tuple[int, ...], known: Region) -> None:
    """Fill what lies around `known` with its nearest pixel, one axis after the other."""
    for axis, ((start, stop), o) in enumerate(zip(known, origin, strict=True)):
        before, after = start - o, stop - o
        lead = (slice(None),) * axis
        if before > 0:
            block[(*lead, slice(0, before))] = block[(*lead, slice(before, before + 1))]
        if after < block.shape[axis]:
            block[(*lead, slice(after, None))] = block[(*lead, slice(after - 1, after))]
