"""Storage chunks of far stores, kept on disk between sessions.

Invariants: bounded in bytes; safe with several processes (it is a `diskcache.Cache`, an SQLite
data base and files); holds nothing but bytes, so that reading it runs no code; whatever goes wrong
with the disk, the chunk is read from its store.

A chunk is found again by the array's address, a digest of its metadata where it has one (zarr
does), its shape and type and the chunk's box. An array that
is written anew with other metadata is never mixed up with the old one; one whose pixels change
under unchanged metadata is served as it was until `forget`, as `layer.reload()` does.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

import numpy as np

from napari_octree.loading.wrapped_array import WrappedArray
from napari_octree.sources.protocol import Region, StorageArray

logger = logging.getLogger("napari_octree.loader")

_NOTHING = b""
"""Stands for a chunk that the store does not hold."""


def is_far(storage: StorageArray) -> bool:
    """Whether the array's store is at an address on a network.

    Names with blanks are those of levels computed from such a store, not addresses.
    """
    scheme, separator, place = storage.source_name.partition("://")
    return bool(separator) and scheme not in ("file", "memory") and " " not in place


class DiskCache:
    """Chunks on disk.

    Parameters
    ----------
    path : Path or None
        The folder; None for the user's cache folder.
    limit_bytes : int

    Raises
    ------
    ImportError
        The package diskcache is not installed (`pip install napari-octree[disk]`).
    """

    def __init__(self, path: Path | None, limit_bytes: int) -> None:
        import diskcache
        from platformdirs import user_cache_path

        folder = user_cache_path("napari-octree") / "chunks" if path is None else path
        self._cache = diskcache.Cache(str(folder), size_limit=limit_bytes)
        self._errors = (OSError, sqlite3.Error, diskcache.Timeout)
        self._lock = threading.Lock()
        self._outdated: set[str] = set()
        """Sources to be dropped before the next chunk of theirs is looked for."""

    def wrap(self, storage: StorageArray) -> StorageArray:
        """Return the array with reads that look on disk first; itself if it is near."""
        return CachedOnDisk(storage, self) if is_far(storage) else storage

    def read(self, storage: StorageArray, region: Region) -> np.ndarray | None:
        """Return a chunk from disk, else from its store."""
        self._drop(storage.source_name)
        version = getattr(storage, "version", "")
        key = f"{storage.source_name} {version} {storage.shape} {storage.dtype.str} {region}"
        shape = tuple(stop - start for start, stop in region)
        try:
            kept = self._cache.get(key)
        except self._errors as error:
            logger.warning("the disk cache cannot be read: %s", error)
            kept = None
        if kept == _NOTHING:
            return None
        if kept is not None and len(kept) == np.prod(shape) * storage.dtype.itemsize:
            return np.frombuffer(kept, storage.dtype).reshape(shape)
        pixels = storage.read(region)
        try:
            value = _NOTHING if pixels is None else np.ascontiguousarray(pixels).tobytes()
            self._cache.set(key, value, tag=storage.source_name)
        except self._errors as error:
            logger.warning("the disk cache cannot be written: %s", error)
        return pixels

    def forget(self, source_name: str) -> None:
        """Drop all chunks of the arrays at an address (any thread; returns at once)."""
        with self._lock:
            self._outdated.add(source_name)

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return int(self._cache.volume())

    def close(self) -> None:
        """Close the data base."""
        for source_name in list(self._outdated):
            self._drop(source_name)
        self._cache.close()

    def _drop(self, source_name: str) -> None:
        if source_name in self._outdated:
            with self._lock:  # readers of the same source wait until it is dropped
                if source_name in self._outdated:
                    try:
                        self._cache.evict(source_name)
                    except self._errors as error:
                        logger.warning("the disk cache cannot be written: %s", error)
                    self._outdated.discard(source_name)


class CachedOnDisk(WrappedArray):
    """An array whose reads look on disk first."""

    def __init__(self, storage: StorageArray, disk: DiskCache) -> None:
        super().__init__(storage)
        self._disk = disk

    def read(self, region: Region) -> np.ndarray | None:
        """Read a chunk from disk, else from its store."""
        return self._disk.read(self.storage, region)
