"""The loader: fills RAM in the order that clients wish, in worker threads.

Invariants:

* One lock guards all state, it is held for microseconds, and nothing foreign (readers, `finish`,
  `wake`, listeners) is ever called under it.
* Nothing is read or computed in the thread of a client, except with `force_synchronous`.
* With nothing to do no thread wakes up.
* Every change goes through `_change`: state changes under the lock, then what can start is
  started.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from psygnal import Signal

from napari_octree.config import OctreeConfig
from napari_octree.loading.chunk_cache import ChunkCache
from napari_octree.loading.client import LoaderClient
from napari_octree.loading.dask_executor import DaskExecutor
from napari_octree.loading.delay_queue import DelayQueue, Timer
from napari_octree.loading.disk_cache import DiskCache
from napari_octree.loading.executors import Executor, InlineExecutor, ThreadExecutor
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.jobs import AssembleJob, ReadJob
from napari_octree.loading.lanes import next_due
from napari_octree.loading.latency_log import LatencyLog
from napari_octree.loading.loader_pool import LoaderPool, LoaderPools
from napari_octree.loading.process_executor import ProcessExecutor
from napari_octree.loading.request import LoadedTile
from napari_octree.loading.scheduler import Scheduler
from napari_octree.loading.shared_blocks import SharedBlocks
from napari_octree.loading.statistics import LoaderStatistics, snapshot
from napari_octree.loading.working_set import ClientList

logger = logging.getLogger("napari_octree.loader")

READ_LIMIT_S = 60.0
"""A read that takes longer is given up and counts as a time-out."""
EXIT_WAIT_S = 1.0
"""How long the end of the interpreter waits for reads under way."""

T = TypeVar("T")


class ChunkLoader:
    """Loads tiles for any number of clients within one limit of RAM.

    Parameters
    ----------
    config : OctreeConfig, optional
    timer : Timer, optional
        The clock; a virtual one in tests.
    executor : Executor, optional
        Who works; the default follows `config.loader_defaults`.
    read_limit_s : float
        Reads that take longer are given up.
    seed : int, optional
        Of the jitter of retries.
    """

    on_failure = Signal(LoadFailure)
    """Emitted in a worker thread, once per source and cause until `retry`."""

    def __init__(
        self,
        config: OctreeConfig | None = None,
        *,
        timer: Timer | None = None,
        executor: Executor | None = None,
        read_limit_s: float = READ_LIMIT_S,
        seed: int | None = None,
    ) -> None:
        self.config = config = OctreeConfig() if config is None else config
        self.cache = ChunkCache(config.memory.ram_bytes)
        pools = _pools_of(config)
        assemblers = min(4, os.cpu_count() or 1)
        self._timer: Timer = DelayQueue() if timer is None else timer
        self._executor = _executor_of(config, pools, assemblers) if executor is None else executor
        self._read_limit_s = read_limit_s
        memory = config.memory
        self._disk = DiskCache(memory.disk_path, memory.disk_bytes) if memory.disk_bytes else None
        log_path = config.loader_defaults.log_path
        self._log = LatencyLog(log_path) if log_path is not None else None
        self._scheduler = Scheduler(pools, self.cache, assemblers, random.Random(seed))
        self._lock = threading.Lock()
        self._closed = False
        self._failures: dict[tuple[str, str], LoadFailure] = {}
        self._next_due: float | None = None
        self._watching = False
        self.blocks = SharedBlocks(self)

    def open(self, wake: Callable[[], None]) -> LoaderClient:
        """Register a client.

        Parameters
        ----------
        wake : callable
            Called in any thread when something can be taken. It must return at once.
        """
        wishes = ClientList(wake)
        with self._lock:
            if self._closed:
                raise RuntimeError("the loader is closed")
            self._scheduler.clients.append(wishes)
        return LoaderClient(self, wishes)

    def forget(self, storage_key: object, source_name: str | None = None) -> None:
        """Free what is cached of an array that nobody will ask for again, or not so.

        Parameters
        ----------
        storage_key : Hashable
            `StorageArray.key`.
        source_name : str, optional
            `StorageArray.source_name`: its chunks on disk are dropped too, as its data changed.
        """
        self._change(lambda scheduler, _: scheduler.forget(storage_key))
        if self._disk is not None and source_name is not None:
            self._disk.forget(source_name)

    @property
    def failures(self) -> tuple[LoadFailure, ...]:
        """What failed for good since the last `retry`, one entry per source and cause."""
        with self._lock:
            return tuple(self._failures.values())

    @property
    def statistics(self) -> LoaderStatistics:
        """A snapshot of all counts."""
        with self._lock:
            return snapshot(self._scheduler)

    def close(self, wait_s: float = EXIT_WAIT_S) -> None:
        """Drop all lists, start nothing more, end the threads and free the cache.

        Reads under way are waited for, at most `wait_s` seconds; they cannot be interrupted.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for wishes in list(self._scheduler.clients):
                self._scheduler.close(wishes)
        self._timer.close()
        self._executor.close(wait_s)
        with self._lock:
            self.cache.clear()
        if self._disk is not None:
            self._disk.close()
        if self._log is not None:
            self._log.close()

    # ---- every change ----------------------------------------------------------------------

    def _change(self, change: Callable[[Scheduler, float], T]) -> T:
        """Change the state, then start what can start now."""
        now = self._timer.now()
        with self._lock:
            scheduler = self._scheduler
            result = change(scheduler, now)
            jobs = [] if self._closed else scheduler.next_jobs(now)
            woken = list(scheduler.woken)
            scheduler.woken.clear()
            abandoned, scheduler.abandoned = scheduler.abandoned, []
            failures = self._new_failures()
            if not self._closed:
                self._set_timers(now)
        for job in jobs:
            if isinstance(job, ReadJob):
                storage = job.chunk.storage
                if self._disk is not None:
                    storage = self._disk.wrap(storage)
                region = job.chunk.chunk_id.region
                job.handle = self._executor.read(storage, region, _Reading(self, job))
            else:
                self._executor.run(_Assembling(self, job))
        for read in abandoned:
            if read.handle is not None:
                self._executor.cancel(read.handle)
        for failure in failures:
            self._report(failure)
        for wishes in woken:
            wishes.wake()
        return result

    def _new_failures(self) -> list[LoadFailure]:
        new = []
        for failure in self._scheduler.failures:
            name = (failure.source_name, failure.cause)
            known = self._failures.get(name)
            if known is None:
                self._failures[name] = failure
                new.append(failure)
            else:
                self._failures[name] = LoadFailure(
                    known.source_name, known.cause, known.message, known.count + 1
                )
        self._scheduler.failures.clear()
        return new

    def _report(self, failure: LoadFailure) -> None:
        logger.warning("%s", failure)
        try:
            self.on_failure.emit(failure)
        except Exception:  # a listener is foreign code; loading goes on
            logger.exception("a listener of on_failure failed")

    def _retry(self, wishes: ClientList) -> None:
        with self._lock:
            self._failures.clear()
        self._change(lambda scheduler, now: scheduler.retry(wishes, now))

    # ---- time ------------------------------------------------------------------------------

    def _set_timers(self, now: float) -> None:
        due = next_due(self._scheduler.clients)
        if due != self._next_due:
            self._next_due = due
            if due is None:
                self._timer.cancel("delays")
            else:
                self._timer.call_at("delays", due, self._delays_over)
        reading = bool(self._scheduler.running)
        if reading != self._watching:
            self._watching = reading
            if reading:
                self._timer.call_at("late reads", now + self._read_limit_s, self._late_reads)
            else:
                self._timer.cancel("late reads")

    def _delays_over(self) -> None:
        self._next_due = None
        self._change(lambda scheduler, now: scheduler.time_passed(now))

    def _late_reads(self) -> None:
        late = self._change(lambda scheduler, now: scheduler.write_off(self._read_limit_s, now))
        for job in late:
            self._executor.write_off(job.handle)
        with self._lock:
            running = self._scheduler.running
            self._watching = bool(running)
            if running:
                oldest = next(iter(running)).started
                self._timer.call_at("late reads", oldest + self._read_limit_s, self._late_reads)


