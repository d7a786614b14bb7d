"""Objects of a store as bytes, by name: the leanest way to small documents and chunks.

Invariants: worker threads only (but for opening); a store is never listed; an object that is
absent is None, everything else that goes wrong is raised; nothing is kept.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

import zarr
from zarr.storage import LocalStore

from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import object_token
from napari_octree.sources.stores.absent import is_absent
from napari_octree.sources.stores.addressed_store import AddressedStore, unpacked_body
from napari_octree.sources.stores.body_size import check_body


class ByteStore(Protocol):
    """Objects by name.

    Attributes
    ----------
    address : str
        Path or address of its root, without secrets.
    identity : Hashable
        Equal for two stores of the same objects.
    is_far : bool
        Each object costs a round trip: ask for several side by side.
    """

    address: str
    identity: Hashable
    is_far: bool

    def get(self, name: str) -> bytes | None:
        """Return an object, None if there is none (worker threads only)."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such an object, without fetching it (worker threads only)."""
        ...

    def as_zarr(self) -> Any:
        """Return the same store as zarr takes it."""
        ...


class LocalBytes:
    """Files of a folder."""

    is_far = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.address = str(self.folder)
        self.identity: Hashable = str(self.folder.resolve())

    def get(self, name: str) -> bytes | None:
        """Read a file; a folder of that name counts as absent."""
        path = f"{self.address}/{name}"
        try:
            file = os.open(path, AT_ONCE)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        try:
            return _content(file, path)
        finally:
            os.close(file)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(f"{self.address}/{name}")

    def as_zarr(self) -> LocalStore:
        """Return the same store as zarr takes it."""
        return LocalStore(self.folder, read_only=True)


AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""How files are opened: a pipe that nobody writes to would be waited for."""


def _content(file: int, path: str) -> bytes | None:
    """Read all of an open file; None if it is a folder.

    With as few calls of the system as can be: each lets go of the interpreter's lock, and a plate
    has ten thousand small files.
    """
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        if stat.S_ISDIR(found.st_mode):
            return None
        raise SourceError(f"{path}: no file, but a pipe or device")
    data = os.read(file, found.st_size + 1)
    if len(data) == found.st_size:
        return data
    parts = [data]  # it is very large, or has grown since
    while parts[-1]:
        parts.append(os.read(file, 2**24))
    return b"".join(parts)


class ObstoreBytes:
    """Objects of an `obstore` store; zarr's store around it says its address."""

    is_far = True

    def __init__(self, zarr_store: AddressedStore, prefix: str = "") -> None:
        self._zarr_store = zarr_store
        self._prefix = f"{prefix}/" if prefix else ""
        self.address = f"{zarr_store.address}/{prefix}".rstrip("/")
        place = zarr_store.identity
        self.identity: Hashable = self.address if isinstance(place, str) else (place, prefix)

    def get(self, name: str) -> bytes | None:
        """Fetch an object."""
        import obstore

        try:
            result = obstore.get(self._zarr_store.store, self._prefix + name)
            check_body(name, result.meta["size"])
            data: bytes = unpacked_body(result.bytes().to_bytes(), result.attributes)
            return data
        except Exception as error:  # obstore's kinds; raised on unless it is absence
            if is_absent(error):
                return None
            raise

    def has(self, name: str) -> bool:
        """Whether there is such an object."""
        import obstore

        try:
            obstore.head(self._zarr_store.store, self._prefix + name)
        except Exception as error:  # obstore's kinds; what is no absence `get` raises again
            # Some servers know no HEAD, which obstore tells as an object that is not there.
            knows = not re.search(r"\b(405|501)\b", str(error))
            return False if knows and is_absent(error) else self.get(name) is not None
        return True

    def as_zarr(self) -> Any:
        """Return the same store as zarr takes it."""
        if not self._prefix:
            return self._zarr_store
        return zarr.storage.StorePath(self._zarr_store, self._prefix.rstrip("/"))


class ZarrBytes:
    """Objects of any store that zarr knows (fsspec, zip, memory, icechunk, kerchunk, …)."""

    def __init__(self, store: Any, prefix: str, address: str, is_far: bool) -> None:
        self._store = store
        self._prefix = prefix
        self.address = address
        own = getattr(store, "identity", None) or getattr(store, "address", None)
        self.identity: Hashable = (own or object_token(store), prefix)
        self.is_far = is_far

    def get(self, name: str) -> bytes | None:
        """Fetch an object."""
        # zarr has no public way to ask a store anything from outside its event loop.
        from zarr.core.sync import sync

        name = f"{self._prefix}/{name}" if self._prefix else name
        try:
            found = sync(self._get(name))
        except Exception as error:  # of any store; raised on unless it is absence
            if is_absent(error):
                return None
            raise
        return None if found is None else found.to_bytes()

    def has(self, name: str) -> bool:
        """Whether there is such an object."""
        from zarr.core.sync import sync

        name = f"{self._prefix}/{name}" if self._prefix else name
        return bool(sync(self._has(name)))

    async def _has(self, name: str) -> Any:
        await self._store._ensure_open()
        return await self._store.exists(name)

    async def _get(self, name: str) -> Any:
        from zarr.core.buffer import default_buffer_prototype

        await self._store._ensure_open()  # which archives need
        return await self._store.get(name, default_buffer_prototype())

    def as_zarr(self) -> Any:
        """Return the same store as zarr takes it."""
        return zarr.storage.StorePath(self._store, self._prefix)
