"""Parts and sizes of the objects of a store, for formats that keep many things in one object.

Invariants: worker threads only; an object that is absent is None; plain HTTP is never asked for a
list.
"""

from __future__ import annotations

import os
from typing import Any

from zarr.abc.store import RangeByteRequest
from zarr.storage import StorePath

from napari_octree.sources.errors import SourceError
from napari_octree.sources.stores.absent import is_absent
from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes


def read_part(store: ByteStore, name: str, start: int, stop: int) -> bytes | None:
    """Return the bytes ``start … stop`` of an object; fewer where it ends before.

    Raises
    ------
    Exception
        The store cannot be reached.
    """
    if start >= stop:
        return b""
    if isinstance(store, LocalBytes):
        try:
            with (store.folder / name).open("rb") as file:
                file.seek(start)
                return file.read(stop - start)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    place, key = _zarr_place(store, name)

    async def get() -> Any:
        await place._ensure_open()
        return await place.get(key, default_buffer_prototype(), RangeByteRequest(start, stop))

    try:
        found = sync(get())
    except Exception as error:  # of any store; raised on unless it is absence
        if is_absent(error):
            return None
        raise
    return None if found is None else bytes(found.to_bytes())


def size_of(store: ByteStore, name: str) -> int | None:
    """Return how many bytes an object has, without reading it where the store can tell.

    Raises
    ------
    Exception
        The store cannot be reached.
    """
    if isinstance(store, LocalBytes):
        path = store.folder / name
        return path.stat().st_size if path.is_file() else None
    from zarr.core.sync import sync

    place, key = _zarr_place(store, name)

    async def measure() -> int:
        await place._ensure_open()
        return int(await place.getsize(key))

    try:
        return sync(measure())
    except Exception as error:  # of any store; raised on unless it is absence
        if is_absent(error):
            return None
        raise


def sizes_below(store: ByteStore, folder: str) -> dict[str, int] | None:
    """Return the names of the objects in a folder with their sizes; None if it cannot be listed.

    Raises
    ------
    SourceError
        The folder is not there.
    """
    if isinstance(store, LocalBytes):
        try:
            with os.scandir(store.folder / folder) as entries:
                return {e.name: e.stat().st_size for e in entries if e.is_file()}
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceError(f"{store.address}/{folder}: there is no such folder") from error
    place, prefix = _zarr_place(store, folder)
    objects = getattr(place, "store", None)
    if objects is None or store.address.partition(":")[0] in ("http", "https"):
        return None
    import obstore

    found: dict[str, int] = {}
    for page in obstore.list(objects, prefix=f"{prefix}/"):
        for entry in page:
            found[entry["path"].rpartition("/")[2]] = int(entry["size"])
    return found


def _zarr_place(store: ByteStore, name: str) -> tuple[Any, str]:
    """Return zarr's store, and the name of an object in it."""
    place = store.as_zarr()
    if isinstance(place, StorePath):
        return place.store, f"{place.path}/{name}" if place.path else name
    return place, name
