"""One lock, one scheduler, one cache: what all loaders of a process share.

Invariants:

* One lock guards all state, it is held for microseconds, and nothing foreign (readers, `finish`,
  `wake`, listeners) is ever called under it.
* Every change goes through `change`: state changes under the lock, then what can start is
  started.
* The bytes in use, whoever uses them, stay below the least `ram_bytes` of those who have a
  client open.
* With nothing to do no thread wakes up.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.delay_queue import DelayQueue, Timer
from napari_octree.loading.executors.workers import ASSEMBLERS, Workers
from napari_octree.loading.request import LoadedTile
from napari_octree.loading.scheduling.jobs import AssembleJob, Made, ReadJob, ReadOutcome
from napari_octree.loading.scheduling.model import ClientList
from napari_octree.loading.scheduling.processors import processors_to_spare
from napari_octree.loading.scheduling.scheduler import Scheduler
from napari_octree.loading.statistics import LoaderStatistics, snapshot

logger = logging.getLogger("napari_octree.loader")

READ_LIMIT_S = 60.0
"""A read that takes longer is given up and counts as a time-out."""

T = TypeVar("T")


class Dispatcher:
    """Starts what can start, for all all_workers.

    Parameters
    ----------
    timer : Timer, optional
        The clock; a virtual one in tests.
    read_limit_s : float
        Reads that take longer are given up.
    seed : int, optional
        Of the jitter of retries.
    processors : int, optional
        For reads that compute; default: all but one.
    """

    def __init__(
        self,
        timer: Timer | None = None,
        read_limit_s: float = READ_LIMIT_S,
        seed: int | None = None,
        processors: int | None = None,
    ) -> None:
        self.cache = ChunkCache(0)
        spare = processors_to_spare() if processors is None else processors
        self.scheduler = Scheduler(self.cache, ASSEMBLERS, spare, random.Random(seed))
        self.lock = threading.Lock()
        self._timer: Timer = DelayQueue() if timer is None else timer
        self._read_limit_s = read_limit_s
        self._all_workers: dict[Workers, None] = {}
        self._next_due: float | None = None
        self._watching = False

    # ---- workers and clients ----

    def join(self, workers: Workers) -> None:
        """Let a workers work."""
        with self.lock:
            self._all_workers[workers] = None
            if not self.scheduler.clients:
                self.scheduler.set_limit(workers.ram_bytes)

    def leave(self, workers: Workers, wait_s: float) -> None:
        """Close a workers and its clients; with the last workers the dispatcher ends for good.

        Reads under way are waited for, at most `wait_s` seconds; they cannot be interrupted.
        """
        with self.lock:
            if workers not in self._all_workers:
                return
            del self._all_workers[workers]
            for wishes in [w for w in self.scheduler.clients if w.workers is workers]:
                self.scheduler.close(wishes)
            is_last = not self._all_workers
        if is_last:
            self._timer.close()
        workers.close(wait_s)

        def give_up(scheduler: Scheduler, now: float) -> None:
            # What its workers have not done may be waited for by clients of others.
            scheduler.give_up(workers, now)
            self._limit_memory()

        self.change(give_up)
        if is_last:
            with self.lock:
                self.cache.clear()

    @property
    def is_closed(self) -> bool:
        """Whether there is no workers."""
        return not self._all_workers

    def open(self, wake: Callable[[], None], workers: Workers) -> ClientList:
        """Start a list of wishes.

        Raises
        ------
        RuntimeError
            The workers has left.
        """
        wishes = ClientList(wake, workers)

        def enter(scheduler: Scheduler, now: float) -> None:
            if workers not in self._all_workers:
                raise RuntimeError("the loader is closed")
            scheduler.clients.append(wishes)
            self._limit_memory()

        self.change(enter)
        return wishes

    def close(self, wishes: ClientList) -> None:
        """End a list of wishes; a second call does nothing."""

        def leave(scheduler: Scheduler, now: float) -> None:
            scheduler.close(wishes)
            self._limit_memory()

        self.change(leave)

    def _limit_memory(self) -> None:
        limits = [wishes.workers.ram_bytes for wishes in self.scheduler.clients]
        if limits:
            self.scheduler.set_limit(min(limits))

    # ---- every change ----------------------------------------------------------------------

    def change(self, change: Callable[[Scheduler, float], T]) -> T:
        """Change the state, then start what can start now."""
        now = self._timer.now()
        scheduler = self.scheduler
        working_set = scheduler.working_set
        abandoned: list[ReadJob] = []
        with self.lock:
            result = change(scheduler, now)
            jobs = scheduler.next_jobs(now)
            woken, working_set.woken = working_set.woken, {}
            failures, working_set.failures = working_set.failures, []
            if scheduler.reads.abandoned:
                abandoned, scheduler.reads.abandoned = scheduler.reads.abandoned, []
            if self._all_workers:
                self._set_timers(now)
        for job in jobs:
            if isinstance(job, ReadJob):
                job.workers.read(job, _ReadDone(self, job))
            else:
                job.tile.client.workers.assemble(job, _AssemblyDone(self, job))
        for read in abandoned:
            read.workers.cancel(read)
        for workers, failure in failures:
            workers.tell(failure)
        for wishes in woken:
            wishes.wake()
        return result

    def take(self, wishes: ClientList) -> LoadedTile | None:
        """Hand out the best finished tile."""
        with self.lock:
            tile = self.scheduler.take(wishes)
            if not self.scheduler.is_short_of_memory:
                return tile
        self.change(lambda scheduler, now: None)  # with the memory that has become free
        return tile

    @property
    def statistics(self) -> LoaderStatistics:
        """A snapshot of all counts."""
        with self.lock:
            return snapshot(self.scheduler)

    # ---- time ------------------------------------------------------------------------------

    def _set_timers(self, now: float) -> None:
        due, set_for = self.scheduler.next_due, self._next_due
        if due is None:
            if set_for is not None:
                self._next_due = None
                self._timer.cancel("delays")
        elif set_for is None or due < set_for:  # one that is too early looks again
            self._next_due = due
            self._timer.call_at("delays", due, self._delays_over)
        reading = bool(self.scheduler.reads.running)
        if reading != self._watching:
            self._watching = reading
            if reading:
                self._watch_reads()
            else:
                self._timer.cancel("late reads")

    def _delays_over(self) -> None:
        self._next_due = None
        self.change(lambda scheduler, now: scheduler.time_passed(now))

    def _late_reads(self) -> None:
        overdue, given_up = self.change(
            lambda scheduler, now: scheduler.late_reads(self._read_limit_s, now)
        )
        for job in overdue:
            job.workers.executor.set_apart(job.handle)
        for job in given_up:
            job.workers.executor.write_off(job.handle)
        with self.lock:
            self._watch_reads()

    def _watch_reads(self) -> None:
        due = self.scheduler.reads.next_late(self._read_limit_s)
        self._watching = due is not None
        if due is not None:
            self._timer.call_at("late reads", due, self._late_reads)


class _ReadDone:
    """What becomes of one read.

    A tile that needs no other chunk is made before the state changes: one change does for both.
    """

    __slots__ = ("_dispatcher", "_job")

    def __init__(self, dispatcher: Dispatcher, job: ReadJob) -> None:
        self._dispatcher = dispatcher
        self._job = job

    def __call__(self, outcome: ReadOutcome) -> None:
        job, tile, made = self._job, self._job.tile, None
        if tile is not None and tile.listed and outcome.error is None:
            part = job.chunk.chunk_id.region, outcome.pixels
            made = job.workers.make_of_chunk(tile.request, part)
        self._dispatcher.change(
            lambda scheduler, now: scheduler.read_finished(job, outcome, made, now)
        )


class _AssemblyDone:
    """What becomes of one assembly."""

    __slots__ = ("_dispatcher", "_job")

    def __init__(self, dispatcher: Dispatcher, job: AssembleJob) -> None:
        self._dispatcher = dispatcher
        self._job = job

    def __call__(self, made: Made) -> None:
        job = self._job
        self._dispatcher.change(lambda scheduler, _: scheduler.assembled(job, made))
