"""LoadingPace: how often a canvas is drawn for nothing but more of what is loading.

Invariants: GUI thread only. What a frame costs is known when the event loop comes round after it:
by then it is on the screen, and a software renderer has done its work. The layers of a canvas
share one: a frame draws all of them.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.graphics import draws_in_software
from napari_octree.rendering.view.frame_pace import FramePace

SHARE = 5
"""Times that a frame's cost passes before the next one. Loading takes the interpreter and the
processor, both of which an expensive frame takes too."""

MOST_WAIT_MS = 400
"""Whatever a frame costs, what comes shows twice a second."""


class LoadingPace:
    """The frames of one canvas while it loads."""

    def __init__(self) -> None:
        self._pace = FramePace(SHARE)
        self._post_end = MAIN_LOOP.poster(self._end)

    def begin(self) -> None:
        """A layer that is not complete is being drawn."""
        if not self._pace.under_way:
            self._pace.begin(perf_counter())
            self._post_end()

    def wait_ms(self, now_s: float) -> int:
        """How long to wait before a frame that only shows more; 0: not at all."""
        self._end()
        return min(max(self._pace.wait_ms(now_s), 0), MOST_WAIT_MS)

    def _end(self) -> None:
        if self._pace.under_way:
            self._pace.end(perf_counter())


_paces: WeakKeyDictionary[Any, LoadingPace] = WeakKeyDictionary()


def loading_pace_of(canvas: Any) -> LoadingPace:
    """That of a canvas, made when first asked for (in a draw)."""
    pace = _paces.get(canvas)
    if pace is None:
        pace = _paces[canvas] = LoadingPace()
        if draws_in_software():
            _vispy.slow_loading_signs(canvas)
    return pace
