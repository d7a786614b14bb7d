"""Whose a canvas is, and what happens to its window (napari 0.9.2, vispy 0.17)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def viewer_of(canvas: Any) -> Any:
    """Return the viewer that a scene canvas belongs to, or None."""
    widget = canvas.native if canvas is not None else None
    while widget is not None:
        viewer = getattr(widget, "viewer", None)
        if viewer is not None:
            return viewer
        widget = widget.parent()
    return None


SLOW_PERCENT = 20


def hold_playback(dims: Any) -> None:
    """Keep playing sliders where they are until the next frame."""
    dims._play_ready = False


def slow_loading_signs(canvas: Any) -> None:
    """Let the turning signs of the window's layer list turn slowly.

    For each step of such a sign Qt puts the whole window together anew by GL, canvas included:
    18 times a second, which takes a software renderer nearly half of the time in which layers
    load (`LayerDelegate._load_movie`, napari 0.9.2 and 0.10).
    """
    from qtpy.QtWidgets import QAbstractItemView

    widget = canvas.native if canvas is not None else None
    if widget is None:
        return
    for view in widget.window().findChildren(QAbstractItemView):
        movie = getattr(view.itemDelegate(), "_load_movie", None)
        if movie is not None:
            movie.setSpeed(SLOW_PERCENT)


def what_a_person_closes(event: Any) -> str | None:
    """Tell who closes a window, by its close event: a person the "window", or "all"; None: code.

    A person uses the window's button, or napari's menus and keys, whose `close(confirm_need=True)`
    ends in an event that looks like one of code (`_QtMainWindow`, read in 0.9.2).
    """
    if event.spontaneous():
        return "window"
    frame = sys._getframe(1)
    while frame is not None:
        is_window = frame.f_globals.get("__name__") == "napari._qt.qt_main_window"
        if is_window and frame.f_code.co_name == "close":
            if not frame.f_locals.get("confirm_need"):
                return None
            return "all" if frame.f_locals.get("quit_app") else "window"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def when_idle(canvas: Any, callback: Callable[[], None]) -> None:
    """Call `callback` after the current draw: `update()` inside of one is dropped by vispy."""
    from qtpy.QtCore import QTimer

    QTimer.singleShot(0, callback)
