"""Who works for the clients of one configuration: executor, disk cache and log.

Invariants: reads and assemblies are started in any thread, and run in worker threads (but with
`force_synchronous`, in the thread that asks); every started piece of work reports its end
exactly once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from napari_octree.config import OctreeConfig
from napari_octree.loading.assembly import Part
from napari_octree.loading.cache.disk_cache import DiskCache
from napari_octree.loading.executors.executor import Done, Executor
from napari_octree.loading.executors.latency_log import LatencyLog
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.scheduling.jobs import AssembleJob, ReadJob
from napari_octree.loading.work import Made, ReadOutcome, make_tile

logger = logging.getLogger("napari_octree.loader")

ASSEMBLERS = min(4, os.cpu_count() or 1)
"""Tiles assembled at once."""


class Workers:
    """Workers, and how they work.

    Parameters
    ----------
    config : OctreeConfig
    executor : Executor
    tell : callable
        Called, in any thread and without the lock, with each failure that is final.
    tell_healed : callable
        Called alike with the name of a source that had failed and is read again.
    """

    def __init__(
        self,
        config: OctreeConfig,
        executor: Executor,
        tell: Callable[[LoadFailure], None],
        tell_healed: Callable[[str], None],
    ) -> None:
        self.executor = executor
        self.tell_healed = tell_healed
        self.tell = tell
        memory = config.memory
        self._disk = DiskCache(memory.disk_path, memory.disk_bytes) if memory.disk_bytes else None
        log_path = config.loader_defaults.log_path
        self._log = LatencyLog(log_path) if log_path is not None else None

    def read(self, job: ReadJob, done: Done) -> None:
        """Start a read; `done` is told its end."""
        chunk = job.chunk
        storage = chunk.storage if self._disk is None else self._disk.wrap(chunk.storage)
        log = self._log
        if log is not None:
            done = _logged(log, job, done)
        job.handle = self.executor.read(storage, chunk.chunk_id.region, done)

    def assemble(self, job: AssembleJob, done: Callable[[Made], None]) -> None:
        """Start an assembly; `done` is told its end."""
        brief = not job.tile.request.source.storage.in_memory
        self.executor.run(lambda: done(self._make_of_held(job)), brief)

    def make_of_chunk(self, request: TileRequest, part: Part) -> Made:
        """Make a tile of the one chunk that it needs, in the calling thread."""
        return self._make(request, [part], 1, True)

    def _make_of_held(self, job: AssembleJob) -> Made:
        parts = [(entry.chunk_id.region, entry.pixels) for entry in job.held]
        return self._make(job.tile.request, parts, len(job.tile.chunks), job.complete)

    def cancel(self, job: ReadJob) -> None:
        """Nobody wants a read any more: end it if that is possible."""
        if job.handle is not None:
            self.executor.cancel(job.handle)

    def forget(self, source_name: str) -> None:
        """Drop what is on disk of an array whose data have changed."""
        if self._disk is not None:
            self._disk.forget(source_name)

    def close(self, wait_s: float) -> None:
        """End the threads; wait at most `wait_s` for reads under way."""
        self.executor.close(wait_s)
        if self._disk is not None:
            self._disk.close()
        if self._log is not None:
            self._log.close()

    def _make(self, request: TileRequest, parts: list[Part], own: int, complete: bool) -> Made:
        result: LoadedTile | None = None
        error: BaseException | None = None
        started = time.perf_counter()
        try:
            result = make_tile(request, parts, own, complete)
        except BaseException as raised:  # `finish` and arrays in memory are foreign code
            error = raised
            logger.debug("a tile could not be made", exc_info=True)
        if self._log is not None:
            seconds = time.perf_counter() - started
            nbytes = 0 if result is None or result.data is None else result.data.nbytes
            outcome = type(error).__name__ if result is None else result.state.value
            self._log.assembled(request.key, seconds, nbytes, outcome)
        return Made(result, error)


def _logged(log: LatencyLog, job: ReadJob, done: Done) -> Done:
    def note(outcome: ReadOutcome) -> None:
        chunk = job.chunk
        log.read(chunk.storage.source_name, chunk.chunk_id.region, job.queued_s, outcome)
        done(outcome)

    return note
