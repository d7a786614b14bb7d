"""Exports: draws of a canvas that somebody takes for a picture, and that wait for their pixels.

napari's `screenshot`, `export_figure` and `export_rois` (and what is built on them, as
napari-animation) resize the canvas or move the camera and take a picture at once, before anything
of that view can have been loaded. Such a draw does not come through the event loop: it is
no paint event. One of a view that has not been shown yet waits until all of it is there.

Invariants: GUI thread only. A draw that the event loop asks for never waits; nor does a picture of
the view that is on the screen already, however much of it is loaded: it shows what the user sees.
All layers of a canvas load at the same time, and wait together no longer than the limit. No events
are handled meanwhile, so that nothing changes in the midst of a draw.
"""

from __future__ import annotations

import time
import weakref
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from qtpy.QtCore import QEvent, QObject, QTimer

MOST_WAIT_S = 0.05
"""What is to come may be due by time alone: one looks again after so long."""


class ExportedView(Protocol):
    """What takes part in an export: the view of a layer in the canvas."""

    @property
    def is_current(self) -> bool:
        """What was drawn last is what the camera shows now; True where nothing is to be drawn."""
        ...

    @property
    def export_timeout_s(self) -> float:
        """How long an export may wait."""
        ...

    def begin_export(self) -> None:
        """Ask for what the camera shows now."""
        ...


class Exports(QObject):
    """Which draws of one canvas are exports.

    Parameters
    ----------
    canvas : vispy canvas
    """

    def __init__(self, canvas: Any) -> None:
        super().__init__(canvas.native)
        self.views: WeakSet[ExportedView] = WeakSet()
        self._painting = self._resized = False
        self._deadline: float | None = None
        canvas.native.installEventFilter(self)
        canvas.events.draw.connect(self._on_drawn, position="last")

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802  # Qt's name
        """Note what the event loop does with the canvas."""
        kind = event.type()
        if kind == QEvent.Type.Paint:
            self._painting = True
        elif kind == QEvent.Type.Resize:
            self._resized = True
            QTimer.singleShot(0, self._on_turn)
        return False

    def _on_turn(self) -> None:
        self._resized = False

    def _on_drawn(self, event: Any = None) -> None:
        self._painting, self._deadline = False, None

    @property
    def painting(self) -> bool:
        """The draw that is under way is for the screen, not for a picture."""
        return self._painting

    def deadline(self) -> float | None:
        """Until when the draw that is under way may wait (`time.perf_counter`), if it is one."""
        now = time.perf_counter()
        if self._painting:
            return None
        if self._deadline is None:
            if not self._resized and all(view.is_current for view in self.views):
                return None
            limits = [view.export_timeout_s for view in self.views]
            self._deadline = now + max(limits, default=0.0)
            for view in [*self.views]:
                view.begin_export()
        return self._deadline


_exports: WeakKeyDictionary[Any, weakref.ref[Exports]] = WeakKeyDictionary()


def exports_of(canvas: Any) -> Exports:
    """The exports of a canvas, which owns them."""
    known = _exports.get(canvas)
    exports = known() if known is not None else None
    if exports is None:
        exports = Exports(canvas)
        _exports[canvas] = weakref.ref(exports)
    return exports
