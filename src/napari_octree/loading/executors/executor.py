"""Where reads and assemblies run: what executors have in common.

Invariants: `read` and `run` return at once (but for `InlineExecutor`); `done` is called exactly
once per read, in any thread, and never raises; whatever a read raises, BaseException included,
arrives as a value; no thread of ours keeps the interpreter from ending.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from napari_octree.loading.work import ReadOutcome, read_checked
from napari_octree.sources.arrays.zarr_arrays.fetch_clock import FetchClock
from napari_octree.sources.protocol import Region, StorageArray

Done = Callable[[ReadOutcome], None]


class Executor(Protocol):
    """Where reads and assemblies run."""

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Start a read; what is returned can be given to `cancel`."""
        ...

    def run(self, work: Callable[[], None], brief: bool = True) -> None:
        """Run a piece of work of this process; others may wait behind it if it is brief."""
        ...

    def cancel(self, handle: object) -> None:
        """Nobody wants the read any more: end it if that is possible."""
        ...

    def set_apart(self, handle: object) -> None:
        """The read may hang: let no other wait for its worker. Its end is told all the same."""
        ...

    def time_out(self, handle: object) -> None:
        """The read hangs, and nobody waits for its end any more: end it if that is possible."""
        ...

    def close(self, wait_s: float) -> None:
        """Start nothing more; wait at most `wait_s` for what runs."""
        ...


def timed_read(storage: StorageArray, region: Region) -> ReadOutcome:
    """Read a chunk; whatever it raises is returned."""
    pixels: np.ndarray | None = None
    error: BaseException | None = None
    with FetchClock() as clock:
        started, busy = time.perf_counter(), time.thread_time()
        try:
            pixels = read_checked(storage, region)
        except BaseException as raised:  # a reader is foreign code; the worker must survive it
            error = raised
        seconds, busy_s = time.perf_counter() - started, time.thread_time() - busy
    return ReadOutcome(pixels, error, seconds, clock.rest_of(seconds), busy_s)
