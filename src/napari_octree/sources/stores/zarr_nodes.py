"""Groups and arrays of zarr, made of documents that were fetched by name.

zarr-python looks for both formats of everything: three requests for a node of format 2, and a
store that refuses what it does not have cannot be opened by it at all.

Invariants: a node costs one round of requests: one of format 3, three of format 2.
"""

from __future__ import annotations

from typing import Any

import zarr
from zarr.storage import StorePath

from napari_octree.sources.stores.byte_store import ByteStore
from napari_octree.sources.stores.documents import Documents
from napari_octree.sources.stores.opening import bytes_of
from napari_octree.sources.stores.side_by_side import POOL

Node = zarr.Array | zarr.Group


def node_at(documents: Documents, path: str = "") -> Node | None:
    """Return the array or group at a path; None if there is none.

    Raises
    ------
    Exception
        The store cannot be reached, or the documents are no zarr metadata.
    """
    place = _place(documents.store, path)
    document = documents.array(path)
    if documents.zarr_format == 3:
        if document is not None:
            return zarr.Array.from_dict(place, _plain(document))
        group = documents.raw(f"{path}/zarr.json" if path else "zarr.json")
        if group is None:
            return None
        known = {k: v for k, v in group.items() if k != "consolidated_metadata"}
        return zarr.Group(zarr.AsyncGroup.from_dict(place, known))
    prefix = f"{path}/" if path else ""
    names = [f"{prefix}{name}" for name in (".zgroup", ".zattrs")]
    if documents.store.is_far:
        POOL.run([lambda name=name: documents.raw(name) for name in names], POOL.new_turn())  # type: ignore[misc]
    group, attributes = (documents.raw(name) for name in names)
    if document is not None:
        return zarr.Array.from_dict(place, {**document, "attributes": dict(attributes or {})})
    if group is None and attributes is None:
        return None
    data = {"zarr_format": 2, "attributes": dict(attributes or {})}
    return zarr.Group(zarr.AsyncGroup.from_dict(place, data))


def documents_of(group: zarr.Group, address: str | None = None) -> Documents:
    """Return the documents of a group that somebody has opened."""
    store = bytes_of(group.store, group.path, address)
    return Documents(store, group.metadata.zarr_format)


def _place(store: ByteStore, path: str) -> StorePath:
    opened = store.as_zarr()
    if isinstance(opened, StorePath):
        return StorePath(opened.store, "/".join(part for part in (opened.path, path) if part))
    return StorePath(opened, path)


def _plain(document: Any) -> dict[str, Any]:
    return dict(document)
