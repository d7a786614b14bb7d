"""How many tiles a frame may send to the GPU.

Invariants: what is timed is the upload itself, flushed to GL (queueing costs nothing and proves
nothing); a frame sends at least one tile, and otherwise starts an upload only if it is expected
to end within the budget. The expected cost follows the measured bytes per millisecond. GUI
thread only.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_SMOOTHING = 0.2
"""Weight of the newest measurement of the rate."""


class UploadBudget:
    """The milliseconds of one frame after the other.

    Parameters
    ----------
    clock : callable
        Seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._ms_per_byte = 0.0
        self._limit_ms = 0.0
        self._spent_ms = 0.0
        self._frame_uploads = 0
        self._largest_ms = 0.0
        self.uploads = 0
        self.upload_bytes = 0
        self.upload_ms = 0.0
        self.longest_ms = 0.0
        self.over_budget = 0

    @property
    def bytes_per_ms(self) -> float:
        """Measured rate, 0 before the first upload."""
        return 1 / self._ms_per_byte if self._ms_per_byte else 0.0

    @property
    def limit_ms(self) -> float:
        """What the current frame may spend."""
        return self._limit_ms

    @property
    def started(self) -> bool:
        """Something has been sent in the current frame."""
        return self._frame_uploads > 0

    def begin(self, limit_ms: float) -> None:
        """Start a frame with `limit_ms` to spend."""
        self._limit_ms = limit_ms
        self._spent_ms = 0.0
        self._frame_uploads = 0
        self._largest_ms = 0.0

    def allows(self, nbytes: int) -> bool:
        """Whether an upload of `nbytes` may still start in this frame."""
        if not self._frame_uploads:
            return True
        return self._spent_ms + nbytes * self._ms_per_byte <= self._limit_ms

    def spend(self, upload: Callable[[], None], nbytes: int) -> None:
        """Run `upload` (which must reach GL before it returns) and count it."""
        start = self._clock()
        upload()
        took = (self._clock() - start) * 1e3
        self._spent_ms += took
        self._frame_uploads += 1
        self._largest_ms = max(self._largest_ms, took)
        if nbytes:
            rate = took / nbytes
            if self._ms_per_byte:
                self._ms_per_byte += _SMOOTHING * (rate - self._ms_per_byte)
            else:
                self._ms_per_byte = rate
        self.uploads += 1
        self.upload_bytes += nbytes
        self.upload_ms += took

    def end(self) -> None:
        """Close the frame."""
        self.longest_ms = max(self.longest_ms, self._spent_ms)
        if self._spent_ms > self._limit_ms + self._largest_ms:
            self.over_budget += 1
