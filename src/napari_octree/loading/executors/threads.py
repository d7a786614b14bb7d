"""Worker threads.

Invariants: threads are started when needed, up to a number, or as many as the system allows; they
are daemons, so that none keeps the interpreter from ending; a thread whose read may hang is set
apart: another one takes its place, and it does nothing more once it has told the end of its read.
At most `APART` times the number are apart; more are waited for.

What a piece of work gives rise to is done by the same thread where nothing else has to wait for
it: a tile is assembled by the thread that read its last chunk, which then, if the source is fast,
reads the next one. That saves two hand-overs between threads for each chunk. Of a slow source
the next read starts at once in another thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from napari_octree.loading.executors.executor import Done, timed_read
from napari_octree.loading.work import ReadOutcome
from napari_octree.sources.protocol import Region, StorageArray

logger = logging.getLogger("napari_octree.loader")

HAND_OVER_S = 0.02
"""Reads that take longer do not wait for assemblies; what others lose so is little, and less than
two threads cost that work in turns, as only one of them can have the interpreter."""

BRIEF_S = 0.001
"""Assemblies that take longer do not wait for each other."""

APART = 8
"""Threads that hang, for each that may work: none of them can be ended."""

Task = tuple[object, Callable[[], None]]
"""A handle (None if it is no read), and what to do."""


class _Worker:
    """One thread."""

    __slots__ = ("apart", "at_its_end", "brief_s", "next_brief", "next_read", "read_s", "reading")

    def __init__(self) -> None:
        self.reading: object = None
        self.at_its_end = False
        """What it does now takes no time any more."""
        self.read_s = 0.0
        """What its latest read took."""
        self.brief_s = 0.0
        """What its latest brief task took."""
        self.next_brief: deque[Task] = deque()
        """What it does next."""
        self.next_read: Task | None = None
        """What it reads after that."""
        self.apart = False
        """Another one has taken its place."""

    def keep(self, task: Task, brief: bool) -> bool:
        """Do `task` next if it need not wait for long."""
        if self.apart or not self.at_its_end:
            return False
        if brief:
            if self.next_brief and self.brief_s > BRIEF_S:
                return False
            self.next_brief.append(task)
            return True
        if self.next_read is not None or (self.next_brief and self.read_s > HAND_OVER_S):
            return False
        self.next_read = task
        return True

    def next(self) -> Task | None:
        """Return a kept task."""
        if self.next_brief:
            return self.next_brief.popleft()
        task, self.next_read = self.next_read, None
        return task


class ThreadExecutor:
    """Daemon threads.

    Parameters
    ----------
    most : int
        Threads at most, those set apart not counted.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._queue: SimpleQueue[Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._workers: dict[_Worker, threading.Thread] = {}
        self._this = threading.local()
        self._unfinished = 0
        self._apart = 0
        self._closed = False

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Read in a worker thread."""
        handle = object()
        self._submit((handle, lambda: self._read(storage, region, done)), brief=False)
        return handle

    def run(self, work: Callable[[], None], brief: bool = True) -> None:
        """Work in a worker thread."""
        self._submit((None, work), brief)

    def _read(self, storage: StorageArray, region: Region, done: Done) -> None:
        outcome = self._timed(storage, region)
        worker: _Worker = self._this.worker
        worker.read_s = outcome.seconds
        worker.at_its_end = True
        done(outcome)

    def _timed(self, storage: StorageArray, region: Region) -> ReadOutcome:
        return timed_read(storage, region)

    def cancel(self, handle: object) -> None:
        """Threads cannot be interrupted: the read goes on."""

    def set_apart(self, handle: object) -> None:
        """Start a thread in place of the one that may hang; that one ends if it ever returns."""
        with self._lock:
            for worker in self._workers:
                if worker.reading is handle:
                    if (
                        self._apart < APART * self._most
                        and not self._closed
                        and self._start_thread()
                    ):
                        worker.apart = True
                        self._apart += 1
                        self._unfinished -= 1
                        del self._workers[worker]
                    return

    def time_out(self, handle: object) -> None:
        """As `set_apart`; threads cannot be interrupted."""
        self.set_apart(handle)

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

    def _submit(self, task: Task, brief: bool) -> None:
        worker: _Worker | None = getattr(self._this, "worker", None)
        if worker is not None and worker.keep(task, brief):
            return
        with self._lock:
            if self._closed:
                return
            if (
                self._unfinished >= len(self._workers)
                and len(self._workers) < self._most
                and not self._start_thread()
                and not self._workers
            ):
                raise OSError("no thread can be started")
            self._unfinished += 1
            self._queue.put(task)

    def _start_thread(self) -> bool:
        """Start one more thread, if the system lets us."""
        worker = _Worker()
        thread = threading.Thread(
            target=self._work, args=(worker,), name="napari-octree-loader", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # "can't start new thread": those there are do the work
            logger.warning("one thread less reads: %s", error)
            return False
        self._workers[worker] = thread
        return True

    def _work(self, worker: _Worker) -> None:
        self._this.worker = worker
        self._work_on(worker)
        self._thread_ends()

    def _thread_ends(self) -> None:
        """Free what the calling worker thread has of its own."""

    def _work_on(self, worker: _Worker) -> None:
        while not self._closed and (task := self._queue.get()) is not None:
            while task is not None and not self._closed:
                if worker.apart:
                    self._submit(task, brief=False)
                else:
                    worker.reading, work = task
                    worker.at_its_end = worker.reading is None
                    started = time.perf_counter()
                    try:
                        work()
                    except BaseException:  # e.g. a client's `wake` that raises
                        logger.exception("a worker's task failed")
                    if worker.reading is None:
                        worker.brief_s = time.perf_counter() - started
                    worker.reading = None
                    del work
                task = worker.next()
            with self._lock:
                if worker.apart:
                    self._apart -= 1
                    return
                self._unfinished -= 1
