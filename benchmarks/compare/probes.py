"""What is measured while a script plays: turns of the event loop, pictures, collections, wake-ups.

All times are seconds of `time.perf_counter`. Everything runs in the GUI thread.
"""

from __future__ import annotations

import gc
import resource
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from OpenGL import GL
from qtpy.QtCore import Qt, QTimer
from vispy import gloo


class EventLoopProbe:
    """A 1 ms timer: the time between two of its turns is how long nothing else could happen."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._turn)
        self._last = 0.0
        self.gaps: list[float] = []

    def start(self) -> None:
        """Forget what was measured and measure from now on."""
        self.gaps = []
        self._last = perf_counter()
        self._timer.start(1)

    def stop(self) -> None:
        """Measure no more."""
        self._timer.stop()

    def _turn(self) -> None:
        now = perf_counter()
        self.gaps.append(now - self._last)
        self._last = now


@dataclass(frozen=True)
class Picture:
    """One drawn frame: when, a checksum, and which share of the canvas is blank by mistake."""

    time: float
    checksum: int
    blank: float


class PictureProbe:
    """Counts frames, and looks at them while `watching`.

    Looking costs about 3 ms a frame (the canvas is read back), for all peers alike.

    Parameters
    ----------
    scene_canvas : vispy canvas
    expected : callable
        Returns the share of the canvas that the data should cover now.
    """

    def __init__(self, scene_canvas: Any, expected: Callable[[], float]) -> None:
        self.watching = False
        self.frames = 0
        self.last_frame = 0.0
        self.pictures: list[Picture] = []
        self.draws_s: list[float] = []
        """Of each frame: processor time of the GUI thread."""
        self._expected = expected
        self._began = 0.0
        scene_canvas.events.draw.connect(self._begin, position="first")
        scene_canvas.events.draw.connect(self._drawn, position="last")

    def start(self, watching: bool) -> None:
        """Forget what was seen."""
        self.frames = 0
        self.pictures = []
        self.draws_s = []
        self.watching = watching

    def _begin(self, event: Any) -> None:
        self._began = thread_time()

    def _drawn(self, event: Any) -> None:
        self.draws_s.append(thread_time() - self._began)
        self.frames += 1
        self.last_frame = perf_counter()
        if self.watching:
            pixels = gloo.read_pixels()[..., :3]
            covered = float(np.count_nonzero(pixels.any(axis=2))) / (pixels.size / 3)
            blank = max(0.0, self._expected() - covered - 0.01)
            self.pictures.append(Picture(perf_counter(), zlib.crc32(pixels.tobytes()), blank))

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
        """When a picture first had no blank place; None if never."""
        return next((p.time for p in self.pictures if not p.blank), None)

    def blank_s(self, until: float) -> float:
        """Integral of the blank share over time: 1 is a black canvas for a second."""
        ends = [p.time for p in self.pictures[1:]] + [until]
        return sum(
            p.blank * max(0.0, end - p.time) for p, end in zip(self.pictures, ends, strict=True)
        )


class CollectionProbe:
    """How long Python's garbage collections held everything up."""

    def __init__(self) -> None:
        self._began = 0.0
        self.took: list[tuple[int, float]] = []
        """Of each collection: generation, seconds."""
        gc.callbacks.append(self._called)

    def start(self) -> None:
        """Forget what was measured."""
        self.took = []

    def _called(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        else:
            self.took.append((info["generation"], perf_counter() - self._began))


class WorkProbe:
    """Processor time of the GUI thread, and how often it was woken."""

    def start(self) -> None:
        """Measure from now on."""
        self._work = thread_time()
        self._woken = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw

    def stop(self) -> None:
        """Fix what was measured."""
        self.work_s = thread_time() - self._work
        self.woken = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - self._woken


_TEXTURES = {
    GL.GL_TEXTURE_2D: GL.GL_TEXTURE_BINDING_2D,
    GL.GL_TEXTURE_3D: GL.GL_TEXTURE_BINDING_3D,
}
_SIZES = (GL.GL_TEXTURE_WIDTH, GL.GL_TEXTURE_HEIGHT, GL.GL_TEXTURE_DEPTH)
_BITS = (
    *(GL.GL_TEXTURE_RED_SIZE, GL.GL_TEXTURE_GREEN_SIZE),
    *(GL.GL_TEXTURE_BLUE_SIZE, GL.GL_TEXTURE_ALPHA_SIZE),
)


def texture_mib(scene_canvas: Any) -> float:
    """Return what the textures of a canvas hold, as GL says: of all that vispy has made."""
    scene_canvas.set_current()
    total = 0
    for target, bound in _TEXTURES.items():
        before = GL.glGetIntegerv(bound)
        for made in scene_canvas.context.shared.parser._objects.values():
            if getattr(made, "_target", None) == target and made.handle > 0:
                GL.glBindTexture(target, made.handle)
                sizes, bits = (
                    [int(GL.glGetTexLevelParameteriv(target, 0, name)) for name in names]
                    for names in (_SIZES, _BITS)
                )
                total += int(np.prod(sizes)) * sum(bits) // 8
        GL.glBindTexture(target, before)
    return total / 2**20


def resident_mib() -> float:
    """Return what the process holds in memory now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
