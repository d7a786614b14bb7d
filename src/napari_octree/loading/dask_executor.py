"""Reads on a dask cluster: the active `distributed.Client`.

Invariants: no thread of ours waits for a result: results arrive in the client's event loop and
are handed to a worker thread; a future that nobody wants any more is cancelled; sources must be
picklable.
"""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from napari_octree.loading.executors import Done, ThreadExecutor
from napari_octree.loading.jobs import read_checked
from napari_octree.sources.protocol import Region, StorageArray


def read_there(storage: StorageArray, region: Region) -> tuple[np.ndarray | None, float]:
    """Read a chunk in a dask worker; return it and the seconds it took."""
    started = time.perf_counter()
    return read_checked(storage, region), time.perf_counter() - started


class DaskExecutor:
    """Reads by the active `distributed.Client`, assemblies in threads of this process.

    Parameters
    ----------
    threads : int
        For assemblies and for taking results in.
    client : distributed.Client, optional
        Default: the active one, looked up at the first read.
    """

    def __init__(self, threads: int, client: Any = None) -> None:
        self._local = ThreadExecutor(threads)
        self._client = client

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Submit a read to the cluster."""
        try:
            if self._client is None:
                from distributed import default_client

                self._client = default_client()
            future = self._client.submit(read_there, storage, region, pure=False)
        except Exception as error:  # no client, or a source that cannot be pickled
            failure = error
            self._local.run(lambda: done(None, failure, 0.0))
            return None
        self._client.loop.add_callback(self._collect, future, done)
        return future

    def run(self, work: Any) -> None:
        """Work in a thread of this process."""
        self._local.run(work)

    def cancel(self, handle: object) -> None:
        """Cancel the future; if it had started, its result is dropped."""
        future: Any = handle
        self._client.loop.add_callback(future.cancel)

    def write_off(self, handle: object) -> None:
        """Cancel the future."""
        self.cancel(handle)

    def close(self, wait_s: float) -> None:
        """End the threads; the cluster is its owner's."""
        self._local.close(wait_s)

    async def _collect(self, future: Any, done: Done) -> None:
        pixels: np.ndarray | None = None
        error: BaseException | None = None
        seconds = 0.0
        try:
            pixels, seconds = await self._client.gather(future, asynchronous=True)
        except BaseException as raised:  # whatever the read raised there
            error = raised
        if future.status == "cancelled" or type(error).__name__ == "FutureCancelledError":
            error = CancelledError()
        self._local.run(lambda: done(pixels, error, seconds))
