"""Whoever waits for a settled picture hears of it, however it came about."""

from __future__ import annotations

from qtpy.QtCore import QTimer

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.rendering.canvas.qt_loop import attach_qt_loop


def test_waiting_ends_with_the_turn_that_brought_it(qapp) -> None:
    attach_qt_loop()
    happened: list[str] = []
    QTimer.singleShot(20, lambda: happened.append("done"))
    QTimer.singleShot(1000, lambda: happened.append("late"))
    assert MAIN_LOOP.run_until(lambda: "done" in happened, 30)
    assert happened == ["done"]
