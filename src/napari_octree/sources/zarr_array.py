"""Zarr arrays, v2 and v3, read by their own chunks; in shards, by inner chunks.

Invariants: the store is never listed; making one costs at most one `stat` of a local file; the
same array opened twice has the same key, also through another group, as long as its metadata on
disk is the same. Chunks that are absent from the store are told from those that are stored,
at no cost unless a chunk is all fill value.
"""

from __future__ import annotations

import posixpath
from collections.abc import Hashable
from typing import Any

import numpy as np
import zarr
from zarr.storage import FsspecStore, LocalStore

from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.identity import object_token
from napari_octree.sources.protocol import Region
from napari_octree.sources.sliced_array import SlicedArray, slices


class ZarrArray(SlicedArray):
    """A `StorageArray` around a `zarr.Array`."""

    def _load(self, region: Region) -> np.ndarray | None:
        block = np.asarray(self.array[slices(region)])
        if is_all(block, self.fill_value) and not self._is_stored(region):
            return None
        return block

    def _is_stored(self, region: Region) -> bool:
        """Whether the store holds the object (chunk or shard) that `region` lies in."""
        outer = self.array.shards or self.array.chunks
        index = tuple(start // n for (start, _), n in zip(region, outer, strict=True))
        key = self.array.metadata.encode_chunk_key(index)
        store = self.array.store
        if isinstance(store, LocalStore):
            return (store.root / self.array.path / key).exists()
        # zarr has no public way to ask a store anything from outside its event loop.
        from zarr.core.sync import sync

        try:
            return bool(sync((self.array.store_path / key).exists()))
        except OSError:
            return True  # the store does not say (some allow reading only): take it as stored


def wrap_zarr(array: zarr.Array) -> ZarrArray:
    """Wrap a zarr array."""
    fill_value = array.fill_value
    return ZarrArray(
        array,
        key=("zarr", _identity(array), array.shape, array.chunks, str(array.dtype)),
        shape=array.shape,
        dtype=array.dtype,
        source_name=_url(array),
        chunk_grid=RegularGrid(array.shape, array.chunks) if min(array.shape, default=0) else None,
        fill_value=0 if fill_value is None else fill_value,
    )


def is_all(block: np.ndarray, value: Any) -> bool:
    """Whether every pixel has this value, or is NaN if it is."""
    if block.size == 0:
        return False
    with np.errstate(invalid="ignore"):
        is_nan = bool(value != value)
        first = block.flat[0]
        if not (first != first if is_nan else first == value):
            return False
        return bool((block != block).all() if is_nan else (block == value).all())


def _identity(array: zarr.Array) -> Hashable:
    """Where the array is; for a local one also when its metadata was written.

    A store object that says neither is told by itself: two of them are never taken for one.
    """
    store = array.store
    if isinstance(store, LocalStore):
        folder = (store.root / array.path).resolve()
        name = "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"
        try:
            written = (folder / name).stat().st_mtime_ns
        except OSError:
            written = 0
        return str(folder), written
    if isinstance(store, FsspecStore):
        return object_token(store.fs), posixpath.join(store.path, array.path)
    return object_token(store), array.path


def _url(array: zarr.Array) -> str:
    store = array.store
    if isinstance(store, LocalStore):
        return str(store.root / array.path)
    if isinstance(store, FsspecStore):
        return str(store.fs.unstrip_protocol(posixpath.join(store.path, array.path)))
    return f"{store}/{array.path}"
