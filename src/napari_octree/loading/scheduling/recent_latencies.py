"""The latencies of the latest reads, and their spread.

Invariants: the spread is found once after a read, not at every look: a snapshot asks it of
thousands of sources, of which few are being read. Under the loader's lock only.
"""

from __future__ import annotations

from collections import deque

RECENT = 128
"""So many latencies are kept."""


class RecentLatencies:
    """Latencies in seconds, the oldest of which are forgotten."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=RECENT)
        self._spread_ms: tuple[float, float] | None = None

    def add(self, seconds: float) -> None:
        """One read took so long."""
        self._seconds.append(seconds)
        self._spread_ms = None

    @property
    def spread_ms(self) -> tuple[float, float] | tuple[None, None]:
        """What half of the reads stayed below, and 95%; None before the first."""
        if self._spread_ms is None and self._seconds:
            ordered = sorted(self._seconds)
            half, most = (1000 * ordered[int(share * len(ordered))] for share in (0.5, 0.95))
            self._spread_ms = half, most
        return self._spread_ms or (None, None)
