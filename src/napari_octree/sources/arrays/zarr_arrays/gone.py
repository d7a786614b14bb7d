"""An array that is gone is no array of empty chunks.

A chunk that a store does not hold shows the fill value. Of an array whose whole folder is gone (a
drive was unmounted, somebody deleted it) no chunk is there either, and all of it would turn black
without a word; so would what a smaller one has no more, where it was written anew.

Invariants: worker threads only; nothing is asked for but after a chunk that is absent, and of an
array on a network at most every `LOOK_AGAIN_S`. Where the store does not say, the array is there.
"""

from __future__ import annotations

import errno
import json
import threading
import time
from collections.abc import Hashable, Sequence
from pathlib import Path

from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import Region
from napari_octree.sources.stores.byte_store import ByteStore

LOOK_AGAIN_S = 30.0
MOST_SEEN = 1000

_SEEN: dict[Hashable, float] = {}
"""When arrays were last found in their stores."""
_LOCKS = tuple(threading.Lock() for _ in range(16))
"""One thread asks, the others that miss a chunk of the same array wait for its answer."""


def check_there(folder: Path) -> None:
    """Ask for the folder of an array, one of whose chunks is not there (worker threads only).

    Raises
    ------
    FileNotFoundError
    """
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder of the array is gone", str(folder))


def check_there_or_listed(root: Path, path: str) -> None:
    """Ask for the folder of an array of a hierarchy, one of whose chunks is not there.

    Where consolidated metadata stand alone, an array of which nothing is stored has no folder.

    Raises
    ------
    FileNotFoundError
    """
    folder = root / path
    if folder.exists():
        return
    documents = [(root / name).exists() for name in (".zmetadata", ".zattrs", ".zgroup")]
    if documents != [True, False, False]:
        check_there(folder)


def check_inside(document: Path, written: int, region: Region) -> None:
    """Look whether an array still has a region, one of whose chunks is not there.

    Parameters
    ----------
    document : Path
        Its ``zarr.json`` or ``.zarray``.
    written : int
        When that was written as it is known, in nanoseconds.
    region : Region

    Raises
    ------
    SourceError
        It was written anew, and is smaller.
    """
    try:
        if document.stat().st_mtime_ns == written:
            return
        shape = json.loads(document.read_bytes())["shape"]
        is_inside = all(stop <= n for (_, stop), n in zip(region, shape, strict=True))
    except (OSError, ValueError, KeyError, TypeError):  # it is being written, or is none any more
        return
    if not is_inside:
        raise SourceError(
            f"{document.parent}: was written anew, with the shape {tuple(shape)}: reload the layer"
        )


def check_in_store(
    store: ByteStore, path: str, names: Sequence[str], scope: str | None = None
) -> None:
    """Ask a store on a network for the document of an array, one of whose chunks is not there.

    Parameters
    ----------
    store : ByteStore
    path : str
        Of the array.
    names : sequence of str
        Of the documents of which it has one: "zarr.json", ".zarray".
    scope : str, optional
        Arrays with this in common are all there if one is; default: the path.

    Raises
    ------
    FileNotFoundError
        It is not there, and no consolidated metadata can stand for it.
    """
    name = (store.identity, path if scope is None else scope)
    with _LOCKS[hash(name) % len(_LOCKS)]:
        if time.monotonic() - _SEEN.get(name, -LOOK_AGAIN_S) < LOOK_AGAIN_S:
            return
        if not _is_there(store, path, names):
            address = f"{store.address}/{path}".rstrip("/")
            raise FileNotFoundError(errno.ENOENT, "the array is gone", address)
        _SEEN[name] = time.monotonic()
        for former in list(_SEEN)[:-MOST_SEEN]:
            _SEEN.pop(former, None)


def _is_there(store: ByteStore, path: str, names: Sequence[str]) -> bool:
    try:
        if any(store.has(f"{path}/{name}".lstrip("/")) for name in names):
            return True
        parts = path.split("/") if path else []
        for n in range(len(parts)):
            above = "/".join(parts[:n])
            if store.has(f"{above}/.zmetadata".lstrip("/")):
                return True
            group = store.get(f"{above}/zarr.json".lstrip("/"))
            # Some writers (zarr-python 3.1.3) write the name with null, too.
            if group is not None and json.loads(group).get("consolidated_metadata"):
                return True
    except Exception:  # stores of any kind raise anything: it refuses, or cannot be reached
        return True
    return False
