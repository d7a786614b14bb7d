"""The names in a folder of a store, where the store can be listed.

Invariants: worker threads only; plain HTTP is never asked for a list: what servers answer is made
for people.
"""

from __future__ import annotations

import os
from typing import Any

from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes

MOST_NAMES = 10_000
"""A folder of more holds chunks."""

DOCUMENTS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata"})


def listed_names(store: ByteStore, path: str) -> list[str] | None:
    """Return the names of folders below a path, sorted; None where a store cannot be listed.

    Raises
    ------
    Exception
        The store refuses, or cannot be reached.
    """
    if isinstance(store, LocalBytes):
        with os.scandir(store.folder / path) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    elif store.is_far and store.address.partition(":")[0] in ("http", "https"):
        return None
    else:
        listed = _listed(store.as_zarr(), path)
        if listed is None:
            return None
        names = listed
    kept = [n for n in names if n not in DOCUMENTS and not n.startswith(".")]
    return sorted(kept, key=_by_number)[:MOST_NAMES]


def _listed(place: Any, path: str) -> list[str] | None:
    # zarr has no public way to ask a store anything from outside its event loop.
    from zarr.core.sync import sync

    store = getattr(place, "store", place)
    inside = getattr(place, "path", "")
    if not isinstance(inside, str):
        store, inside = place, ""
    if not store.supports_listing:
        return None
    prefix = "/".join(part for part in (inside, path) if part)

    async def collect() -> list[str]:
        names: list[str] = []
        async for name in store.list_dir(prefix):
            names.append(name.rstrip("/").rpartition("/")[2])
            if len(names) > MOST_NAMES:
                break
        return names

    return sync(collect())


def _by_number(name: str) -> tuple[bool, int, str]:
    """Numbers as numbers, before other names."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
