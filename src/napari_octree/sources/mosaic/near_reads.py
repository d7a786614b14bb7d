"""Reads of many small files of a near store: one thread at a time, or a few where it is slow.

Files that are in the system's memory, or on a fast disk, are work of the interpreter more than of
the disk: each gives the interpreter away for microseconds, several times. Two threads that do so
take it from each other thirty thousand times a plate, are no faster than one, and the window's
thread waits its turn behind both. Where a disk, or a file server, is waited for, more are faster.

Invariants: worker threads only; at most `MOST` at once. Who comes too many waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOST = 4
SLOW = 8
"""Times that reads take longer than the processor works for them, where they wait."""


class NearReads:
    """Who reads now, and how long reads have waited of late.

    Parameters
    ----------
    clock, thread_clock, process_clock : callable
        Seconds that pass, and that this thread and all threads have worked; replaced in tests.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        thread_clock: Callable[[], float] = time.thread_time,
        process_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._thread_clock = thread_clock
        self._process_clock = process_clock
        self._changed = threading.Condition()
        self._running = 0
        self._slowness = 1.0

    @property
    def at_once(self) -> int:
        """Threads that may read."""
        return MOST if self._slowness > SLOW else 1

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Read, and work on what was read, when it is this thread's turn.

        Within it nothing may be waited for that another thread has to read first.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.at_once)
            self._running += 1
        began, worked, all_worked = self._clock(), self._thread_clock(), self._process_clock()
        try:
            yield
        finally:
            took, work = self._clock() - began, self._thread_clock() - worked
            # While other threads work, it is mostly the interpreter that is waited for.
            took -= max(self._process_clock() - all_worked - work, 0.0)
            slowness = min(max(took, 0.0) / max(work, 1e-4), 2 * SLOW)
            with self._changed:
                self._running -= 1
                # Of the last few: one that took long, as the machine had other work, says little.
                self._slowness += (slowness - self._slowness) / 4
                self._changed.notify(self.at_once)
