"""Carries callbacks of worker threads into Qt's event loop.

Invariants: `wake` may be called in any thread and costs one queued signal however often it is
called before the loop turns; nothing polls, so an idle application stays idle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from qtpy.QtCore import QEventLoop, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QApplication

from napari_octree.layers.main_loop import MAIN_LOOP


class QtLoop(QObject):
    """A `Toolkit` for the main loop; lives in the GUI thread."""

    _woken = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._pending = False
        self._woken.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def wake(self) -> None:
        """Have the posted callbacks called in the GUI thread (any thread)."""
        with self._lock:
            if self._pending:
                return
            self._pending = True
        self._woken.emit()

    def _drain(self) -> None:
        with self._lock:
            self._pending = False
        MAIN_LOOP.drain()

    def run_until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Run Qt's event loop until `done()` or `timeout` seconds (GUI thread).

        `done` is asked after each turn: what a frame changes is seen though nobody tells of it.
        """
        deadline = QTimer()
        deadline.setSingleShot(True)
        deadline.start(max(int(timeout * 1000), 0))
        loop = QEventLoop()
        loop.processEvents()
        while not done() and deadline.isActive():
            loop.processEvents(
                QEventLoop.ProcessEventsFlag.AllEvents
                | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
            )
        deadline.stop()
        return done()


def attach_qt_loop() -> None:
    """Let Qt carry the callbacks, once there is an application."""
    global _attached
    if _attached is None and QApplication.instance() is not None:
        _attached = QtLoop()
        MAIN_LOOP.attach(_attached)


_attached: QtLoop | None = None
