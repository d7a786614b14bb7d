"""RestTimer: says when a view has stood still.

Invariants: GUI thread only; no timer runs while nothing moves. Time in which the event loop was
held up, by the frame itself or anything else, does not count: the next move may be waiting in it.
So a stutter in the midst of a move does not pass for its end.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from qtpy.QtCore import QTimer

LATE_S = 0.02
"""A time-out that comes later than this was held up."""
MOST_WAITS = 3
"""On a machine that is always late a view must come to rest as well."""


class RestTimer:
    """A time-out after the last move.

    Parameters
    ----------
    rested : callable
        Called once after each `start` that no other followed.
    """

    def __init__(self, rested: Callable[[], None]) -> None:
        self._rested = rested
        self._rest_ms = 0
        self._waits = 0
        self._due = 0.0
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._time_out)

    @property
    def running(self) -> bool:
        """Whether the view counts as moving."""
        return self._timer.isActive()

    def start(self, rest_ms: int) -> None:
        """Something has moved, in the frame that is being drawn: wait that long after it."""
        self._rest_ms, self._waits = rest_ms, 0
        self._timer.start(0)

    def stop(self) -> None:
        """Do not call."""
        self._timer.stop()

    def _time_out(self) -> None:
        now = perf_counter()
        if self._waits == 0 or (now > self._due + LATE_S and self._waits < MOST_WAITS):
            self._waits += 1
            self._due = now + self._rest_ms / 1000
            self._timer.start(self._rest_ms)
        else:
            self._rested()