class _Reading:
    """What becomes of one read."""

    __slots__ = ("_job", "_loader")

    def __init__(self, loader: ChunkLoader, job: ReadJob) -> None:
        self._loader = loader
        self._job = job

    def __call__(
        self, pixels: np.ndarray | None, error: BaseException | None, seconds: float
    ) -> None:
        job = self._job
        if (log := self._loader._log) is not None:
            nbytes = 0 if pixels is None else pixels.nbytes
            result = type(error).__name__ if error is not None else "loaded"
            if error is None and pixels is None:
                result = "missing"
            storage, region = job.chunk.storage, job.chunk.chunk_id.region
            log.read(storage.source_name, region, job.queued_s, seconds, nbytes, result)
        self._loader._change(
            lambda scheduler, now: scheduler.read_finished(job, pixels, error, seconds, now)
        )


class _Assembling:
    """One assembly, to be run by a worker."""

    __slots__ = ("_job", "_loader")

    def __init__(self, loader: ChunkLoader, job: AssembleJob) -> None:
        self._loader = loader
        self._job = job

    def __call__(self) -> None:
        job = self._job
        result: LoadedTile | None = None
        error: BaseException | None = None
        started = time.perf_counter()
        try:
            result = job.run()
        except BaseException as raised:  # `finish` and arrays in memory are foreign code
            error = raised
        if (log := self._loader._log) is not None:
            seconds = time.perf_counter() - started
            nbytes = 0 if result is None or result.data is None else result.data.nbytes
            outcome = type(error).__name__ if result is None else result.state.value
            log.assembled(job.tile.request.key, seconds, nbytes, outcome)
        self._loader._change(lambda scheduler, _: scheduler.assembled(job, result, error))


