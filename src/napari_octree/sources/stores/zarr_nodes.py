"""Groups and arrays of zarr, made of documents that were fetched by name.

zarr-python looks for both formats of everything: three requests for a node of format 2, and a
store that refuses what it does not have cannot be opened by it at all.

Invariants: a node costs one round of requests: one of format 3, three of format 2.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import zarr
from zarr.storage import FsspecStore, StorePath

from napari_octree.sources.errors import AccessRefusedError, SourceError, told
from napari_octree.sources.stores.absent import is_refused
from napari_octree.sources.stores.address import secrets_in, shown, without_secrets
from napari_octree.sources.stores.addressed_store import AddressedStore
from napari_octree.sources.stores.byte_store import ByteStore
from napari_octree.sources.stores.opening import (
    bytes_of,
    open_archive,
    open_by_fsspec,
    open_bytes,
)
from napari_octree.sources.stores.own_codecs import own_codecs
from napari_octree.sources.stores.remote_zip import RemoteZipStore
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import Documents, open_documents

if TYPE_CHECKING:
    Node = zarr.Array[Any] | zarr.Group
else:
    Node = zarr.Array | zarr.Group  # of zarr 3.0, which has no generic arrays

_BODY = re.compile(r"\n|<!?[a-zA-Z]")
"""What follows in a message is for obstore's own programmers, or the page that a server sent."""
FolderOf = Callable[[Mapping[str, int], str], str]

CREDENTIALS = frozenset(
    {"anon", "key", "secret", "token", "profile", "account_key", "sas_token", "headers"}
)
"""Options that say who asks."""


@own_codecs()
def node_at(documents: Documents, path: str = "") -> Node | None:
    """Return the array or group at a path; None if there is none.

    Raises
    ------
    Exception
        The store cannot be reached, or the documents are no zarr metadata.
    """
    place = _place(documents.store, path)
    if documents.store.is_far and documents.zarr_format == 2:
        documents.fetch_nodes([path], POOL.new_turn())
    document = documents.array(path)
    if document is not None:
        _check_chunks(document)
    if documents.zarr_format == 3:
        if document is not None:
            return zarr.Array.from_dict(place, _plain(document))
        group = documents.raw(f"{path}/zarr.json" if path else "zarr.json")
        if group is None:
            return None
        known = {k: v for k, v in group.items() if k != "consolidated_metadata"}
        known["attributes"] = documents.attributes(path) or {}  # no mapping: none
        return zarr.Group(zarr.AsyncGroup.from_dict(place, known))
    prefix = f"{path}/" if path else ""
    group, attributes = (documents.raw(f"{prefix}{name}") for name in (".zgroup", ".zattrs"))
    if document is not None:
        return zarr.Array.from_dict(place, {**document, "attributes": dict(attributes or {})})
    if group is None and attributes is None:
        return None
    data = {"zarr_format": 2, "attributes": dict(attributes or {})}
    return zarr.Group(zarr.AsyncGroup.from_dict(place, data))


