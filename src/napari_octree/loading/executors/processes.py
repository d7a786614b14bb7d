"""Reads in other processes, one for each reading thread.

Invariants: a thread has at most one process, started with its first read; a process that dies
fails the read it had (which is retried), and the next read starts a new one; sources that
cannot be pickled are read in the thread itself.
"""

from __future__ import annotations

import logging
import threading
import weakref

import numpy as np

from napari_octree.loading.cache.disk_cache import CachedOnDisk
from napari_octree.loading.cache.wrapped_array import WrappedArray
from napari_octree.loading.executors.executor import Done
from napari_octree.loading.executors.reader_process import (
    NotPicklableError,
    ProcessDiedError,
    ReaderProcess,
)
from napari_octree.loading.executors.threads import ThreadExecutor
from napari_octree.loading.work import ReadOutcome
from napari_octree.sources.protocol import Region, StorageArray

logger = logging.getLogger("napari_octree.loader")


class ProcessExecutor(ThreadExecutor):
    """Like `ThreadExecutor`, but each thread hands its reads to a process.

    Worth its while for readers that hold the interpreter lock: frames stay smooth.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._own = threading.local()
        self._processes: dict[ReaderProcess, object] = {}
        self._telling = threading.Lock()
        self._not_picklable: weakref.WeakSet[StorageArray] = weakref.WeakSet()

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Read in a worker thread's process; what is on disk, in the thread."""
        handle = object()
        remote: StorageArray
        if isinstance(storage, CachedOnDisk):
            remote = storage.around(_Remote(self, storage.storage, handle))
        else:
            remote = _Remote(self, storage, handle)
        self._submit((handle, lambda: self._read(remote, region, done)), brief=False)
        return handle

    def _timed(self, storage: StorageArray, region: Region) -> ReadOutcome:
        # What this thread has done meanwhile says nothing about what the process has.
        return super()._timed(storage, region)._replace(busy_s=None)

    def time_out(self, handle: object) -> None:
        """Kill the process that hangs; its thread goes on, unless another has taken its place."""
        for process, busy_with in list(self._processes.items()):
            if busy_with is handle:
                process.kill()
                return
        super().time_out(handle)

    def close(self, wait_s: float) -> None:
        """Wait at most `wait_s` for reads under way, then end all processes."""
        super().close(wait_s)
        for process in list(self._processes):
            process.kill()

    def _thread_ends(self) -> None:
        process: ReaderProcess | None = getattr(self._own, "process", None)
        if process is not None:
            process.kill()
            self._processes.pop(process, None)

    def read_remotely(
        self, storage: StorageArray, region: Region, handle: object
    ) -> np.ndarray | None:
        """Read in the calling thread's process."""
        if storage in self._not_picklable:
            return storage.read(region)
        process: ReaderProcess | None = getattr(self._own, "process", None)
        if process is None:
            process = self._own.process = ReaderProcess()
        self._processes[process] = handle
        try:
            return process.read(storage, region)
        except NotPicklableError as error:
            with self._telling:  # other threads may find out at the same time
                if storage not in self._not_picklable:
                    self._not_picklable.add(storage)
                    logger.warning("%s is read in threads: %s", storage.source_name, error)
        except ProcessDiedError:
            process.kill()
            self._own.process = None
            del self._processes[process]
            raise
        finally:
            if process in self._processes:
                self._processes[process] = None
        return storage.read(region)


class _Remote(WrappedArray):
    """An array that is read in another process."""

    def __init__(self, executor: ProcessExecutor, storage: StorageArray, handle: object) -> None:
        super().__init__(storage)
        self._executor = executor
        self._handle = handle

    def read(self, region: Region) -> np.ndarray | None:
        return self._executor.read_remotely(self.storage, region, self._handle)
