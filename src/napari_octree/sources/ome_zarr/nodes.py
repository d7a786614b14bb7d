"""Zarr groups and arrays by name.

Invariants: reads metadata only, by name: a store is never listed (plain HTTP cannot be). What is
absent is None; whatever else goes wrong is a `SourceError` that names the path.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore, MemoryStore, StorePath

from napari_octree.sources.errors import SourceError, told
from napari_octree.sources.ome_zarr.addresses import join
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import as_path, shown
from napari_octree.sources.ome_zarr.zip_files import ROOT_FILES, open_zip, zarr_folder
from napari_octree.sources.stores.address import local_path
from napari_octree.sources.stores.opening import bytes_of
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import open_documents
from napari_octree.sources.stores.zarr_nodes import (
    documents_of,
    forget_documents,
    is_far,
    node_at,
    open_far,
    remember,
)

if TYPE_CHECKING:
    Node = zarr.Array[Any] | zarr.Group
else:
    Node = zarr.Array | zarr.Group  # of zarr 3.0, which has no generic arrays

OPENED_AT_ONCE = 16
"""Requests that a server is asked at a time; more are told off by some."""


def open_node(where: str, **storage_options: Any) -> Node:
    """Open the zarr array or group at a path or URL, for reading.

    Raises
    ------
    SourceError
        There is none, or the store cannot be reached.
    """
    try:
        is_local = local_path(where) is not None
    except (OSError, ValueError, RuntimeError) as error:  # a home that is nobody's
        raise SourceError(f"{shown(where)}: cannot be opened: {told(error)}") from error
    if not is_local:
        return open_far(where, zarr_folder, **storage_options)
    store, inside = _local_store(where)
    forget_documents()
    try:
        documents = open_documents(bytes_of(store, inside, where if inside else None))
        node = None if documents is None else node_at(documents)
    except SourceError:
        raise
    except Exception as error:  # stores of any kind raise anything
        raise SourceError(f"{where}: cannot be opened as zarr: {told(error)}") from error
    if documents is None or node is None:
        raise SourceError(f"{where}: not zarr: no array or group is there")
    if documents.is_alone:
        remember(documents)
    if (
        documents.zarr_format == 2
        and isinstance(node, zarr.Group)
        and not documents.raw(".zgroup")
    ):
        warn(f"{where}: has no .zgroup; it is taken for a group of zarr format 2")
    return node


def given_node(given: Any) -> tuple[Node, str]:
    """Return a node that somebody has opened, or the root of a store, and what it is called.

    Raises
    ------
    SourceError
        The store holds neither array nor group, or it is no store.
    """
    if isinstance(given, zarr.AsyncGroup):
        given = zarr.Group(given)
    elif isinstance(given, zarr.AsyncArray):
        given = zarr.Array(given)
    if isinstance(given, Node):
        return given, f"{given.store_path}".rstrip("/").removeprefix("file://")
    store, inside = _given_store(given)
    forget_documents()
    where = f"{store}/{inside}".rstrip("/").removeprefix("file://")
    try:
        documents = open_documents(bytes_of(store, inside))
        node = None if documents is None else node_at(documents)
    except SourceError:
        raise
    except Exception as error:  # as above
        raise SourceError(f"{where}: cannot be opened as zarr: {told(error)}") from error
    if documents is None or node is None:
        raise SourceError(f"{where}: not zarr: no array or group is there")
    if documents.is_alone:
        remember(documents)
    return node, where


def _given_store(given: Any) -> tuple[Store, str]:
    if isinstance(given, StorePath):
        return given.store, given.path
    if isinstance(given, Store):
        return given, ""
    try:
        if type(given).__name__ == "FSMap":
            return FsspecStore.from_mapper(given, read_only=True), ""
        if isinstance(given, MutableMapping):
            return MemoryStore(given, read_only=True), ""
    except Exception as error:  # of a file system that zarr cannot use
        raise SourceError(f"{shown(given)}: cannot be opened: {told(error)}") from error
    raise SourceError(
        f"{shown(given)}: neither a path, an address, a store, a group nor an array of zarr"
    )


def child(group: zarr.Group, path: str, where: str, zarr_format: int | None = None) -> Node | None:
    """What is at `path` in the group, of its own zarr format or another; None if nothing is.

    Raises
    ------
    SourceError
        Something is there and cannot be opened: broken JSON, an unknown codec, no permission.
    """
    safe = as_path(path)
    if safe is None:
        raise SourceError(f"{where}: {shown(path)} is no path in it")
    try:
        return node_at(documents_of(group, zarr_format=zarr_format), safe)
    except SourceError:
        raise
    except Exception as error:  # as above
        raise SourceError(f"{join(where, safe)}: cannot be opened: {told(error)}") from error


def children(
    group: zarr.Group, paths: Sequence[str], where: str, also: Sequence[str] = ()
) -> list[Node | SourceError | None]:
    """What is at each path, as `child` says, asked for side by side; problems are returned.

    What is at the paths of `also` will be asked for next: far stores are asked in the same round.
    """
    if is_far(group):
        safe = [path for path in map(as_path, [*paths, *also]) if path is not None]
        documents_of(group).fetch_nodes(safe, POOL.new_turn())
    found = _side_by_side(group, paths, where, None)
    absent = [path for path, node in zip(paths, found, strict=True) if node is None]
    if not absent or (len(absent) < len(paths) and is_far(group)):
        return found  # what one level lacks costs a far store no further round
    # Some programs write groups of one zarr format around arrays of the other.
    others = _side_by_side(group, absent, where, 5 - group.metadata.zarr_format)
    known = dict(zip(absent, others, strict=True))
    return [
        known.get(path) if node is None else node for path, node in zip(paths, found, strict=True)
    ]


def _side_by_side(
    group: zarr.Group, paths: Sequence[str], where: str, zarr_format: int | None
) -> list[Node | SourceError | None]:
    def look(path: str) -> Node | SourceError | None:
        try:
            return child(group, path, where, zarr_format)
        except SourceError as error:
            return error

    if len(paths) < 2:
        return [look(path) for path in paths]
    with ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="open-zarr") as pool:
        return list(pool.map(look, paths))


def attributes_of(node: Node) -> Mapping[str, Any]:
    """All attributes of a node."""
    values = node.attrs.asdict()
    return values if isinstance(values, Mapping) else {}


def _local_store(where: str) -> tuple[Any, str]:
    """What zarr opens at a local path, and the path within it."""
    try:
        path = local_path(where)
        assert path is not None  # else it is far
        if path.name in ROOT_FILES and path.is_file():
            path = path.parent  # somebody has chosen a file in the folder
        path, inside = _archive_in(path)
        if not path.exists():
            raise SourceError(f"{where}: there is no such file or folder")
        is_file = path.is_file()
        looks_zipped = is_file and _looks_zipped(path)
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{shown(where)}: cannot be opened: {told(error)}") from error
    if not is_file:
        return LocalStore(path, read_only=True), ""
    if not looks_zipped:
        raise SourceError(f"{where}: a file, not a zarr folder")
    store, folder = open_zip(path, where)
    return store, "/".join(part for part in (folder if not inside else "", inside) if part)


def _archive_in(path: Path) -> tuple[Path, str]:
    """Return the file that a path leads through, and the rest; a path of its own: ""."""
    if path.exists():
        return path, ""
    for above in path.parents:
        if above.is_file() and _looks_zipped(above):
            return above, path.relative_to(above).as_posix()
        if above.exists():
            break
    return path, ""


def _looks_zipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK" or path.suffix.lower() in (".zip", ".ozx")
