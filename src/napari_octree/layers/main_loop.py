"""How workers reach the main (GUI) thread, with or without Qt.

Invariants: callbacks run in the main thread, in the order they were posted, each once;
`post` may be called in any thread and never blocks. Without an event loop the callbacks wait
until `drain` or `run_until` is called there. A toolkit attaches itself by naming how to wake
its loop; this module knows none.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Toolkit(Protocol):
    """What an event loop must offer to carry posted callbacks."""

    def wake(self) -> None:
        """Have `MainLoop.drain` called soon in the main thread (any thread; coalescing)."""
        ...

    def run_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Run the event loop until `done()` or `timeout` seconds have passed (main thread)."""
        ...


class MainLoop:
    """A queue of callbacks for the main thread."""

    def __init__(self) -> None:
        self._posted: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._toolkit: Toolkit | None = None

    def attach(self, toolkit: Toolkit) -> None:
        """Let `toolkit` carry the callbacks from now on (main thread)."""
        self._toolkit = toolkit
        if self._posted:
            toolkit.wake()

    def post(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the main thread (any thread)."""
        with self._changed:
            self._posted.append(callback)
            self._changed.notify_all()
        if self._toolkit is not None:
            self._toolkit.wake()

    def poster(self, method: Callable[[], None]) -> Callable[[], None]:
        """Return a function that posts a bound method, as long as its object is there.

        For who outlives the object, as the loader does its clients' owners, and must not keep it:
        what waits in the queue does not keep it either, and no other thread ever holds it, which
        would then be the one to end a layer.
        """
        reference = weakref.WeakMethod(method)

        def call() -> None:
            if (present := reference()) is not None:
                present()

        return lambda: self.post(call)

    def drain(self) -> None:
        """Call what has been posted so far (main thread).

        A callback that raises ends it; those behind it are called in the next turn.
        """
        for _ in range(len(self._posted)):
            if not self._posted:
                return  # a callback has drained them itself
            try:
                self._posted.popleft()()
            except BaseException:
                if self._posted and self._toolkit is not None:
                    self._toolkit.wake()
                raise

    def run_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Serve callbacks until `done()` is true (main thread).

        Parameters
        ----------
        done : callable
            Asked after every turn of the loop.
        timeout : float
            Seconds.

        Returns
        -------
        bool
            The last answer of `done`.
        """
        if self._toolkit is not None:
            return self._toolkit.run_until(done, timeout)
        end = time.monotonic() + timeout
        self.drain()
        while not done():
            with self._changed:
                remaining = end - time.monotonic()
                if not self._posted and (remaining <= 0 or not self._changed.wait(remaining)):
                    break
            self.drain()
        return done()


MAIN_LOOP = MainLoop()
"""The process's own."""
