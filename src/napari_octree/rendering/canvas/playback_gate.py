"""A playing slider waits for the picture; napari lets it go on after each frame.

Invariants: GUI thread only; holds a slider back, never drives it; nothing of napari is patched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_octree.rendering._vispy import hold_playback, viewer_of


class PlaybackGate:
    """Holds the sliders of the viewer that a canvas belongs to.

    Parameters
    ----------
    waits : callable
        Asked after each frame: whether the slider is to stay where it is.
    """

    def __init__(self, waits: Callable[[], bool]) -> None:
        self._waits = waits
        self._canvas: Any = None
        self._dims: Any = None

    def attach(self, canvas: Any) -> None:
        """Look after each frame of `canvas`, from now on."""
        if self._dims is None and (viewer := viewer_of(canvas)) is not None:
            self._dims, self._canvas = viewer.dims, canvas
            canvas.events.draw.connect(self._on_drawn, position="last")

    def _on_drawn(self, event: Any = None) -> None:
        if self._waits():
            hold_playback(self._dims)

    def close(self) -> None:
        """Hold no longer."""
        if self._canvas is not None:
            self._canvas.events.draw.disconnect(self._on_drawn)
            self._canvas = self._dims = None
