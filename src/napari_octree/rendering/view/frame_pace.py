"""FramePace: what a frame costs, and how long the next one waits if it only shows more.

Invariants: told the time, it asks no clock. Frames that only show more of what is loading take at
most a third of the time: where they are expensive (a software renderer above all) loading would
starve. What a frame has cost is known only once GL has done it; until then nothing may be decided
by what another one had cost, so whoever asks for a wait ends the frame that is under way first.
"""

from __future__ import annotations

CHEAP_MS = 20.0
"""Frames that take no longer are drawn whenever there is something new."""

PAUSE = 2
"""How many times as long as a frame took the next one waits."""


class FramePace:
    """The costs of one frame after the other.

    Parameters
    ----------
    pause : int
        How many times as long as a frame took the next one waits.

    Attributes
    ----------
    under_way : bool
        A frame has begun, and it is not known yet that it has ended.
    cost_ms : float
        Of the last frame that has ended; 0 before any.
    """

    def __init__(self, pause: int = PAUSE) -> None:
        self._pause = pause
        self.under_way = False
        self.cost_ms = 0.0
        self._began_s = self._ended_s = 0.0

    def begin(self, now_s: float, counts: bool = True) -> None:
        """Begin a frame; what it costs may not count, as in an export."""
        self._began_s, self.under_way = now_s, counts

    def end(self, now_s: float) -> float:
        """End the frame that is under way: all of it has been drawn. Returns milliseconds."""
        self._ended_s, self.under_way = now_s, False
        self.cost_ms = 1e3 * (now_s - self._began_s)
        return self.cost_ms

    def wait_ms(self, now_s: float) -> int:
        """How long to wait before a frame that only shows more; 0 or less: not at all."""
        if self.cost_ms <= CHEAP_MS:
            return 0
        return int(self._pause * self.cost_ms - 1e3 * (now_s - self._ended_s))
