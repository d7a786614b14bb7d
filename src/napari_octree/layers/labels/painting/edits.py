"""LabelEdits: what has been painted, above data that stay as they are.

Invariants: a chunk that is held has the pixels that lie below it, and which of them were written;
only pixels that changed count as written. Edits are user data: a chunk with written pixels leaves
memory only if it is on disk as it is, and comes back from there when it is asked for. Any thread
may look; only the main thread writes.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from napari_octree.layers.labels.painting.edited_chunk import NEVER, EditedChunk
from napari_octree.layers.labels.painting.scratch_store import Kept, ScratchStore
from napari_octree.sources.protocol import Region

Index = tuple[int, ...]

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


class LabelEdits:
    """The edits of one version of a layer's data.

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

    def copy(self, clone: Callable[[ScratchStore], ScratchStore]) -> LabelEdits:
        """Return the same edits for another layer: each goes on by itself (main thread).

        Parameters
        ----------
        clone : callable
            Makes a copy of a store, if anything is on disk only.
        """
        other = LabelEdits(self.shape, self.dtype, self.chunk_shape)
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

    # ------------------------------------------------------------------ pixels

    def read(self, region: Region) -> np.ndarray:
        """The pixels of a region, all of whose chunks are held; a copy (main thread)."""
        with self._lock:
            result = np.empty([stop - start for start, stop in region], self.dtype)
            for index in self.indices(region):
                target, part = _overlap(region, self.box(index))
                result[target] = self._hot(index).values[part]
            return result

    def write(self, region: Region, values: np.ndarray) -> Region | None:
        """Set the pixels of a region, all of whose chunks are held: all, or none if it raises.

        Returns
        -------
        region or None
            Pixels have changed there, and nowhere else.
        """
        values = np.asarray(values, self.dtype)
        values = np.broadcast_to(values, [stop - start for start, stop in region])
        changes = []
        with self._lock:
            for index in self.indices(region):
                box = self.box(index)
                source, part = _overlap(region, box)
                chunk = self._hot(index)
                new = values[source]
                differs = chunk.values[part] != new
                if differs.any():
                    chunk.remember_clean()
                    chunk.own()
                    changes.append((index, chunk, part, new, differs))
            for index, chunk, part, new, differs in changes:
                chunk.values[part] = new
                chunk.written[part] |= differs
                chunk.has_written, chunk.saved = True, False
                chunk.revision += 1
                self._counts.written.add(index)
                self._counts.unsaved.add(index)
        if not changes:
            return None
        largest = int(values.max())
        self.largest = largest if self.largest is None else max(self.largest, largest)
        boxes = [self.box(index) for index, *_ in changes]
        return tuple(
            (max(start, min(pair[0] for pair in axis)), min(stop, max(pair[1] for pair in axis)))
            for (start, stop), axis in zip(region, zip(*boxes, strict=True), strict=True)
        )

    def known(self, region: Region) -> np.ndarray | None:
        """All pixels of a region of level 0, painted or not; None where they are not in memory."""
        with self._lock:
            if any(index not in self._chunks for index in self.indices(region)):
                return None
            return self.read(region)

    def overlay(self, places: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        """What was written at a grid of places.

        Parameters
        ----------
        places : sequence of int arrays
            Per axis pixels of level 0, rising; the grid is their product.

        Returns
        -------
        values, written : arrays of the grid's shape
            None if nothing was.
        """
        if not self._counts.written or any(not len(axis) for axis in places):
            return None
        region = tuple((int(axis[0]), int(axis[-1]) + 1) for axis in places)
        found: tuple[np.ndarray, np.ndarray] | None = None
        with self._lock:
            touching = list(self._touching(region))
        for index in touching:
            box = self.box(index)
            spans = [
                slice(*np.searchsorted(axis, bounds))
                for axis, bounds in zip(places, box, strict=True)
            ]
            if any(span.start == span.stop for span in spans):
                continue
            picked = np.ix_(
                *[
                    axis[span] - bounds[0]
                    for axis, span, bounds in zip(places, spans, box, strict=True)
                ]
            )
            with self._lock:
                chunk = self._readable(index)
                written = None if chunk is None else chunk.written[picked]
                values = None if chunk is None else chunk.values[picked]
            if written is None or not written.any():
                continue
            if found is None:
                shape = [len(axis) for axis in places]
                found = np.zeros(shape, self.dtype), np.zeros(shape, np.bool_)
            found[0][tuple(spans)] = values
            found[1][tuple(spans)] = written
        return found

    def onto(self, block: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
        """Return `block`, or a copy with what was written at its places."""
        found = self.overlay(places)
        if found is None:
            return block
        values, written = found
        return np.where(written, values, block).astype(block.dtype, copy=False)

    def value(self, place: Sequence[int]) -> np.generic | None:
        """The label of one pixel of level 0, if its chunk is held."""
        index = tuple(p // c for p, c in zip(place, self.chunk_shape, strict=True))
        with self._lock:
            chunk = self._readable(index)
        if chunk is None:
            return None
        value: np.generic = chunk.values[
            tuple(p - start for p, (start, _) in zip(place, self.box(index), strict=True))
        ]
        return value

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


def kept_form(chunk: EditedChunk) -> Kept:
    """What is written to disk of a chunk: of a saved one no more than its pixels."""
    return Kept(chunk.values, None if chunk.saved else chunk.written)


def _overlap(region: Region, box: Region) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a box lies in a region, and what of the box that is."""
    within, part = [], []
    for (start, stop), (first, last) in zip(region, box, strict=True):
        low, high = max(start, first), min(stop, last)
        within.append(slice(low - start, high - start))
        part.append(slice(low - first, high - first))
    return tuple(within), tuple(part)
