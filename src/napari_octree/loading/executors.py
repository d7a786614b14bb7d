"""Who does the work: threads of this process, other processes, or a dask cluster.

Invariants: `read` and `run` return at once (but for `InlineExecutor`); `done` is called exactly
once per read, in any thread, and never raises; whatever a read raises, BaseException included,
arrives as a value; no thread of ours keeps the interpreter from ending.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from napari_octree.loading.jobs import read_checked
from napari_octree.sources.protocol import Region, StorageArray

logger = logging.getLogger("napari_octree.loader")

Done = Callable[[np.ndarray | None, BaseException | None, float], None]
"""Called with pixels, error and seconds of a read."""


class Executor(Protocol):
    """Where reads and assemblies run."""

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Start a read; what is returned can be given to `cancel`."""
        ...

    def run(self, work: Callable[[], None]) -> None:
        """Run a short piece of work of this process."""
        ...

    def cancel(self, handle: object) -> None:
        """Nobody wants the read any more: end it if that is possible."""
        ...

    def write_off(self, handle: object) -> None:
        """The read hangs: do without its worker."""
        ...

    def close(self, wait_s: float) -> None:
        """Start nothing more; wait at most `wait_s` for what runs."""
        ...


def timed_read(storage: StorageArray, region: Region, done: Done) -> None:
    """Read a chunk and report to `done`."""
    started = time.perf_counter()
    pixels: np.ndarray | None = None
    error: BaseException | None = None
    try:
        pixels = read_checked(storage, region)
    except BaseException as raised:  # a reader is foreign code; the worker must survive it
        error = raised
    done(pixels, error, time.perf_counter() - started)


class InlineExecutor:
    """Does everything in the calling thread, which blocks: for tests and scripts."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()
        self._busy = False

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Read at once, or after what is being done."""
        self.run(lambda: timed_read(storage, region, done))
        return None

    def run(self, work: Callable[[], None]) -> None:
        """Work at once, or after what is being done (a queue, so that calls do not nest)."""
        self._waiting.append(work)
        with self._lock:
            if self._busy:
                return
            self._busy = True
            try:
                while self._waiting:
                    self._waiting.popleft()()
            finally:
                self._busy = False

    def cancel(self, handle: object) -> None:
        """Nothing is ever under way."""

    def write_off(self, handle: object) -> None:
        """Nothing is ever under way."""

    def close(self, wait_s: float) -> None:
        """Nothing is ever under way."""


class _Worker:
    """One thread of a `ThreadExecutor`."""

    __slots__ = ("next", "reading", "written_off")

    def __init__(self) -> None:
        self.reading: object = None
        self.next: tuple[object, Callable[[], None]] | None = None
        """What it does next: the first task that its present one gave rise to.

        A tile is so assembled by the thread that read its last chunk, which costs no
        hand-over between threads.
        """
        self.written_off = False


class ThreadExecutor:
    """Daemon threads that are started when needed, up to a number.

    Parameters
    ----------
    most : int
        Threads at most, written-off ones not counted.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._queue: SimpleQueue[tuple[object, Callable[[], None]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._workers: dict[_Worker, threading.Thread] = {}
        self._this = threading.local()
        self._unfinished = 0
        self._closed = False

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Read in a worker thread."""
        handle = object()
        self._submit(handle, lambda: timed_read(storage, region, done))
        return handle

    def run(self, work: Callable[[], None]) -> None:
        """Work in a worker thread."""
        self._submit(None, work)

    def cancel(self, handle: object) -> None:
        """A thread cannot be interrupted: the read goes on."""

    def write_off(self, handle: object) -> None:
        """Let another thread take the place of the one that hangs; it ends if it ever returns."""
        with self._lock:
            for worker in self._workers:
                if worker.reading is handle and not worker.written_off:
                    worker.written_off = True
                    self._unfinished -= 1
                    del self._workers[worker]
                    self._start_thread()
                    return

    def close(self, wait_s: float) -> None:
        """End all threads once they have finished what they do."""
        with self._lock:
            self._closed = True
            threads = list(self._workers.values())
        for _ in threads:
            self._queue.put(None)
        until = time.monotonic() + wait_s
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout=max(0.0, until - time.monotonic()))

    def _submit(self, handle: object, work: Callable[[], None]) -> None:
        worker: _Worker | None = getattr(self._this, "worker", None)
        if worker is not None and worker.next is None and not worker.written_off:
            worker.next = (handle, work)
            return
        with self._lock:
            if self._closed:
                return
            self._unfinished += 1
            if self._unfinished > len(self._workers) and len(self._workers) < self._most:
                self._start_thread()
            self._queue.put((handle, work))

    def _start_thread(self) -> None:
        worker = _Worker()
        thread = threading.Thread(
            target=self._work, args=(worker,), name="napari-octree-loader", daemon=True
        )
        self._workers[worker] = thread
        thread.start()

    def _work(self, worker: _Worker) -> None:
        self._this.worker = worker
        while (task := self._next_task(worker)) is not None:
            handle, work = task
            worker.reading = handle
            try:
                work()
            except BaseException:  # e.g. a client's `wake` that raises
                logger.exception("a worker's task failed")
            worker.reading = None
            del task, work

    def _next_task(self, worker: _Worker) -> tuple[object, Callable[[], None]] | None:
        """Return what to do next; None when there is no need of this worker any more."""
        task, worker.next = worker.next, None
        first = not hasattr(self._this, "started")
        self._this.started = True
        with self._lock:
            if worker.written_off:
                if task is not None and not self._closed:
                    self._unfinished += 1
                    self._queue.put(task)
                return None
            if task is None and not first:
                self._unfinished -= 1
        if task is None:
            task = self._queue.get()
        return None if self._closed else task
