"""The documents of a zarr hierarchy by path: attributes of groups, metadata of arrays.

Invariants: documents are never changed, and those of the same text are one object. Each is fetched
once, by whoever wants it first, however many threads want it; failures are not kept, so that a
retry asks again. A document that is not there is None. A store that refuses what it does not have
(S3 without ListBucket) is found out by asking it for an object that nobody has: there a refusal
means absent. So does a web page in place of a document. One that was there and is gone raises.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from napari_octree.sources.errors import SourceError
from napari_octree.sources.stores.absent import is_refused
from napari_octree.sources.stores.body_size import LARGEST_DOCUMENT
from napari_octree.sources.stores.byte_store import ByteStore
from napari_octree.sources.stores.side_by_side import POOL, Turn
from napari_octree.sources.stores.zarr_metadata.array_documents import as_meant
from napari_octree.sources.stores.zarr_metadata.chunk_names import (
    other_separator_in,
    separator_in,
)
from napari_octree.sources.stores.zarr_metadata.presence import Presence, gone

NOBODY_HAS = "napari-octree-looks-whether-absent-means-refused"


class Documents:
    """Documents of a store.

    Parameters
    ----------
    store : ByteStore
    zarr_format : {2, 3}
    consolidated : mapping, optional
        Documents that are at hand, by their names; others are fetched.
    absent : iterable of str
        Names of documents that are not there, as far as it is known.
    is_alone : bool
        The store has no documents but the consolidated ones.
    """

    def __init__(
        self,
        store: ByteStore,
        zarr_format: int,
        consolidated: Mapping[str, Any] | None = None,
        absent: Iterable[str] = (),
        is_alone: bool = False,
    ) -> None:
        self.is_alone = is_alone
        self.store = store
        self.zarr_format = zarr_format
        self._consolidated = dict(consolidated or {})
        self._was_consolidated = bool(self._consolidated)
        own = () if is_alone else (name for name in self._consolidated if "/" not in name)
        self._presence = Presence(own)
        self._known: dict[str, Future[Any]] = {}
        for name in absent:
            self._known[name] = Future()
            self._known[name].set_result(None)
        self._decoded: dict[bytes, Mapping[str, Any]] = {}
        """By their text: the documents of a plate's fields are mostly the same one."""
        self._lock = threading.Lock()
        self._meant: dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        self._refuses_absent: bool | None = None
        self._separator: str | None = None
        """Of chunks' names, as found with the first array whose document does not say it."""
        self.refusal: Exception | None = None
        """The latest answer that was taken for "not there"."""

    def __getstate__(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "zarr_format": self.zarr_format,
            "consolidated": self._consolidated,
            "is_alone": self.is_alone,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def attributes(self, path: str) -> Mapping[str, Any] | None:
        """Return the attributes of a group or an array (worker threads only).

        Raises
        ------
        SourceError
            The document is broken.
        Exception
            The store cannot be reached.
        """
        document = self._document(self._group_name(path))
        if document is None or self.zarr_format == 2:
            return document
        found = document.get("attributes")
        return found if isinstance(found, Mapping) else {}

    def array(self, path: str) -> Mapping[str, Any] | None:
        """Return the metadata of an array (worker threads only); raises as `attributes` does."""
        document = self._document(self._array_name(path))
        if document is None or (self.zarr_format == 3 and document.get("node_type") != "array"):
            return None
        known = self._meant.get(id(document))
        if known is None:
            meant = self._as_meant(document, path)
            known = self._meant[id(document)] = (document, meant)  # which keeps it alive
        return known[1]

    def _as_meant(self, document: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        meant = as_meant(document)
        shape = document.get("shape")
        if self.zarr_format == 3 or not isinstance(shape, list) or len(shape) < 2:
            return meant
        declared = document.get("dimension_separator")
        if declared is not None:
            separator = other_separator_in(self.store, path, declared)
        else:
            if self._separator is None:
                self._separator = separator_in(self.store, path, len(shape))
            separator = self._separator
        return {**meant, "dimension_separator": separator} if separator else meant

    def check_absent(self, path: str) -> None:
        """Make sure that what is not there never was (worker threads only).

        Raises
        ------
        FileNotFoundError
            What lies above it was there, and is gone.
        Exception
            The store cannot be reached.
        """
        names = dict.fromkeys((self._group_name(path), self._array_name(path)))
        above = self._presence.nearest_above(path, self._names_at)
        if above is None and self.is_alone:
            above = ".zmetadata"
        if above is not None and not self._presence.is_there_since(above, names, self._is_there):
            for name in names:  # it may come back: a drive is mounted again
                self._known.pop(name, None)
            raise gone(f"{self.store.address}/{above}")

    def _is_there(self, name: str) -> bool:
        # A server that answers with pages, or refuses, does so to a question for mere presence.
        return self.store.has(name) if self.refusal is None else self._asked(name) is not None

    def _names_at(self, path: str) -> tuple[str, str]:
        return self._group_name(path), self._array_name(path)

    def forget(self) -> None:
        """Fetch documents again when they are wanted next, consolidated ones too (any thread)."""
        with self._lock:
            if not self.is_alone:
                self._presence.find_consolidated(self._consolidated)
                self._consolidated = {}
            self._known = {}
            self._decoded = {}
            self._meant = {}
            self._separator = None

    def names_below(self, path: str) -> list[str]:
        """Return the names of nodes right below a path that are at hand without asking."""
        prefix = f"{path}/" if path else ""
        found: dict[str, None] = {}
        for name in self._consolidated:
            folder, _, document = name.rpartition("/")
            if document == ".zattrs" or not f"{folder}/".startswith(prefix):
                continue
            below = folder[len(prefix) :]
            if below and "/" not in below:
                found[below] = None
        return list(found)

    def raw(self, name: str) -> Mapping[str, Any] | None:
        """Return a document by its name (worker threads only); raises as `attributes` does."""
        return self._document(name)

    def fetch(self, groups: Iterable[str], arrays: Iterable[str], turn: Turn) -> None:
        """Fetch documents side by side; what goes wrong is left for those who ask for them."""
        names = [*map(self._group_name, groups), *map(self._array_name, arrays)]
        missing = [n for n in dict.fromkeys(names) if not self.is_at_hand(n)]
        tasks: list[Callable[[], Any]] = [partial(self._document, name) for name in missing]
        if len(tasks) > 1 or self.store.is_far:
            POOL.run(tasks, turn)

    def fetch_nodes(self, paths: Iterable[str], turn: Turn) -> None:
        """Fetch side by side all that can be known of what lies at some paths, as `fetch` does."""
        names = [f"{path}/{name}" if path else name for path in paths for name in self._names]
        missing = [n for n in dict.fromkeys(names) if not self.is_at_hand(n)]
        POOL.run([partial(self._document, name) for name in missing], turn)

    @property
    def _names(self) -> tuple[str, ...]:
        """Of the documents of a node."""
        return ("zarr.json",) if self.zarr_format == 3 else (".zarray", ".zgroup", ".zattrs")

    def is_at_hand(self, name: str) -> bool:
        """Whether a document is there without asking the store (any thread)."""
        known = self._known.get(name)
        return name in self._consolidated or (known is not None and known.done())

    def _group_name(self, path: str) -> str:
        name = "zarr.json" if self.zarr_format == 3 else ".zattrs"
        return f"{path}/{name}" if path else name

    def _array_name(self, path: str) -> str:
        name = "zarr.json" if self.zarr_format == 3 else ".zarray"
        return f"{path}/{name}" if path else name

    def _document(self, name: str) -> Mapping[str, Any] | None:
        at_hand = self._consolidated.get(name)
        if isinstance(at_hand, Mapping):
            return at_hand
        known = self._known.get(name)
        if known is None:
            # No lock: dozens of threads come here thousands of times, and one of them that lost
            # the interpreter while it held a lock would stop them all.
            mine: Future[Any] = Future()
            known = self._known.setdefault(name, mine)
            if known is mine:
                self._fulfil(mine, name)
        result: Mapping[str, Any] | None = known.result()
        return result

    def _fulfil(self, promise: Future[Any], name: str) -> None:
        """Fetch what was promised; only a thread that runs has promised, so nobody waits idly."""
        try:
            promise.set_result(self._fetch(name))
        except BaseException as error:  # raised in whoever asked, and in all that wait
            self._known.pop(name, None)
            promise.set_exception(error)

    def _fetch(self, name: str) -> Mapping[str, Any] | None:
        found = self._asked(name)
        if found is not None:
            self._presence.find(name)
            return found
        found = self._consolidated_anew(name)
        if found is None:
            self._presence.miss(name, self.store.address)
        return found

    def _consolidated_anew(self, name: str) -> Mapping[str, Any] | None:
        """Return a document that is not there but as a consolidated one, after `forget`."""
        root = "zarr.json" if self.zarr_format == 3 else ".zmetadata"
        if self._consolidated or not self._was_consolidated or name == root:
            return None
        document = self._document(root) or {}
        metadata = document.get("consolidated_metadata") if root == "zarr.json" else document
        documents = metadata.get("metadata") if isinstance(metadata, Mapping) else None
        key = name.rpartition("/")[0] if root == "zarr.json" else name
        found = documents.get(key) if isinstance(documents, Mapping) else None
        return found if isinstance(found, Mapping) else None

    def _asked(self, name: str) -> Mapping[str, Any] | None:
        try:
            data = self.store.get(name)
        except Exception as error:  # stores raise their own; what is no refusal is raised on
            if is_refused(error) and self._absent_is_refused():
                self.refusal = error
                return None
            raise
        if data is None:
            return None
        if self.store.is_far and is_a_page(data):
            where = f"{self.store.address}/{name}"
            self.refusal = SourceError(f"{where}: the server answers with a web page instead")
            return None
        same = self._decoded.get(data)
        if same is None:
            same = self._decoded[data] = decoded(data, f"{self.store.address}/{name}")
        return same

    def _absent_is_refused(self) -> bool:
        if self._refuses_absent is None:
            self._refuses_absent = absent_is_refused(self.store)
        return bool(self._refuses_absent)


def open_documents(store: ByteStore) -> Documents | None:
    """Look for a zarr hierarchy at the root of a store, of either format, in one round.

    Consolidated metadata, which may be older than the files, are used of far stores only.

    Returns
    -------
    Documents or None
        None if neither a group nor an array is there.

    Raises
    ------
    Exception
        The store cannot be reached, or it refuses all that could be there.
    """
    probe = Documents(store, 3)
    names = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
    tasks: list[Callable[[], Any]] = [partial(probe.raw, name) for name in names]
    found = POOL.run(tasks, POOL.new_turn()) if store.is_far else [_tried(task) for task in tasks]
    documents = {n: d for n, d in zip(names, found, strict=True) if isinstance(d, Mapping)}
    errors = {n: d for n, d in zip(names, found, strict=True) if isinstance(d, BaseException)}
    if "zarr.json" in documents:
        root = documents["zarr.json"]
        return Documents(store, 3, _consolidated_v3(root) if store.is_far else {"zarr.json": root})
    if documents:
        consolidated = documents.pop(".zmetadata", {}).get("metadata")
        is_alone = not documents  # then it cannot be older than the files
        is_used = store.is_far or is_alone
        at_hand = consolidated if isinstance(consolidated, Mapping) and is_used else {}
        absent = [n for n, d in zip(names, found, strict=True) if d is None and n not in at_hand]
        return Documents(store, 2, {**at_hand, **documents}, absent, is_alone)
    for error in [*errors.values(), probe.refusal]:
        if error is not None:
            raise error
    return None


def _consolidated_v3(document: Mapping[str, Any]) -> dict[str, Any]:
    consolidated = document.get("consolidated_metadata")
    metadata = consolidated.get("metadata") if isinstance(consolidated, Mapping) else None
    found = {"zarr.json": document}
    if isinstance(metadata, Mapping):
        found.update((f"{path}/zarr.json", value) for path, value in metadata.items())
    return found


def _tried(task: Callable[[], Any]) -> Any:
    try:
        return task()
    except Exception as error:  # stores raise their own; raised if nothing else is there
        return error


def is_a_page(data: bytes) -> bool:
    """Whether this is what servers of web pages send for what they do not have."""
    start = data[:64].lstrip()
    return not start or start.startswith(b"<")


def absent_is_refused(store: ByteStore) -> bool | None:
    """Whether a store refuses an object that it does not have; None if it gave no answer."""
    try:
        store.get(NOBODY_HAS)
    except Exception as error:  # stores raise their own; the first refusal is what is told
        return is_refused(error) or None
    return False


def decoded(data: bytes, where: str) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for null.

    Raises
    ------
    SourceError
        It is none.
    """
    if len(data) > LARGEST_DOCUMENT:
        raise SourceError(f"{where}: a document of {len(data)} bytes is no metadata")
    try:
        value = json.loads(_text(data))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: broken JSON: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SourceError(f"{where}: not a JSON object")
    return value


def _text(data: bytes) -> bytes | str:
    """Return JSON as text where it is not in Unicode, as it has to be."""
    try:
        data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # what older programs on Windows write
    return data
