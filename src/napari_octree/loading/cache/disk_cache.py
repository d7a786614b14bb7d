"""Storage chunks of far stores, kept on disk between sessions.

Invariants: bounded in bytes; safe with several processes (it is a `diskcache.Cache`, an SQLite
data base and files); holds nothing but bytes, so that reading it runs no code; whatever goes wrong
with the disk, the chunk is read from its store. Only this process looks on disk, also where others
read.

A chunk is found again by the array's address, its `version` (a digest of its metadata and of what
part of the stored array it shows), its shape and type and the chunk's box. What has no version is
not kept. An array that is written anew with other metadata is never mixed up with the old one; one
whose pixels change under unchanged metadata is served as it was until `forget`, as
`layer.reload()` does; what was being read then is not kept.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.loading.cache.wrapped_array import WrappedArray
from napari_octree.sources.protocol import Region, StorageArray

logger = logging.getLogger("napari_octree.loader")

_NOTHING = b""
"""Stands for a chunk that the store does not hold."""

TIMEOUT_S = 1.0
"""How long other processes may keep a read waiting."""


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
        self._errors = (OSError, sqlite3.Error, diskcache.Timeout)
        self._cache: Any = None
        try:
            # Not mapped into memory: somebody who cuts the file short would end the process.
            # SQLite's index of its log (-shm) still is, as long as several processes may write.
            self._cache = diskcache.Cache(
                str(folder), timeout=TIMEOUT_S, size_limit=limit_bytes, sqlite_mmap_size=0
            )
        except self._errors as error:
            logger.warning("no disk cache, as %s cannot be opened: %s", folder, error)
        self._lock = threading.Lock()
        self._serial = count(1)
        self._forgotten: dict[str, int] = {}
        """When each source was forgotten: a number that only grows."""
        self._dropped: dict[str, int] = {}
        """Up to which of these numbers its chunks have gone."""

    def wrap(self, storage: StorageArray) -> StorageArray:
        """Return the array for one read, which looks on disk first; itself if it is not kept."""
        is_kept = storage.is_remote and not storage.is_computed and hasattr(storage, "version")
        return CachedOnDisk(storage, self) if is_kept and self._cache is not None else storage

    def find(self, storage: StorageArray, region: Region) -> tuple[np.ndarray | None] | None:
        """Return a chunk (None: fill value) in a tuple of one, None if it is not on disk."""
        shape = tuple(stop - start for start, stop in region)
        try:
            self._drop(storage.source_name)
            kept = self._cache.get(_key(storage, region))
        except self._errors as error:
            logger.warning("the disk cache cannot be read: %s", error)
            return None
        if kept == _NOTHING:
            return (None,)
        if not isinstance(kept, bytes) or len(kept) != prod(shape) * storage.dtype.itemsize:
            return None
        return (np.frombuffer(kept, storage.dtype).reshape(shape),)

    def keep(
        self, storage: StorageArray, region: Region, pixels: np.ndarray | None, since: int
    ) -> None:
        """Store a chunk that was read, unless its source was forgotten `since`."""
        value = _NOTHING if pixels is None else np.ascontiguousarray(pixels).tobytes()
        with self._lock:  # so that nothing comes after its source has been dropped
            if self.forgotten(storage) != since:
                return
            try:
                self._cache.set(_key(storage, region), value, tag=storage.source_name)
            except self._errors as error:
                logger.warning("the disk cache cannot be written: %s", error)

    def forget(self, source_name: str) -> None:
        """Drop all chunks of the arrays at an address (any thread; returns at once)."""
        self._forgotten[source_name] = next(self._serial)

    def forgotten(self, storage: StorageArray) -> int:
        """Return a number that changes when an array's source is forgotten."""
        return self._forgotten.get(storage.source_name, 0)

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return int(self._cache.volume())

    def close(self) -> None:
        """Close the data base."""
        if self._cache is None:
            return
        for source_name in list(self._forgotten):
            try:
                self._drop(source_name)
            except self._errors as error:
                logger.warning("the disk cache cannot be written: %s", error)
        self._cache.close()

    def _drop(self, source_name: str) -> None:
        """Drop what was forgotten; until that has worked nothing of the source is found."""
        forgotten = self._forgotten.get(source_name, 0)
        if self._dropped.get(source_name, 0) != forgotten:
            with self._lock:  # readers of the same source wait until it is dropped
                if self._dropped.get(source_name, 0) != forgotten:
                    self._cache.evict(source_name)
                    self._dropped[source_name] = forgotten


class CachedOnDisk(WrappedArray):
    """An array, for one read that looks on disk first."""

    def __init__(self, storage: StorageArray, disk: DiskCache) -> None:
        super().__init__(storage)
        self._disk = disk
        self._since = disk.forgotten(storage)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a chunk from disk, else from its store."""
        found = self.find(region)
        if found is not None:
            return found[0]
        pixels = self.storage.read(region)
        self.keep(region, pixels)
        return pixels

    def find(self, region: Region) -> tuple[np.ndarray | None] | None:
        """Return a chunk (None: fill value) in a tuple of one, None if it is not on disk."""
        return self._disk.find(self.storage, region)

    def keep(self, region: Region, pixels: np.ndarray | None) -> None:
        """Store a chunk that was read from the store."""
        self._disk.keep(self.storage, region, pixels, self._since)


def _key(storage: StorageArray, region: Region) -> str:
    version: str = storage.version  # type: ignore[attr-defined] # else it is not wrapped
    return f"{storage.source_name} {version} {storage.shape} {storage.dtype.str} {region}"
