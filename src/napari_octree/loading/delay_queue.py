"""Things to do later: one thread on a condition variable.

Invariants: with nothing scheduled the thread waits without a time-out, so an idle loader wakes
nobody; each name has at most one time; `close` ends the thread at once, whatever is scheduled;
callbacks run in the queue's thread and without its lock.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Hashable
from itertools import count
from typing import Protocol

logger = logging.getLogger("napari_octree.loader")


class Timer(Protocol):
    """A clock that can be asked to call back."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def call_at(self, name: Hashable, when: float, callback: Callable[[], None]) -> None:
        """Call back at `when`; replaces what `name` was scheduled for."""
        ...

    def cancel(self, name: Hashable) -> None:
        """Forget what `name` was scheduled for."""
        ...

    def close(self) -> None:
        """Forget everything and stop."""
        ...


class DelayQueue:
    """The real `Timer`; its thread starts with the first call."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._scheduled: dict[Hashable, tuple[float, int, Callable[[], None]]] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._serial = count()
        self._waits_until: float | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it takes nothing any more."""
        return self._closed

    def now(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    def call_at(self, name: Hashable, when: float, callback: Callable[[], None]) -> None:
        """Call back at `when`; replaces what `name` was scheduled for (any thread)."""
        with self._condition:
            if self._closed:
                return
            serial = next(self._serial)
            self._scheduled[name] = (when, serial, callback)
            heapq.heappush(self._heap, (when, serial, name))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="napari-octree-delays", daemon=True
                )
                self._thread.start()
            elif self._waits_until is None or when < self._waits_until:
                self._condition.notify()

    def cancel(self, name: Hashable) -> None:
        """Forget what `name` was scheduled for (any thread)."""
        with self._condition:
            if self._scheduled.pop(name, None) is not None and not self._scheduled:
                self._heap.clear()
                self._condition.notify()  # so that it waits without a time-out

    def close(self) -> None:
        """Forget everything and end the thread."""
        with self._condition:
            self._closed = True
            self._scheduled.clear()
            self._condition.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1)

    def _run(self) -> None:
        while (callback := self._next()) is not None:
            try:
                callback()
            except Exception:  # the only thread that keeps the loader going must not die
                logger.exception("a delayed call failed")

    def _next(self) -> Callable[[], None] | None:
        with self._condition:
            while not self._closed:
                self._drop_replaced()
                self._waits_until = self._heap[0][0] if self._heap else None
                wait = None if self._waits_until is None else self._waits_until - self.now()
                if wait is not None and wait <= 0:
                    _, _, name = heapq.heappop(self._heap)
                    self._waits_until = 0.0  # busy: nobody needs to notify
                    return self._scheduled.pop(name)[2]
                self._condition.wait(wait)
            return None

    def _drop_replaced(self) -> None:
        while self._heap:
            _, serial, name = self._heap[0]
            scheduled = self._scheduled.get(name)
            if scheduled is not None and scheduled[1] == serial:
                return
            heapq.heappop(self._heap)
