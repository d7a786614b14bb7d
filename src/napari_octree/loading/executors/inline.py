"""Reads in the thread that asks.

Invariants: nothing is ever under way when a call returns, unless the call came from such work.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from napari_octree.loading.executors.executor import Done, timed_read
from napari_octree.sources.protocol import Region, StorageArray


class InlineExecutor:
    """Does everything in the calling thread, which blocks: for tests and scripts."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()
        self._busy = False

    def read(self, storage: StorageArray, region: Region, done: Done) -> object:
        """Read at once, or after what is being done."""
        self.run(lambda: done(timed_read(storage, region)))
        return None

    def run(self, work: Callable[[], None], brief: bool = True) -> None:
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

    def set_apart(self, handle: object) -> None:
        """Nothing is ever under way."""

    def time_out(self, handle: object) -> None:
        """Nothing is ever under way."""

    def close(self, wait_s: float) -> None:
        """Nothing is ever under way."""
