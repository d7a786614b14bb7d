"""KeptEdits: where the edits of a layer are: in memory up to a bound, and on disk.

Invariants: main thread. What memory has no room for lies on disk; where the disk cannot follow, a
stroke's end waits for it. Edits of labels that can be opened again by their name are on disk
stroke by stroke: they outlive a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakMethod

from napari_octree.layers.labels.painting.edited_chunk import Index
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.layers.labels.painting.scratch.recovery import stores_in
from napari_octree.layers.labels.painting.scratch.store import About, ScratchStore
from napari_octree.layers.labels.painting.scratch.writer import ScratchWriter

CROWDED, FULL = 1.25, 2.0
"""Of their share of memory: with more a stroke waits for the disk when it ends; is not painted."""

BRIEFLY_S, PATIENTLY_S = 0.2, 30.0
"""How long it waits. Only code that paints without a pause gets so far."""


@dataclass(frozen=True)
class Keeping:
    """How edits are to be kept.

    Attributes
    ----------
    folder : Path
        Where folders of edits are made.
    about : About
        What is noted of the labels in such a folder.
    limit_bytes : int
        The edits' share of memory.
    """

    folder: Path
    about: About
    limit_bytes: int


class KeptEdits:
    """The edits of one version of a layer's data.

    Parameters
    ----------
    edits : LabelEdits
    on_trouble : bound method
        Gets an error of the disk, once until something was written again; held weakly.
    """

    def __init__(self, edits: LabelEdits, on_trouble: Callable[[OSError], None]) -> None:
        self.edits = edits
        self._on_trouble = WeakMethod(on_trouble)
        self._writer: ScratchWriter | None = None
        self._limit_bytes = 0

    @property
    def store(self) -> ScratchStore | None:
        """What is on disk; None before anything is."""
        return None if self._writer is None else self._writer.store

    @property
    def has_failed(self) -> bool:
        """The disk took nothing, the last time."""
        return self._writer is not None and self._writer.has_failed

    def pressure(self, limit_bytes: int) -> float:
        """How much of their share of memory the edits take: 1 is all of it."""
        return self.edits.nbytes / limit_bytes

    def is_full(self, limit_bytes: int) -> bool:
        """Memory has more than it should, and the disk takes nothing, or far too slowly."""
        writer = self._writer
        if writer is None or self.pressure(limit_bytes) <= FULL:
            return False
        return writer.has_failed or not writer.is_idle

    def keep(self, how: Keeping) -> None:
        """Write to disk what is to be there, and let memory have no more than its share."""
        edits, writer, limit = self.edits, self._opened(how), how.limit_bytes
        self._limit_bytes = limit
        if writer.is_lasting or edits.nbytes > limit:
            chunks = edits.to_keep()
            if chunks or writer.has_failed:
                writer.keep(chunks)
        edits.shrink(limit, writer.store)
        pressure = self.pressure(limit)
        if pressure > CROWDED and not writer.is_idle:
            writer.wait(BRIEFLY_S if pressure < FULL - 0.25 else PATIENTLY_S)

    def flush(self, how: Keeping, timeout: float = 30) -> bool:
        """Run the event loop until all is written, or could not be; whether that was in time."""
        return self._opened(how).flush(timeout)

    def mark_saved(self, revisions: dict[Index, int]) -> None:
        """Note that the data have these chunks, as of these revisions."""
        saved = self.edits.mark_saved(revisions)
        if self._writer is not None and self._writer.store is not None:
            self._writer.mark_saved(saved)

    def discard(self) -> None:
        """Remove soon what is on disk."""
        if self._writer is not None:
            self._writer.discard()

    def restore(self, how: Keeping) -> tuple[int, bool]:
        """Take back what sessions that ended without saving have left; what is here stays.

        Returns
        -------
        restored : int
            How many chunks.
        is_all : bool
            False if some are cut in another way than what was painted since.
        """
        writer = self._opened(how)
        restored, is_all = 0, True
        for left in stores_in(how.folder, how.about):
            try:
                store = left.claim()
            except OSError:
                continue  # another process took it
            indices, chunk_shape = store.unsaved(), store.about.chunk_shape
            if not self.edits and writer.store is None:
                self.edits = LabelEdits(self.edits.shape, self.edits.dtype, chunk_shape)
                self.edits.adopt(store, indices)
                writer.take(store)
            elif chunk_shape != self.edits.chunk_shape:
                is_all = False
                continue
            else:
                for index in indices:
                    self.edits.merge(index, store.load(index))
                self.keep(how)
                if self.flush(how) and not writer.has_failed:
                    store.delete()
            restored += len(indices)
        return restored, is_all

    def _opened(self, how: Keeping) -> ScratchWriter:
        if self._writer is None:
            self._writer = ScratchWriter(how.folder, how.about, self._on_kept, self._on_error)
        return self._writer

    def _on_kept(self, revisions: dict[Index, int]) -> None:
        self.edits.mark_kept(revisions)
        self.edits.shrink(self._limit_bytes, self.store)

    def _on_error(self, error: OSError) -> None:
        on_trouble = self._on_trouble()
        if on_trouble is not None:
            on_trouble(error)
