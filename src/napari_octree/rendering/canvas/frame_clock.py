"""When frames of a canvas were drawn.

Invariants: GUI thread; one float a frame, nothing else; `close` ends it.
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
        self._canvas = canvas_of(layer)
        if self._canvas is not None:
            self._canvas.events.draw.connect(self._on_draw, position="last")

    def _on_draw(self, event: Any) -> None:
        self.times.append(perf_counter())

    def close(self) -> None:
        """Listen no more."""
        if self._canvas is not None:
            self._canvas.events.draw.disconnect(self._on_draw)
            self._canvas = None


def canvas_of(layer: Any) -> Any:
    """The canvas in which a layer was drawn last; None if it is in none."""
    views: tuple[Any, ...] = layer.drawn_views
    return views[-1].node.canvas if views else None
