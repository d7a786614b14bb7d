"""ScratchStore: what was painted on a layer, on disk: for memory's sake, and to survive a crash.

Invariants: worker threads write, any thread reads. A folder of its own, made by one process: a
description (`about.json`) and a zarr group with two arrays of level 0's shape, `values` and
`written`, of which only painted chunks exist. A chunk without `written` is in the data too. What
is kept in one call is there as a whole or not at all, also after a crash: it is first written to
a file of its own, which is renamed, and then carried out. Nothing but numbers and JSON is read.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import socket
import threading
import uuid
import weakref
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr
from zarr.storage import MemoryStore

from napari_octree.layers.labels.painting.edited_chunk import Index
from napari_octree.sources.stores.own_codecs import own_codecs

logger = logging.getLogger("napari_octree.loader")

ARRAYS = ("values", "written")
ABOUT = "about.json"
COMMIT = "commit.zip"
DELETED = "deleted.json"


@dataclass(frozen=True)
class About:
    """Whose edits these are.

    Attributes
    ----------
    source : str
        Where level 0 is stored.
    shape, chunk_shape : tuple of int
        Of level 0, and of the chunks of edits.
    dtype : str
    layer : str
        Its name.
    is_lasting : bool
        The source can be opened again, by its name.
    was_offered : bool
        Somebody was asked whether to restore them.
    process : (int, float)
        Number and start of the process that writes here.
    host : str
    """

    source: str
    shape: Index
    chunk_shape: Index
    dtype: str
    layer: str
    is_lasting: bool = True
    was_offered: bool = False
    process: tuple[int, float] = (0, 0.0)
    host: str = ""

    def is_of(self, other: About) -> bool:
        """Whether both are of the same labels."""
        mine = (self.source, self.shape, self.dtype)
        return self.is_lasting and mine == (other.source, other.shape, other.dtype)


@dataclass(frozen=True, eq=False)
class Kept:
    """A chunk as it is on disk; `written` is None if the data have it too."""

    values: np.ndarray
    written: np.ndarray | None


class ScratchStore:
    """The edits of one layer.

    Parameters
    ----------
    folder : Path
        Its own.
    about : About
    """

    def __init__(self, folder: Path, about: About) -> None:
        self.folder, self.about = folder, about
        self._lock = threading.Lock()
        self._arrays = {name: self._open(name) for name in ARRAYS}
        LIVE.add(self)

    @classmethod
    def create(cls, base: Path, about: About) -> ScratchStore:
        """Make a folder in `base`.

        Raises
        ------
        OSError
            There cannot be one.
        """
        about = replace(about, process=_this_process(), host=socket.gethostname())
        folder = base / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        group = zarr.create_group(folder / "edits.zarr")
        for name in ARRAYS:
            _create_array(group.store, name, about)
        _write(folder / ABOUT, json.dumps(asdict(about)).encode())
        return cls(folder, about)

    @classmethod
    def open(cls, folder: Path) -> ScratchStore:
        """Open a folder, and carry out what was to be written when its process ended.

        Raises
        ------
        OSError, ValueError
            It is none, or damaged.
        """
        store = cls(folder, read_about(folder / ABOUT))
        store._carry_out()
        return store

    def claim(self) -> ScratchStore:
        """Take over a folder that was left behind.

        Raises
        ------
        OSError
            Another process has.
        """
        folder = self.folder.with_name(f"{os.getpid()}-{uuid.uuid4().hex[:8]}")
        self.folder.rename(folder)
        LIVE.discard(self)
        claimed = ScratchStore(folder, self.about)
        claimed.describe(process=_this_process(), host=socket.gethostname())
        return claimed

    def clone(self) -> ScratchStore:
        """Return a copy in a folder of its own."""
        folder = self.folder.with_name(f"{os.getpid()}-{uuid.uuid4().hex[:8]}")
        with self._lock:
            shutil.copytree(self.folder, folder)
        copy = ScratchStore(folder, self.about)
        copy._carry_out()
        return copy

    def describe(self, **changes: Any) -> None:
        """Change what `about` says."""
        self.about = replace(self.about, **changes)
        _write(self.folder / ABOUT, json.dumps(asdict(self.about)).encode())

    # ------------------------------------------------------------------ pixels

    def keep(self, chunks: Mapping[Index, Kept]) -> None:
        """Write chunks, all or none.

        Raises
        ------
        OSError
            The disk is full, or any such thing.
        """
        batch: dict[str, Any] = {}
        memory = MemoryStore(batch)
        arrays = {name: _create_array(memory, name, self.about) for name in ARRAYS}
        deleted = []
        for index, kept in chunks.items():
            box = self._box(index)
            arrays["values"][box] = kept.values
            if kept.written is not None and kept.written.any():
                arrays["written"][box] = kept.written
            else:
                deleted.append(self._key("written", index))
            if self._key("values", index) not in batch:  # nothing but 0: zarr writes none
                deleted.append(self._key("values", index))
        files = {key: value.to_bytes() for key, value in batch.items() if "/c/" in key}
        self._commit(files, deleted)

    def mark_saved(self, indices: Iterable[Index]) -> None:
        """Say that chunks are in the data now."""
        self._commit({}, [self._key("written", index) for index in indices])

    def load(self, index: Index) -> Kept:
        """Read a chunk (any thread)."""
        box = self._box(index)
        with self._lock:
            values = np.array(self._arrays["values"][box])
            is_unsaved = (self.folder / "edits.zarr" / self._key("written", index)).exists()
            written = np.array(self._arrays["written"][box]) if is_unsaved else None
        return Kept(values, written)

    def unsaved(self) -> list[Index]:
        """Chunks that are not in the data, in order."""
        folder = self.folder / "edits.zarr" / "written" / "c"
        depth = len(self.about.shape)
        return sorted(
            tuple(int(part) for part in path.relative_to(folder).parts)
            for path in folder.glob("/".join("*" * depth))
            if all(part.isdigit() for part in path.relative_to(folder).parts)
        )

    def _open(self, name: str) -> Any:
        with own_codecs():
            return zarr.open_array(self.folder / "edits.zarr", path=name, mode="r")

    def _key(self, name: str, index: Index) -> str:
        return f"{name}/c/" + "/".join(map(str, index))

    def _box(self, index: Index) -> tuple[slice, ...]:
        return tuple(
            slice(i * c, min((i + 1) * c, n))
            for i, c, n in zip(index, self.about.chunk_shape, self.about.shape, strict=True)
        )

    # ----------------------------------------------------------------- commits

    def _commit(self, files: Mapping[str, bytes], deleted: Iterable[str]) -> None:
        target = self.folder / COMMIT
        part = target.with_suffix(".part")
        try:
            with part.open("wb") as stream:
                with zipfile.ZipFile(stream, "w") as archive:
                    for key, data in files.items():
                        archive.writestr(key, data)
                    archive.writestr(DELETED, json.dumps(list(deleted)))
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._carry_out()

    def _carry_out(self) -> None:
        """Do what the last commit says, if it was not done yet."""
        commit = self.folder / COMMIT
        if not commit.exists():
            return
        root = self.folder / "edits.zarr"
        with self._lock:
            with zipfile.ZipFile(commit) as archive:
                for key in archive.namelist():
                    if key != DELETED and ".." not in key:
                        path = root / key
                        path.parent.mkdir(parents=True, exist_ok=True)
                        _write(path, archive.read(key))
                for key in json.loads(archive.read(DELETED)):
                    if ".." not in key:
                        (root / key).unlink(missing_ok=True)
            commit.unlink()

    # --------------------------------------------------------------------- end

    def close(self) -> None:
        """End the use: what is not saved and can be opened again stays, all else goes."""
        if self in LIVE:
            LIVE.discard(self)
            try:
                stays = self.about.is_lasting and bool(self.unsaved())
            except OSError:
                stays = True
            if not stays:
                self.delete()

    def delete(self) -> None:
        """Remove the folder."""
        LIVE.discard(self)
        shutil.rmtree(self.folder, ignore_errors=True)


LIVE: weakref.WeakSet[ScratchStore] = weakref.WeakSet()
"""Those that layers of this process use."""


def read_about(path: Path) -> About:
    """Return what a folder's `about.json` says."""
    values = json.loads(path.read_text())
    lists = {name: tuple(values[name]) for name in ("shape", "chunk_shape", "process")}
    return About(**{**values, **lists})


@own_codecs()
def _create_array(store: Any, name: str, about: About) -> Any:
    return zarr.create_array(
        store,
        name=name,
        shape=about.shape,
        chunks=about.chunk_shape,
        dtype=np.dtype(about.dtype) if name == "values" else np.dtype(np.bool_),
        fill_value=0,
    )


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def _this_process() -> tuple[int, float]:
    return os.getpid(), psutil.Process().create_time()


@atexit.register
def _close_all() -> None:
    for store in list(LIVE):
        store.close()
