"""How many tiles a frame may send to the GPU.

Invariants: what is timed is the upload itself, by GL (queueing costs nothing and proves
nothing); a frame sends at least one tile, and otherwise starts an upload only if it is expected
to end within the budget even if it is a slow one: as slow as all but the slowest of late, since
now and then an upload waits for a busy processor, which says nothing of the next. A frame that
takes longer than its budget and what one upload was expected to take, at the median rate of late,
is counted.
GUI thread only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from napari_octree.layers.views.statistics import UploadCheck, ViewStatistics

_REMEMBERED = 15
"""Uploads that tell how long the next may take."""

UNHURRIED_MS = 1e6
"""The limit of a frame that somebody waits for: all of it is wanted."""

_CHECKED = 8
"""Uploads before the one that is checked: the first ones are not typical."""


class UploadBudget:
    """The milliseconds of one frame after the other.

    Parameters
    ----------
    send : callable
        Makes GL carry out what others have queued.
    clock : callable
        Seconds; replaced in tests.
    check : callable, optional
        Runs one early upload in our place, to tell what it takes until it is done.
    """

    def __init__(
        self,
        send: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
        check: Callable[[Callable[[], None], int], UploadCheck] | None = None,
    ) -> None:
        self._send = send
        self._check = check
        self.checked: UploadCheck | None = None
        self._clock = clock
        self._rates: deque[float] = deque(maxlen=_REMEMBERED)
        self._ms_per_byte = 0.0
        self._slow_ms_per_byte = 0.0
        self._limit_ms = 0.0
        self._spent_ms = 0.0
        self._frame_uploads = 0
        self._expected_ms = 0.0
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

    def begin(self, limit_ms: float) -> None:
        """Start a frame with `limit_ms` to spend."""
        self._limit_ms = limit_ms
        self._spent_ms = 0.0
        self._frame_uploads = 0
        self._expected_ms = 0.0

    def allows(self, nbytes: int) -> bool:
        """Whether an upload of `nbytes` may still start in this frame."""
        if not self._frame_uploads:
            return True
        return self._spent_ms + nbytes * self._slow_ms_per_byte <= self._limit_ms

    def spend(self, upload: Callable[[], None], nbytes: int) -> None:
        """Run `upload`, which must have reached GL when it returns, and count it."""
        if not self._frame_uploads:
            self._send()  # what others have queued is not the uploads' cost
        self._expected_ms = max(self._expected_ms, nbytes * self._ms_per_byte)
        if self.uploads == _CHECKED and self._check is not None:
            self.checked = self._check(upload, nbytes)
            took = self.checked.issued_ms
        else:
            start = self._clock()
            upload()
            took = (self._clock() - start) * 1e3
        self._spent_ms += took
        self._frame_uploads += 1
        if nbytes:
            self._rates.append(took / nbytes)
            rates = sorted(self._rates)
            self._ms_per_byte = rates[len(rates) // 2]
            self._slow_ms_per_byte = rates[-2] if len(rates) > 1 else rates[0]
        self.uploads += 1
        self.upload_bytes += nbytes
        self.upload_ms += took

    def end(self) -> None:
        """Close the frame."""
        self.longest_ms = max(self.longest_ms, self._spent_ms)
        if self._spent_ms > self._limit_ms + self._expected_ms:
            self.over_budget += 1

    def statistics(self, frames: int, plans: int) -> ViewStatistics:
        """What has been counted so far, with a drawing's own counts."""
        return ViewStatistics(
            frames=frames,
            plans=plans,
            uploads=self.uploads,
            upload_bytes=self.upload_bytes,
            upload_ms=self.upload_ms,
            longest_upload_ms=self.longest_ms,
            upload_check=self.checked,
            over_budget=self.over_budget,
        )
