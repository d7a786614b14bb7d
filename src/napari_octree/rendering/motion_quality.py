"""How coarse a moving picture may be, so that frames come in time.

Invariants: pure arithmetic on times that are handed in; at rest the quality is always full. Steps
only get as much longer as the frames need: where they are fast nothing changes at all.
"""

from __future__ import annotations

TARGET_MS = 40.0
"""A frame should not take longer while the camera moves."""

COARSEST = 4.0
"""Longest step, as a multiple of the full quality's."""

PAUSE_MS = 400.0
"""Frames further apart than this do not tell how long one takes."""


class MotionQuality:
    """The step factor of one frame after the other."""

    def __init__(self) -> None:
        self.factor = 1.0
        self._wanted = 1.0
        self._last_s: float | None = None

    def moved(self, now_s: float) -> float:
        """Return the factor (1 to `COARSEST`) for a frame of a moving camera, drawn now.

        The time since the frame before, if that was moving too, tells what a frame costs.
        """
        if self._last_s is not None:
            took_ms = (now_s - self._last_s) * 1e3
            if took_ms < PAUSE_MS:
                # Half of the way each time: cost does not follow the steps alone.
                self._wanted *= max(took_ms, 1e-3) ** 0.5 / TARGET_MS**0.5
                self._wanted = min(max(self._wanted, 1.0), COARSEST)
        self._last_s = now_s
        self.factor = self._wanted
        return self.factor

    def rested(self) -> float:
        """Return the factor at rest, 1; what was learned serves the next move."""
        self._last_s = None
        self.factor = 1.0
        return 1.0
