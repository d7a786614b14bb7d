"""EditedChunks: the boxes of what has been painted, in memory and on disk.

Invariants: a chunk that is held has the pixels that lie below it, and which of them were written.
Edits are user data: a chunk with written pixels leaves memory only if it is on disk as it is, and
comes back from there when it is asked for. Any thread may look; only the main thread writes.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from napari_octree.layers.labels.painting.edited_chunk import NEVER, EditedChunk, Index
from napari_octree.layers.labels.painting.scratch.store import Kept, ScratchStore
from napari_octree.sources.protocol import Region

CHUNK_SIDE = 256
"""Pixels a side of a chunk, on the last two axes; 1 on the others."""

logger = logging.getLogger("napari_octree.loader")


@dataclass(frozen=True, eq=False)
class Spilled:
    """A chunk that is on disk only.

    Attributes
    ----------
    store : ScratchStore
    state : EditedChunk
        Without arrays.
    """

    store: ScratchStore
    state: EditedChunk

    def load(self, index: Index) -> EditedChunk:
        """Read the chunk (any thread)."""
        kept = self.store.load(index)
        written = np.ones(kept.values.shape, np.bool_) if kept.written is None else kept.written
        state = self.state
        return replace(
            state, values=kept.values, written=written, sent=state.revision, kept=state.revision
        )


_NO_ARRAY = np.empty(0)


@dataclass
class _Counts:
    """Chunks by what is to be done with them."""

    written: set[Index] = field(default_factory=set)
    unsaved: set[Index] = field(default_factory=set)


class EditedChunks:
    """The chunks of one version of a layer's data that somebody wants to paint on, or has.

    Parameters
    ----------
    shape : tuple of int
        Of level 0.
    dtype : numpy.dtype
    chunk_shape : tuple of int, optional
        Of the boxes that are held; default: squares.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype, chunk_shape: Sequence[int] | None = None
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        side = chunk_shape or ([1] * (len(shape) - 2) + [CHUNK_SIDE] * 2)[-len(shape) :]
        self.chunk_shape = tuple(min(s, n) for s, n in zip(side, shape, strict=True))
        self._chunks: dict[Index, EditedChunk] = {}  # least recently used first
        self._spilled: dict[Index, Spilled] = {}
        self._counts = _Counts()
        self._nbytes = 0
        self._lock = threading.RLock()
        self.drops = 0
        """How often chunks were let go of: what was held may be so no more."""
        self.largest: int | None = None
        """The largest label that was painted."""
        self.on_damage: Callable[[Exception], None] = lambda error: None
        """Called (any thread) where a chunk on disk cannot be read any more."""

    def __bool__(self) -> bool:
        return bool(self._counts.written)

    def copy(self, clone: Callable[[ScratchStore], ScratchStore]) -> Self:
        """Return the same edits for another layer: each goes on by itself (main thread).

        Parameters
        ----------
        clone : callable
            Makes a copy of a store, if anything is on disk only.
        """
        other = type(self)(self.shape, self.dtype, self.chunk_shape)
        with self._lock:
            for index, chunk in self._chunks.items():
                if chunk.has_written:
                    other._chunks[index] = chunk.share()
                    other._chunks[index].is_shared = True
                    other._chunks[index].kept = other._chunks[index].sent = NEVER
            copies: dict[ScratchStore, ScratchStore] = {}
            for index, spilled in self._spilled.items():
                if spilled.store not in copies:
                    copies[spilled.store] = clone(spilled.store)
                other._spilled[index] = Spilled(copies[spilled.store], replace(spilled.state))
            other._counts = _Counts(set(self._counts.written), set(self._counts.unsaved))
        other._nbytes = sum(chunk.nbytes for chunk in other._chunks.values())
        other.largest = self.largest
        return other

    # ------------------------------------------------------------------ chunks

    @property
    def chunk_nbytes(self) -> int:
        """Bytes of a chunk in memory, with what was written of it."""
        return math.prod(self.chunk_shape) * (self.dtype.itemsize + 1)

    def box(self, index: Index) -> Region:
        """The region of a chunk."""
        return tuple(
            (i * c, min((i + 1) * c, n))
            for i, c, n in zip(index, self.chunk_shape, self.shape, strict=True)
        )

    def indices(self, region: Region) -> Iterator[Index]:
        """The chunks that touch a region."""
        return itertools.product(
            *[
                range(start // c, -(-stop // c))
                for (start, stop), c in zip(region, self.chunk_shape, strict=True)
            ]
        )

    def missing(self, region: Region) -> list[Index]:
        """The chunks of a region that are not held, neither in memory nor on disk."""
        return [
            index
            for index in self.indices(region)
            if index not in self._chunks and index not in self._spilled
        ]

    def hold(self, index: Index, values: np.ndarray) -> None:
        """Take in the pixels of a chunk, which belong to the edits from now on."""
        with self._lock:
            if index not in self._chunks and index not in self._spilled:
                values = np.array(values, self.dtype)
                self._put(index, EditedChunk(values, np.zeros(values.shape, np.bool_)))

    def drop_unwritten(self, region: Region) -> None:
        """Forget chunks of a region that nothing was written to (main thread)."""
        with self._lock:
            for index in self.indices(region):
                chunk = self._chunks.get(index)
                if chunk is not None and not chunk.has_written:
                    del self._chunks[index]
                    self._nbytes -= chunk.nbytes
                    self.drops += 1

    def drop_saved(self) -> None:
        """Forget what the data have, as these are read anew (main thread)."""
        with self._lock:
            unsaved = self._counts.unsaved
            self._chunks = {i: c for i, c in self._chunks.items() if i in unsaved}
            self._spilled = {i: s for i, s in self._spilled.items() if i in unsaved}
            self._counts.written &= unsaved
            self.drops += 1
            self._nbytes = sum(chunk.nbytes for chunk in self._chunks.values())

    @property
    def unsaved(self) -> list[Index]:
        """Chunks with pixels that are not in the data, in order."""
        with self._lock:
            return sorted(self._counts.unsaved)

    @property
    def written_chunks(self) -> list[Index]:
        """Chunks with written pixels, in order."""
        with self._lock:
            return sorted(self._counts.written)

    def chunk(self, index: Index) -> EditedChunk:
        """A held chunk as it is now, which stays so: for who reads it in another thread."""
        with self._lock:
            held = self._chunks.get(index)
            if held is not None:
                return held.share()
            spilled = self._spilled[index]
        return spilled.load(index)

    def revisions(self, indices: Iterable[Index]) -> dict[Index, int]:
        """Which state each of some chunks is in."""
        with self._lock:
            states = {index: self._state(index) for index in indices}
            return {i: state.revision for i, state in states.items() if state is not None}

    def mark_saved(self, revisions: dict[Index, int]) -> list[Index]:
        """Say that chunks are in the data as they were; returns those that still are so."""
        done = []
        with self._lock:
            for index, revision in revisions.items():
                state = self._state(index)
                if state is not None and state.revision == revision:
                    state.saved = True
                    self._counts.unsaved.discard(index)
                    done.append(index)
        return done

    def settle(self, indices: Iterable[Index]) -> list[Index]:
        """Find out which chunks are again as the data have them, after an undo (main thread)."""
        back = []
        with self._lock:
            for index in indices:
                chunk = self._chunks.get(index)
                if chunk is not None and not chunk.saved and chunk.is_clean:
                    chunk.saved = True
                    self._counts.unsaved.discard(index)
                    back.append(index)
        return back

    def _state(self, index: Index) -> EditedChunk | None:
        held, spilled = self._chunks.get(index), self._spilled.get(index)
        return spilled.state if held is None and spilled is not None else held

    def _put(self, index: Index, chunk: EditedChunk) -> None:
        self._chunks[index] = chunk
        self._nbytes += chunk.nbytes

    # ------------------------------------------------------------- memory and disk

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self._nbytes

    @property
    def on_disk(self) -> int:
        """Chunks that are on disk only."""
        return len(self._spilled)

    def to_keep(self) -> dict[Index, EditedChunk]:
        """Chunks that were not handed on as they are, to be written to disk in a worker."""
        with self._lock:
            new = {
                index: chunk
                for index, chunk in self._chunks.items()
                if chunk.has_written and chunk.sent != chunk.revision
            }
            for chunk in new.values():
                chunk.sent = chunk.revision
            return {index: chunk.share() for index, chunk in new.items()}

    def mark_kept(self, revisions: dict[Index, int]) -> None:
        """Say that chunks are on disk as they were (main thread)."""
        with self._lock:
            for index, revision in revisions.items():
                if (chunk := self._chunks.get(index)) is not None:
                    chunk.kept = revision

    def shrink(self, limit_bytes: int, store: ScratchStore | None) -> None:
        """Leave to disk what was not used for longest, until the rest fits (main thread)."""
        with self._lock:
            for index in list(self._chunks):
                if self._nbytes <= limit_bytes:
                    return
                chunk = self._chunks[index]
                if chunk.has_written:
                    if store is None or chunk.kept != chunk.revision:
                        continue
                    state = EditedChunk(
                        _NO_ARRAY, _NO_ARRAY, True, chunk.saved, chunk.clean, chunk.revision
                    )
                    self._spilled[index] = Spilled(store, state)
                del self._chunks[index]
                self._nbytes -= chunk.nbytes
                self.drops += 1

    def adopt(self, store: ScratchStore, indices: Iterable[Index]) -> None:
        """Take over unsaved chunks that are on disk; who has such chunks is asked before."""
        with self._lock:
            for index in indices:
                if index not in self._counts.written:
                    held = self._chunks.pop(index, None)
                    self._nbytes -= 0 if held is None else held.nbytes
                    state = EditedChunk(_NO_ARRAY, _NO_ARRAY, True, saved=False)
                    self._spilled[index] = Spilled(store, state)
                    self._counts.written.add(index)
                    self._counts.unsaved.add(index)

    def merge(self, index: Index, kept: Kept) -> None:
        """Take over a chunk, below what was written to it already (main thread)."""
        with self._lock:
            chunk = EditedChunk(kept.values.copy(), np.ones(kept.values.shape, np.bool_))
            if kept.written is not None:
                chunk.written = kept.written.copy()
            if index in self._chunks or index in self._spilled:
                upper = self._hot(index)
                chunk.values[upper.written] = upper.values[upper.written]
                chunk.written |= upper.written
                chunk.revision = upper.revision + 1
                self._nbytes -= upper.nbytes
            chunk.has_written, chunk.saved = True, False
            self._put(index, chunk)
            self._counts.written.add(index)
            self._counts.unsaved.add(index)

    def _hot(self, index: Index) -> EditedChunk:
        """A chunk in memory, the one used last (main thread)."""
        chunk = self._chunks.pop(index, None)
        if chunk is None:
            spilled = self._spilled[index]
            chunk = spilled.load(index)
            del self._spilled[index]
            self._nbytes += chunk.nbytes
        self._chunks[index] = chunk
        return chunk

    def _readable(self, index: Index) -> EditedChunk | None:
        """A chunk to look at; None where it has gone, or cannot be read."""
        chunk = self._chunks.get(index)
        if chunk is not None:
            return chunk
        spilled = self._spilled.get(index)
        if spilled is None:
            return None
        try:
            return spilled.load(index)
        except Exception as error:  # of disks, and of what others did to the folder
            logger.warning("what was painted in chunk %s cannot be read: %s", index, error)
            self.on_damage(error)
            return None

    def _touching(self, region: Region) -> Iterator[Index]:
        """Written chunks that touch a region: by whichever are fewer."""
        written: Collection[Index] = self._counts.written
        wanted = 1
        for (start, stop), c in zip(region, self.chunk_shape, strict=True):
            wanted *= -(-stop // c) - start // c
        if wanted < len(written):
            return (index for index in self.indices(region) if index in written)
        return (
            index
            for index in written
            if all(a < d and c < b for (a, b), (c, d) in zip(region, self.box(index), strict=True))
        )
