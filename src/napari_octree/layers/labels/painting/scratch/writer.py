"""ScratchWriter: keeps a layer's edits on disk, in a worker, stroke by stroke.

Invariants: main thread, but for `_write`. What waits is written in one commit, so that a stroke is
on disk as a whole or not at all. If the disk fails, what was to be written waits for the next
stroke; memory has it meanwhile. The folder is made with the first stroke.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from weakref import WeakMethod

from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.labels.painting.edited_chunk import EditedChunk, Index
from napari_octree.layers.labels.painting.scratch.store import About, Kept, ScratchStore
from napari_octree.layers.main_loop import MAIN_LOOP

_WORKER = ThreadPoolExecutor(1, thread_name_prefix="napari-octree edits")
"""All layers' one: it makes its thread when it gets the first task."""


class _Folder:
    """What the worker knows: it outlives the writer, and does not keep it."""

    def __init__(self, base: Path, about: About) -> None:
        self.base, self.about = base, about
        self.store: ScratchStore | None = None
        self.waiting: dict[Index, EditedChunk] = {}
        self.saved: set[Index] = set()
        self.done: deque[dict[Index, int] | OSError] = deque()
        self.lock = threading.Lock()

    def write(self, on_done: Callable[[], None]) -> None:
        """Write what waits (worker)."""
        with self.lock:
            chunks, self.waiting = self.waiting, {}
            saved, self.saved = self.saved, set()
        if not chunks and not saved:
            return
        try:
            if self.store is None:
                self.store = ScratchStore.create(self.base, self.about)
            if chunks:
                self.store.keep({index: _kept_form(chunk) for index, chunk in chunks.items()})
            if saved:
                self.store.mark_saved(saved)
            self.done.append({index: chunk.revision for index, chunk in chunks.items()})
        except OSError as error:
            with self.lock:
                self.waiting = {**chunks, **self.waiting}
                self.saved |= saved
            self.done.append(error)
        on_done()

    def delete(self) -> None:
        """Remove the folder (worker)."""
        store, self.store = self.store, None
        if store is not None:
            store.delete()

    def close(self) -> None:
        """Write what waits, and end (any thread)."""
        _WORKER.submit(self._close)

    def _close(self) -> None:
        self.write(lambda: None)
        if self.store is not None:
            self.store.close()


class ScratchWriter:
    """Writes the edits of one layer to disk.

    Parameters
    ----------
    base : Path
        Where folders of edits are.
    about : About
    on_kept : bound method
        Gets the revisions of chunks that are on disk; held weakly.
    on_trouble : bound method
        Gets an error of the disk, once until something was written again; held weakly.
    """

    def __init__(
        self,
        base: Path,
        about: About,
        on_kept: Callable[[dict[Index, int]], None],
        on_trouble: Callable[[OSError], None],
    ) -> None:
        self._folder = _Folder(base, about)
        self._on_kept, self._on_trouble = WeakMethod(on_kept), WeakMethod(on_trouble)
        self._last: Future[None] | None = None
        self.has_failed = False
        when_gone(self, self._folder.close)

    @property
    def store(self) -> ScratchStore | None:
        """Where the edits are; None before anything was written."""
        return self._folder.store

    @property
    def is_lasting(self) -> bool:
        """What is kept can be restored in another session."""
        return self._folder.about.is_lasting

    @property
    def is_idle(self) -> bool:
        """Nothing is being written."""
        return self._last is None or self._last.done()

    def take(self, store: ScratchStore) -> None:
        """Go on in a folder that there is already."""
        self._folder.store, self._folder.about = store, store.about

    def keep(self, chunks: Mapping[Index, EditedChunk]) -> None:
        """Write chunks soon, as they are now."""
        with self._folder.lock:
            self._folder.waiting.update(chunks)
        self._start()

    def mark_saved(self, indices: list[Index]) -> None:
        """Note soon that the data have these chunks."""
        with self._folder.lock:
            waiting = self._folder.waiting
            self._folder.saved.update(indices)
            for index in indices:
                waiting.pop(index, None)
        self._start()

    def discard(self) -> None:
        """Forget all of it, and remove the folder soon."""
        with self._folder.lock:
            self._folder.waiting.clear()
            self._folder.saved.clear()
        self._last = _WORKER.submit(self._folder.delete)

    def flush(self, timeout: float = 30) -> bool:
        """Run the event loop until all is written, or could not be."""
        self._start().add_done_callback(lambda _: MAIN_LOOP.post(lambda: None))  # wakes the loop
        return MAIN_LOOP.run_until(lambda: self.is_idle, timeout)

    def wait(self, timeout: float) -> None:
        """Block until what waits is written, or could not be; no longer than `timeout` seconds."""
        if self._last is not None:
            wait([self._last], timeout)
            self._collect()

    def _start(self) -> Future[None]:
        self._last = _WORKER.submit(self._folder.write, MAIN_LOOP.poster(self._collect))
        return self._last

    def _collect(self) -> None:
        while self._folder.done:
            outcome = self._folder.done.popleft()
            on_kept, on_trouble = self._on_kept(), self._on_trouble()
            if isinstance(outcome, dict):
                self.has_failed = False
                if on_kept is not None:
                    on_kept(outcome)
            elif not self.has_failed:
                self.has_failed = True
                if on_trouble is not None:
                    on_trouble(outcome)


def in_worker(task: Callable[[], None]) -> None:
    """Run a task in the thread that writes edits, after what waits there."""
    _WORKER.submit(task)


def _kept_form(chunk: EditedChunk) -> Kept:
    """What is written to disk of a chunk: of a saved one no more than its pixels."""
    return Kept(chunk.values, None if chunk.saved else chunk.written)
