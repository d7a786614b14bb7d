"""When frames of a canvas were drawn, and how long each took.

Invariants: GUI thread; two floats a frame, nothing else; `close` ends it.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any


class FrameClock:
    """Notes the time of every frame of the canvas that shows a layer.

    Parameters
    ----------
    layer : octree layer
        The canvas is that of its latest view.
    """

    def __init__(self, layer: Any) -> None:
        self.times: list[float] = []
        """Seconds, of `time.perf_counter`, one per frame."""
        self.durations: list[float] = []
        """Seconds that each frame took of this thread."""
        self._began: float | None = None
        self._canvas = canvas_of(layer)
        if self._canvas is not None:
            self._canvas.events.draw.connect(self._begin, position="first")
            self._canvas.events.draw.connect(self._end, position="last")

    def _begin(self, event: Any) -> None:
        self._began = perf_counter()

    def _end(self, event: Any) -> None:
        now = perf_counter()
        self.times.append(now)
        if self._began is not None:
            self.durations.append(now - self._began)
            self._began = None

    def close(self) -> None:
        """Listen no more."""
        if self._canvas is not None:
            self._canvas.events.draw.disconnect(self._begin)
            self._canvas.events.draw.disconnect(self._end)
            self._canvas = None


def canvas_of(layer: Any) -> Any:
    """The canvas in which a layer was drawn last; None if it is in none."""
    views: tuple[Any, ...] = layer.drawn_views
    return views[-1].node.canvas if views else None
