"""Reads on a dask cluster: the active `distributed.Client`.

Invariants: no thread of ours waits for a result: results arrive in the client's event loop and
are handed to a worker thread; a future that nobody wants any more is cancelled; sources must be
picklable; the disk cache is that of this machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from napari_octree.loading.cache.disk_cache import CachedOnDisk
from napari_octree.loading.executors.executor import Done, timed_read
from napari_octree.loading.executors.threads import ThreadExecutor
from napari_octree.loading.work import ReadOutcome
from napari_octree.sources.protocol import Region, StorageArray


@dataclass(eq=False, slots=True)
class _Read:
    """A read: not on the cluster yet while this process looks on its disk."""

    future: Any = None
    cancelled: bool = False


class DaskExecutor:
    """Reads by the active `distributed.Client`, assemblies in threads of this process.

    Parameters
    ----------
    threads : int
        For assemblies and for taking results in.
    client : distributed.Client, optional
        Default: the one that is active when a read is submitted.
    """

    def __init__(self, threads: int, client: Any = None) -> None:
        self._local = ThreadExecutor(threads)
        self._client = client

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Submit a read to the cluster, unless the chunk is on the disk of this machine."""
        read = _Read()
        if isinstance(storage, CachedOnDisk):
            on_disk = storage
            self._local.run(lambda: self._look_on_disk(read, on_disk, region, done))
        else:
            self._submit(read, storage, region, done)
        return read

    def _look_on_disk(
        self, read: _Read, storage: CachedOnDisk, region: Region, done: Done
    ) -> None:
        started = time.perf_counter()
        found = storage.find(region)
        if found is not None:
            done(ReadOutcome(found[0], None, time.perf_counter() - started))
            return

        def keep(outcome: ReadOutcome) -> None:
            if outcome.error is None:
                storage.keep(region, outcome.pixels)
            done(outcome)

        self._submit(read, storage.storage, region, keep)

    def _submit(self, read: _Read, storage: StorageArray, region: Region, done: Done) -> None:
        try:
            future = self._active_client().submit(timed_read, storage, region, pure=False)
            future.client.loop.add_callback(self._collect, future, done)
        except Exception as error:  # no client, or a source that cannot be pickled
            failure = ReadOutcome(None, error)
            self._local.run(lambda: done(failure))
            return
        read.future = future
        if read.cancelled:  # meanwhile
            self.cancel(read)

    def _active_client(self) -> Any:
        if self._client is not None:
            return self._client
        from distributed import default_client

        return default_client()

    def run(self, work: Callable[[], None], brief: bool = True) -> None:
        """Work in a thread of this process."""
        self._local.run(work, brief)

    def cancel(self, handle: object) -> None:
        """Cancel the future; if it had started, its result is dropped."""
        assert isinstance(handle, _Read)
        handle.cancelled = True
        if handle.future is not None:
            with contextlib.suppress(Exception):  # its client has been closed: so it has ended
                handle.future.client.loop.add_callback(handle.future.cancel)

    def set_apart(self, handle: object) -> None:
        """No thread of ours waits for it."""

    def time_out(self, handle: object) -> None:
        """Cancel the future."""
        self.cancel(handle)

    def close(self, wait_s: float) -> None:
        """End the threads; the cluster is its owner's."""
        self._local.close(wait_s)

    async def _collect(self, future: Any, done: Done) -> None:
        outcome: ReadOutcome
        try:
            outcome = await future.client.gather(future, asynchronous=True)
            # It computed on the cluster: that takes no processor from this process.
            outcome = outcome._replace(busy_s=0.0)
        except BaseException as raised:  # the future was cancelled, or its worker died
            outcome = ReadOutcome(None, raised)
        if future.status == "cancelled" or type(outcome.error).__name__ == "FutureCancelledError":
            outcome = ReadOutcome(None, CancelledError())
        self._local.run(lambda: done(outcome))
