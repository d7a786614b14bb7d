"""How many points a moving picture may have, so that frames come in time.

Invariants: pure arithmetic on costs that are handed in. At rest all points are drawn; while the
view moves each node shows a part of its points, which is a fair sample of them.
"""

from __future__ import annotations

TARGET_MS = 40.0
"""A frame should not take longer while the view moves."""

LEAST_SHARE = 0.02

FEW = 50_000
"""Points that are always drawn: what a frame takes with fewer is not theirs."""

REST_MS, MOST_REST_MS = 60.0, 400.0


class PointQuality:
    """The share of one frame after the other."""

    def __init__(self) -> None:
        self.share = 1.0
        self._wanted = 1.0

    def drawn(self, cost_ms: float) -> None:
        """Learn from what a frame with the current share took."""
        needed = self.share * TARGET_MS / max(cost_ms, 1e-3)
        # Half of the way: cost does not follow the points alone.
        self._wanted = min(max((needed * self._wanted) ** 0.5, LEAST_SHARE), 1.0)

    def moved(self, points: float) -> float:
        """Choose the share of a frame of a moving view that has so many points."""
        wanted = max(self._wanted, min(FEW / max(points, 1), 1.0))
        self.share = wanted if wanted < 0.8 else 1.0
        return self.share

    def rested(self) -> float:
        """Draw all points."""
        self.share = 1.0
        return self.share

    @property
    def rest_ms(self) -> int:
        """How long the view must stand still before all points are drawn."""
        return int(min(max(TARGET_MS / self._wanted, REST_MS), MOST_REST_MS))
