"""How a zarr array is cut into chunks, whichever version of zarr-python says so.

Invariants: metadata only, nothing is read. Chunks here are the smallest parts that can be read
alone: of a shard, its inner chunks. From zarr 3.2 on an array may have chunks of any sizes (a
rectilinear grid, experimental there), and then raises when it is asked for `chunks` or `shards`.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any

import zarr

from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid, grid_from_chunks
from napari_octree.sources.protocol import Region


def chunk_sizes(array: zarr.Array[Any]) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
    """Return what a read brings: one size per axis, or those of all chunks along it."""
    try:
        return tuple(array.chunks)
    except NotImplementedError:
        return _all_sizes(array, "read_chunk_sizes")


def chunk_grid(array: zarr.Array[Any]) -> RegularGrid | IrregularGrid | None:
    """Return the grid of the chunks; None of an array without pixels."""
    if not min(array.shape, default=0):
        return None
    return grid_from_chunks(array.shape, chunk_sizes(array))


def stored_index(array: zarr.Array[Any], region: Region) -> tuple[int, ...]:
    """Return the grid index of the stored object (chunk or shard) that `region` lies in."""
    starts = [start for start, _ in region]
    try:
        outer = array.shards or array.chunks
    except NotImplementedError:
        sizes = _all_sizes(array, "write_chunk_sizes")
        ends = [list(accumulate(axis)) for axis in sizes]
        return tuple(bisect_right(axis, start) for start, axis in zip(starts, ends, strict=True))
    return tuple(start // size for start, size in zip(starts, outer, strict=True))


def stored_sizes(array: zarr.Array[Any]) -> tuple[int, ...] | None:
    """Return the shape of a stored object (chunk or shard); None where there are many."""
    try:
        return tuple(array.shards or array.chunks)
    except NotImplementedError:
        return None


def _all_sizes(array: Any, name: str) -> tuple[tuple[int, ...], ...]:
    """One of the properties that zarr has had since 3.2."""
    return tuple(tuple(axis) for axis in getattr(array, name))
