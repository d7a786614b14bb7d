"""One lock, one scheduler, one cache: what all loaders of a process share.

Invariants:

* One lock guards all state, it is held for microseconds, and nothing foreign (readers, `finish`,
  `wake`, listeners) is ever called under it.
* Every change goes through `change`: state changes under the lock, then what can start is
  started; what cannot be started counts as failed, and holds up nothing else. Only `take` and
  `assembled` look first whether anything can: mostly nothing can, and to look is cheaper.
* The bytes in use, whoever uses them, stay below the least `ram_bytes` of those who have a
  client open.
* With nothing to do no thread wakes up.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.delay_queue import DelayQueue, Timer
from napari_octree.loading.executors.workers import ASSEMBLERS, Workers
from napari_octree.loading.request import LoadedTile
from napari_octree.loading.scheduling.jobs import AssembleJob, ReadJob
from napari_octree.loading.scheduling.model import ClientList
from napari_octree.loading.scheduling.pools import ClientSettings
from napari_octree.loading.scheduling.scheduler import Scheduler
from napari_octree.loading.scheduling.source_record import processors_to_spare
from napari_octree.loading.statistics import LoaderStatistics
from napari_octree.loading.work import Made, ReadOutcome
from napari_octree.sources.kept_bytes import KEPT, STEP

logger = logging.getLogger("napari_octree.loader")

READ_LIMIT_S = 60.0
"""A read that takes longer has timed out."""

T = TypeVar("T")


class Dispatcher:
    """Starts what can start, for all configurations.

    Parameters
    ----------
    timer : Timer, optional
        The clock; a virtual one in tests.
    read_limit_s : float
        Reads that take longer time out.
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
        self._kept_bytes = 0  # by sources, when the limit of memory was last set
        self._workers: dict[ClientSettings, Workers] = {}
        self._next_due: float | None = None
        self._watching = False

    # ---- workers and clients ---------------------------------------------------------------

    def join(self, settings: ClientSettings, workers: Workers) -> None:
        """Let `workers` work for the clients with these settings."""
        with self.lock:
            if isinstance(self._timer, DelayQueue) and self._timer.is_closed:
                self._timer = DelayQueue()  # others have been here, and have left
            self._workers[settings] = workers
            if not self.scheduler.clients:
                self.scheduler.set_limit(settings.ram_bytes)

    def leave(self, settings: ClientSettings, wait_s: float) -> None:
        """Close the clients with these settings and end their workers.

        With the last workers the cache is emptied and the timers end, until others join. Reads
        under way are waited for, at most `wait_s` seconds; they cannot be interrupted.
        """
        with self.lock:
            workers = self._workers.pop(settings, None)
            if workers is None:
                return
            for requests in [c for c in self.scheduler.clients if c.settings is settings]:
                self.scheduler.close(requests)
            is_last = not self._workers
            if is_last:
                self._next_due, self._watching = None, False
                self._timer.close()
        workers.close(wait_s)

        def end_jobs(scheduler: Scheduler, now: float) -> None:
            # What its workers have not done may be waited for by clients of others.
            scheduler.workers_left(settings, now)
            self._limit_memory()

        self.change(end_jobs)
        with self.lock:
            if not self._workers:
                self.cache.clear()

    def open(self, wake: Callable[[], None], settings: ClientSettings) -> ClientList:
        """Start a list of requests.

        Raises
        ------
        RuntimeError
            The workers for these settings have left.
        """
        requests = ClientList(wake, settings)

        def enter(scheduler: Scheduler, now: float) -> None:
            if settings not in self._workers:
                raise RuntimeError("the loader is closed")
            scheduler.clients.append(requests)
            self._limit_memory()

        self.change(enter)
        return requests

    def close(self, requests: ClientList) -> None:
        """End a list of requests; a second call does nothing."""

        def leave(scheduler: Scheduler, now: float) -> None:
            scheduler.close(requests)
            self._limit_memory()

        self.change(leave)

    def _limit_memory(self) -> None:
        limits = [requests.settings.ram_bytes for requests in self.scheduler.clients]
        if limits:
            self._kept_bytes = KEPT.nbytes
            self.scheduler.set_limit(KEPT.left_of(min(limits)))

    # ---- every change ----------------------------------------------------------------------

    def change(self, change: Callable[[Scheduler, float], T]) -> T:
        """Change the state, then start what can start now."""
        lost: list[tuple[ReadJob | AssembleJob, Exception]] = []
        result = self._change(change, lost)
        while lost:  # a loop, as what fails to start may let others start, which fail as well
            job, error = lost.pop()
            if isinstance(job, ReadJob):
                outcome = ReadOutcome(None, error)
                self._change(partial(_read_is_lost, job, outcome), lost)
            else:
                self._change(partial(_assembly_is_lost, job, Made(None, error)), lost)
        return result

    def _change(
        self,
        change: Callable[[Scheduler, float], T],
        lost: list[tuple[ReadJob | AssembleJob, Exception]],
    ) -> T:
        now = self._timer.now()
        scheduler = self.scheduler
        working_set = scheduler.working_set
        abandoned: list[ReadJob] = []
        with self.lock:
            result = change(scheduler, now)
            if abs(KEPT.nbytes - self._kept_bytes) > STEP:
                self._limit_memory()
            jobs = scheduler.next_jobs(now)
            woken, working_set.woken = working_set.woken, {}
            failures, working_set.failures = working_set.failures, []
            healed, working_set.healed = working_set.healed, []
            if scheduler.reads.abandoned:
                abandoned, scheduler.reads.abandoned = scheduler.reads.abandoned, []
            if self._workers:
                self._set_timers(now)
        for job in jobs:
            try:
                self._start(job)
            except Exception as error:  # e.g. no thread can be started: those behind it can go on
                lost.append((job, error))
        # Whose workers have left meanwhile, nobody waits for (see `leave`).
        for read in abandoned:
            if (workers := self._workers.get(read.settings)) is not None:
                workers.cancel(read)
        for settings, failure in failures:
            if (workers := self._workers.get(settings)) is not None:
                workers.tell(failure)
        for settings, source_name in healed:
            if (workers := self._workers.get(settings)) is not None:
                workers.tell_healed(source_name)
        for requests in woken:
            requests.wake()
        return result

    def _start(self, job: ReadJob | AssembleJob) -> None:
        workers = self._workers.get(job.settings)
        if workers is None:  # they have left meanwhile: `leave` ends their jobs
            return
        if isinstance(job, ReadJob):
            workers.read(job, _ReadDone(self, job, workers))
        else:
            workers.assemble(job, _AssemblyDone(self, job))

    def take(self, requests: ClientList) -> LoadedTile | None:
        """Hand out the best finished tile."""
        with self.lock:
            tile = self.scheduler.take(requests)
            if not self.scheduler.is_short_of_memory:
                return tile
        self.change(lambda scheduler, now: None)  # with the memory that has become free
        return tile

    def assembled(self, job: AssembleJob, made: Made) -> None:
        """Note the end of an assembly."""
        with self.lock:
            scheduler = self.scheduler
            scheduler.assembled(job, made)
            waits = scheduler.waits_for_reads
            woken: dict[ClientList, None] = {}
            if waits:
                woken, scheduler.working_set.woken = scheduler.working_set.woken, woken
        if not waits:
            self.change(lambda scheduler, now: None)
        for requests in woken:
            requests.wake()

    @property
    def statistics(self) -> LoaderStatistics:
        """A snapshot of all counts."""
        with self.lock:
            return self.scheduler.statistics

    @property
    def totals(self) -> LoaderStatistics:
        """The same without what concerns single sources."""
        with self.lock:
            return self.scheduler.totals

    # ---- time ------------------------------------------------------------------------------

    def _set_timers(self, now: float) -> None:
        due, set_for = self.scheduler.next_due(now), self._next_due
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
        self.change(lambda scheduler, now: None)  # `next_jobs` finds what is due

    def _late_reads(self) -> None:
        overdue, timed_out = self.change(
            lambda scheduler, now: scheduler.late_reads(self._read_limit_s, now)
        )
        for job in overdue:
            if (workers := self._workers.get(job.settings)) is not None:
                workers.executor.set_apart(job.handle)
        for job in timed_out:
            if (workers := self._workers.get(job.settings)) is not None:
                workers.executor.time_out(job.handle)
        with self.lock:
            if self._workers:
                self._watch_reads()

    def _watch_reads(self) -> None:
        due = self.scheduler.reads.next_late(self._read_limit_s)
        self._watching = due is not None
        if due is not None:
            self._timer.call_at("late reads", due, self._late_reads)


def _read_is_lost(job: ReadJob, outcome: ReadOutcome, scheduler: Scheduler, now: float) -> None:
    scheduler.read_finished(job, outcome, None, now)


def _assembly_is_lost(job: AssembleJob, made: Made, scheduler: Scheduler, now: float) -> None:
    scheduler.assembled(job, made)


class _ReadDone:
    """What becomes of one read.

    A tile that needs no other chunk is made before the state changes: one change does for both.
    """

    __slots__ = ("_dispatcher", "_job", "_workers")

    def __init__(self, dispatcher: Dispatcher, job: ReadJob, workers: Workers) -> None:
        self._dispatcher = dispatcher
        self._job = job
        self._workers = workers

    def __call__(self, outcome: ReadOutcome) -> None:
        job, tile, made = self._job, self._job.tile, None
        if tile is not None and tile.listed and outcome.error is None:
            part = job.chunk.chunk_id.region, outcome.pixels
            made = self._workers.make_of_chunk(tile.request, part)
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
        self._dispatcher.assembled(self._job, made)
