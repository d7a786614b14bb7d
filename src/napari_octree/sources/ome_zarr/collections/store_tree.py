"""A zarr hierarchy as a tree that is looked at node by node.

Invariants: worker threads only. A node is read when it is asked for, never before, and no pixels
are read here. What is below a node is what its metadata name, what consolidated metadata hold,
and what the store lists where it can be listed (folders, zip files, buckets; plain HTTP cannot).
What cannot be read is a node with a `problem`; only the root raises.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from napari_octree.sources.errors import SourceError, message_of, told
from napari_octree.sources.ome_zarr.addresses import join, name_of
from napari_octree.sources.ome_zarr.collections.node_facts import (
    MOST_CHILDREN,
    SHOWABLE,
    Kind,
    kind_of_group,
    named_children,
    summary_of_array,
    summary_of_group,
)
from napari_octree.sources.stores.address import local_path, secrets_in, shown, without_secrets
from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes
from napari_octree.sources.stores.listing import listed_names
from napari_octree.sources.stores.opening import open_bytes
from napari_octree.sources.stores.zarr_metadata.documents import Documents, open_documents
from napari_octree.sources.stores.zarr_nodes import Node, node_at

NUMBERED_AT_ONCE = 8
"""So many names 0, 1, … are tried where a store cannot be listed."""


LABELS = "labels"


@dataclass(frozen=True, eq=False)
class StoreNode:
    """A group, an array or a folder.

    Attributes
    ----------
    where : str
        Path or address, without secrets.
    path : str
        Within the store of its documents.
    name : str
        For a list: the last part of its path, or more of it.
    kind : str
        As `Kind`; what its parent says of it until it is looked at.
    summary : str
        One line.
    details : mapping
        Its metadata.
    looked_at : bool
        All of this has been read.
    problem : str
        Why it cannot be read; "" if it can.
    """

    where: str
    path: str
    name: str
    kind: Kind
    summary: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    looked_at: bool = False
    problem: str = ""
    documents: Documents | None = field(default=None, repr=False)

    @property
    def can_open(self) -> bool:
        """Whether it can be opened as layers."""
        return self.kind in SHOWABLE and not self.problem

    @property
    def may_have_children(self) -> bool:
        """Whether something may lie below."""
        return self.kind not in ("array", "nothing") and not self.problem


class StoreTree:
    """The nodes at a path or address.

    Parameters
    ----------
    where : str or path-like
        A folder (of zarr, or with zarr in it), a zip file, or an address.
    **options
        How the store is reached, as `open_ome_zarr` takes them.

    Raises
    ------
    SourceError
        Nothing is there, or the store cannot be reached.
    """

    def __init__(self, where: str | os.PathLike[str], **options: Any) -> None:
        self._options = options
        self.address = os.fspath(where)
        """With secrets, if it has any: for opening, not for showing."""
        self._secrets = secrets_in(self.address, options)
        name = name_of(shown(self.address))
        store = open_bytes(where, **options)
        try:
            documents = open_documents(store)
        except SourceError:
            raise
        except Exception as error:  # stores of any kind raise anything
            raise SourceError(f"{shown(self.address)}: {self._reason(error)}") from None
        if documents is None and not isinstance(store, LocalBytes):
            raise SourceError(f"{shown(self.address)}: not zarr: no array or group is there")
        kind: Kind = "folder" if documents is None else "group"
        stub = StoreNode(shown(self.address), "", name, kind, documents=documents)
        self.root = self.look(stub)

    # ---------------------------------------------------------------- one node

    def look(self, node: StoreNode) -> StoreNode:
        """Read what a node is."""
        if node.looked_at or node.kind == "folder":
            return replace(node, looked_at=True)
        try:
            return self._looked_at(node)
        except Exception as error:  # broken documents, stores of any kind
            return replace(node, looked_at=True, problem=self._reason(error))

    def _looked_at(self, node: StoreNode) -> StoreNode:
        documents = node.documents
        assert documents is not None
        prefix = f"{node.path}/" if node.path else ""
        known_group = documents.zarr_format == 2 and documents.is_at_hand(f"{prefix}.zgroup")
        array = None if known_group else documents.array(node.path)
        if array is not None:
            return replace(
                node, kind="array", summary=summary_of_array(array), details=array, looked_at=True
            )
        attributes = documents.attributes(node.path)
        if attributes is None:
            is_group = documents.zarr_format == 2 and documents.raw(f"{prefix}.zgroup") is not None
            problem = "" if is_group else "nothing is there"
            return replace(node, kind="group", looked_at=True, problem=problem)
        kind = kind_of_group(attributes)
        summary = summary_of_group(attributes, kind)
        return replace(node, kind=kind, summary=summary, details=attributes, looked_at=True)

    # ---------------------------------------------------------------- below it

    def children(self, node: StoreNode) -> list[StoreNode]:
        """Return what lies below a node: not looked at, but where that costs nothing."""
        node = self.look(node)
        if not node.may_have_children:
            return []
        if node.kind == "folder":
            return self._in_folder(node)
        documents = node.documents
        assert documents is not None
        found = dict(named_children(node.details, node.kind))
        if node.kind == "collection" and not found:
            found |= self._series(node)
        named = set(found)
        names = documents.names_below(node.path)
        if node.kind != "plate":  # its folders are rows, which hold nothing but wells
            try:
                names = names or listed_names(documents.store, node.path) or []
            except Exception as error:  # stores of any kind: what the metadata name is listed
                if not found:
                    problem = f"cannot be listed: {self._reason(error)}"
                    return [StoreNode(node.where, node.path, "", "nothing", problem=problem)]
            for name in names:
                found.setdefault(name, None)
        if not found and not names:
            found |= dict.fromkeys(self._numbered(node))
        if node.kind == "image" and not names and documents.store.is_far:
            labels = self.look(self._child(node, LABELS, None))
            found |= {} if labels.problem else {LABELS: None}
        stubs = [self._child(node, path, kind) for path, kind in list(found.items())]
        if not documents.store.is_far:
            stubs = [self.look(stub) if stub.kind != "well" else stub for stub in stubs]
            stubs = [stub for stub in stubs if not stub.problem or stub.name in named]
        return stubs[:MOST_CHILDREN]

    def _child(self, node: StoreNode, path: str, kind: Kind | None) -> StoreNode:
        inside = f"{node.path}/{path}" if node.path else path
        where = join(node.where, path)
        return StoreNode(where, inside, path, kind or "group", documents=node.documents)

    def _series(self, node: StoreNode) -> dict[str, Kind | None]:
        """The images of a collection: those that it names, else 0, 1, …."""
        documents = node.documents
        assert documents is not None
        listed = documents.attributes(f"{node.path}/OME" if node.path else "OME") or {}
        named = dict(named_children(listed, "group"))
        return named or dict.fromkeys(self._numbered(node), "image")

    def _numbered(self, node: StoreNode) -> list[str]:
        """The names 0, 1, … below a node, up to the first that is not there."""
        documents = node.documents
        assert documents is not None
        found: list[str] = []
        for start in count(0, NUMBERED_AT_ONCE):
            names = [str(n) for n in range(start, start + NUMBERED_AT_ONCE)]
            nodes = [self.look(self._child(node, name, None)) for name in names]
            there = [n.name for n in nodes if not n.problem]
            found += there
            if len(there) < NUMBERED_AT_ONCE or len(found) >= MOST_CHILDREN:
                return found
        raise AssertionError("unreachable")

    def _in_folder(self, node: StoreNode) -> list[StoreNode]:
        """Folders and archives in a folder that is no zarr itself."""
        folder = local_path(self.address)
        assert folder is not None
        folder = folder / node.path
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problem = f"cannot be listed: {error.strerror or error}"
            return [StoreNode(node.where, node.path, "", "nothing", problem=problem)]
        nodes = []
        for entry in entries[:MOST_CHILDREN]:
            is_archive = entry.name.lower().endswith((".zarr.zip", ".ozx")) and entry.is_file()
            if entry.name.startswith(".") or not (entry.is_dir() or is_archive):
                continue
            nodes.append(self._local_child(node, Path(entry.path), is_archive))
        return nodes

    def _local_child(self, node: StoreNode, path: Path, is_archive: bool) -> StoreNode:
        inside = f"{node.path}/{path.name}" if node.path else path.name
        where = join(node.where, path.name)
        try:
            store: ByteStore = open_bytes(path) if is_archive else LocalBytes(path)
            documents = open_documents(store)
        except Exception as error:  # broken documents and archives: told beside its name
            problem = self._reason(error)
            return StoreNode(where, inside, path.name, "nothing", looked_at=True, problem=problem)
        if documents is None:
            return StoreNode(where, inside, path.name, "folder", looked_at=True)
        return self.look(StoreNode(where, "", path.name, "group", documents=documents))

    # ----------------------------------------------------------------- opening

    def opened(self, node: StoreNode) -> str | Node:
        """Return what `open_ome_zarr` takes for a node: an address, or zarr in an archive.

        Raises
        ------
        SourceError
            It is not there.
        """
        documents = node.documents
        if documents is None or not documents.store.is_far:
            if documents is None or isinstance(documents.store, LocalBytes):
                return node.where
            found = node_at(documents, node.path)
            if found is None:
                raise SourceError(f"{node.where}: no array or group is there")
            return found
        return join(self.address, node.path) if node.path else self.address

    @property
    def options(self) -> Mapping[str, Any]:
        """How the store is reached."""
        return self._options

    def _reason(self, error: BaseException) -> str:
        text = message_of(error) if isinstance(error, SourceError) else told(error)
        return without_secrets(text, self._secrets)
