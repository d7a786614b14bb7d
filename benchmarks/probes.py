"""What is measured while a session runs: turns of the event loop, and pictures on the canvas.

All times are seconds of `time.perf_counter`. Everything runs in the GUI thread.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from vispy import gloo

STALL_S = 0.05


class EventLoopProbe:
    """A 1 ms timer: the time between two of its turns is how long nothing else could happen.

    The processor time of the GUI thread between two turns is what of it was the thread's own
    work: other programs, and a renderer's own threads, do not count.
    """

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._turn)
        self._last = self._last_work = 0.0
        self._gaps: list[float] = []
        self._work: list[float] = []

    def start(self) -> None:
        """Forget what was measured and measure from now on."""
        self._gaps, self._work = [], []
        self._last, self._last_work = perf_counter(), thread_time()
        self._timer.start(1)

    def stop(self) -> None:
        """Measure no more."""
        self._timer.stop()

    def _turn(self) -> None:
        now = perf_counter()
        self._gaps.append(now - self._last)
        self._last = now
        work = thread_time()
        self._work.append(work - self._last_work)
        self._last_work = work

    @property
    def longest_gap(self) -> float:
        """Longest time between two turns."""
        return max(self._gaps, default=0.0)

    @property
    def longest_work(self) -> float:
        """Most processor time of the GUI thread between two turns."""
        return max(self._work, default=0.0)

    @property
    def stalls(self) -> float:
        """Sum of the gaps that a person notices (over 50 ms)."""
        return sum(gap for gap in self._gaps if gap > STALL_S)


@dataclass(frozen=True)
class Picture:
    """One drawn frame: when, a checksum, and how many pixels are not background."""

    time: float
    checksum: int
    covered: int


class PictureProbe:
    """Counts frames, and looks at them while `watching`.

    Looking costs about 3 ms a frame (the canvas is read back), in all layers alike.
    """

    def __init__(self, scene_canvas: Any) -> None:
        self.watching = False
        self.frames = 0
        self.last_frame = 0.0
        self.pictures: list[Picture] = []
        scene_canvas.events.draw.connect(self._drawn, position="last")

    def start(self) -> None:
        """Forget what was seen; count, but do not look yet."""
        self.frames = 0
        self.pictures = []
        self.watching = False

    def _drawn(self, event: Any) -> None:
        self.frames += 1
        self.last_frame = perf_counter()
        if self.watching:
            pixels = gloo.read_pixels()[..., :3]
            covered = int(np.count_nonzero(pixels.any(axis=2)))
            self.pictures.append(Picture(perf_counter(), zlib.crc32(pixels.tobytes()), covered))

    @property
    def final_since(self) -> float | None:
        """When the picture that stayed was drawn first; None if nothing was drawn."""
        since = None
        for picture in reversed(self.pictures):
            if picture.checksum != self.pictures[-1].checksum:
                break
            since = picture.time
        return since

    @property
    def whole_since(self) -> float | None:
        """When a picture first covered what the last one covers (to 1%); None if never drawn."""
        for picture in self.pictures:
            if picture.covered >= 0.99 * self.pictures[-1].covered:
                return picture.time
        return None