def _pools_of(config: OctreeConfig) -> LoaderPools:
    pools = {}
    for key in config.octree.loaders:
        own = config.loader(key)
        assert own.num_workers is not None  # `config.loader` fills every field in
        assert own.delay_queue_ms is not None
        assert own.auto_sync_ms is not None
        delay_ms = 0.0 if config.loader_defaults.force_synchronous else own.delay_queue_ms
        pools[key] = LoaderPool(own.num_workers, delay_ms / 1000, own.auto_sync_ms / 1000)
    return LoaderPools(pools)


def _executor_of(config: OctreeConfig, pools: LoaderPools, assemblers: int) -> Executor:
    defaults = config.loader_defaults
    if defaults.force_synchronous:
        return InlineExecutor()
    # Enough threads that an assembly never waits behind reads that hang.
    threads = pools.num_workers + assemblers
    if defaults.executor == "processes":
        return ProcessExecutor(threads)
    if defaults.executor == "dask":
        return DaskExecutor(assemblers)
    return ThreadExecutor(threads)


_defaults: dict[str, ChunkLoader] = {}
_default_lock = threading.Lock()


def default_loader(config: OctreeConfig | None = None) -> ChunkLoader:
    """Return the process's loader for some settings; the first call with them makes it.

    Layers with the same loader and memory settings share one loader: its limit of RAM holds
    for their sum, and a chunk that two of them want is read once.

    Parameters
    ----------
    config : OctreeConfig, optional
        Default: as `NAPARI_OCTREE` says.
    """
    config = OctreeConfig.from_environment() if config is None else config
    name = config.model_dump_json(
        include={"loader_defaults": True, "memory": True, "octree": {"loaders"}}
    )
    with _default_lock:
        loader = _defaults.get(name)
        if loader is None:
            loader = _defaults[name] = ChunkLoader(config)
            atexit.register(loader.close)
        return loader