def array_again(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Open an array anew, as its store has it now (worker threads only).

    Raises
    ------
    Exception
        It is not there any more, or the store cannot be reached.
    """
    documents = Documents(bytes_of(array.store, ""), array.metadata.zarr_format)
    found = node_at(documents, array.path)
    if not isinstance(found, zarr.Array):
        raise FileNotFoundError(f"{array.store_path}: there is no array any more")
    return found


def _check_chunks(document: Mapping[str, Any]) -> None:
    """Refuse chunks of no pixels: zarr 3.4 takes the 0 for a 1, with a chunk for every pixel."""
    grid = document.get("chunk_grid")
    options = grid.get("configuration") if isinstance(grid, Mapping) else None
    stored = options.get("chunk_shape") if isinstance(options, Mapping) else document.get("chunks")
    if isinstance(stored, list) and any(type(n) is int and n < 1 for n in stored):
        raise ValueError(f"chunks of {stored} pixels; there are none below 1")


def open_far(where: str, folder_of: FolderOf | None = None, **storage_options: Any) -> Node:
    """Open the array or group at an address.

    Credentials are those of the options, else those that the machine has; where they are refused,
    it is tried without any.

    Parameters
    ----------
    where : str
    folder_of : callable, optional
        Given the names and sizes of what is in a zip archive, and its address: the folder in it.
    **storage_options

    Raises
    ------
    SourceError
        There is none, or the store cannot be reached.
    """
    try:
        urlsplit(where)
    except ValueError as error:
        raise SourceError(f"{shown(where)}: no address that can be understood: {error}") from None
    known = secrets_in(where, storage_options)
    forget_documents()
    try:
        documents = _open_documents(where, storage_options, folder_of)
        node = None if documents is None else node_at(documents)
    except SourceError:
        raise
    except Exception as error:  # stores of any kind, and broken JSON, raise anything
        reason = without_secrets(_BODY.split(told(error))[0].rstrip(": "), known)
        message = f"{shown(where)}: cannot be opened as zarr: {reason}"
        cause = None if known else error
        if is_refused(error):
            raise AccessRefusedError(
                f"{message}; access is refused: credentials may be missing"
            ) from cause
        raise SourceError(message) from cause
    if documents is not None:
        remember(documents)
    if node is None:
        raise SourceError(f"{shown(where)}: not zarr: no array or group is there")
    return node


def _open_documents(
    where: str, options: Mapping[str, Any], folder_of: FolderOf | None
) -> Documents | None:
    if folder_of is not None and urlsplit(where).path.lower().endswith((".zip", ".ozx")):
        archive = open_archive(where, **options)
        if archive is not None:
            folder = folder_of(archive.names, shown(where))
            return open_documents(bytes_of(archive, folder))
    try:
        return open_documents(open_bytes(where, **options))
    except Exception as error:  # stores raise their own; raised on unless another way is left
        if "Content-Length" in f"{error}":
            return open_documents(open_by_fsspec(where, **options))
        can_be_anonymous = urlsplit(where).scheme in ("s3", "s3a", "gs", "gcs", "az", "abfs")
        if not (is_refused(error) and can_be_anonymous) or CREDENTIALS & options.keys():
            raise
    return open_documents(open_bytes(where, **{**options, "anon": True}))


def is_far(group: zarr.Group) -> bool:
    """Whether a group's store is on a network, so that each of its documents is a round trip."""
    return isinstance(group.store, AddressedStore | FsspecStore | RemoteZipStore)


def documents_of(
    group: zarr.Group, address: str | None = None, zarr_format: int | None = None
) -> Documents:
    """Return the documents of a group that somebody has opened, of its own zarr format or another.

    Of one that was opened just now they are those that were found then: consolidated metadata
    answer all questions at once, and nothing is asked for twice.
    """
    store = bytes_of(group.store, group.path, address)
    own = group.metadata.zarr_format
    if zarr_format not in (None, own):
        return Documents(store, zarr_format)
    found, since = _LATEST.get(store.identity, (None, 0.0))
    if found is None or found.zarr_format != own or time.monotonic() - since > JUST_NOW:
        found = Documents(store, own)
        if store.is_far:
            remember(found)
    return found


_LATEST: dict[Hashable, tuple[Documents, float]] = {}
"""Opened last, by store, and when; a few."""
MOST_LATEST = 16
JUST_NOW = 5
"""Seconds for which a document is taken for what the store holds."""


def remember(documents: Documents) -> None:
    """Let `documents_of` find the documents of a store that was opened now."""
    _LATEST[documents.store.identity] = documents, time.monotonic()
    for former in list(_LATEST)[:-MOST_LATEST]:
        _LATEST.pop(former, None)


def forget_documents() -> None:
    """Let all be asked for anew: something is being opened."""
    _LATEST.clear()


def _place(store: ByteStore, path: str) -> StorePath:
    opened = store.as_zarr()
    if isinstance(opened, StorePath):
        return StorePath(opened.store, "/".join(part for part in (opened.path, path) if part))
    return StorePath(opened, path)


def _plain(document: Any) -> dict[str, Any]:
    return dict(document)
