"""Record what a viewer shows, save it, and play it again.

Invariants: GUI thread; without a recording or a playback there is no timer and nothing is listened
to; one of the two at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel, QPushButton, QWidget

from napari_octree.layers.viewing.player import TracePlayer
from napari_octree.layers.viewing.recorder import TraceRecorder
from napari_octree.layers.viewing.trace import Trace
from napari_octree.rendering.canvas.frame_clock import FrameClock, canvas_of

FILES = "Traces (*.json)"
LAST_FRAME_MS = 100
"""After the last step: for its frame."""


class Traces(QWidget):
    """Buttons to record, play, save and load.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    layer : callable
        Returns the octree layer whose canvas is meant, or None.
    """

    def __init__(
        self, viewer: Any, layer: Callable[[], Any], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._layer = viewer, layer
        self.trace: Trace | None = None
        self._recorder: TraceRecorder | None = None
        self._player: TracePlayer | None = None
        self._clock: FrameClock | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._step)
        self.record, self.play = QPushButton("Re&cord"), QPushButton("Play")
        self.record.setCheckable(True)
        self.play.setCheckable(True)
        self.record.setToolTip("Record camera, sliders and looks until it is pressed again")
        self.play.setToolTip("Play what was recorded or loaded, in this viewer")
        self.record.toggled.connect(self._on_record)
        self.play.toggled.connect(self._on_play)
        self.save, self.load = QPushButton("Save…"), QPushButton("Load…")
        self.save.setToolTip("Write it as a small file: no names and no addresses are in it")
        self.load.setToolTip("Read such a file")
        self.save.clicked.connect(self._ask_where_to_save)
        self.load.clicked.connect(self._ask_what_to_load)
        self.message = QLabel()
        grid = QGridLayout(self)
        grid.addWidget(self.record, 0, 0)
        grid.addWidget(self.play, 0, 1)
        grid.addWidget(self.save, 1, 0)
        grid.addWidget(self.load, 1, 1)
        grid.addWidget(self.message, 2, 0, 1, 2)
        self._show_state("Nothing is recorded yet.")

    # ------------------------------------------------------------------ record

    def _on_record(self, on: bool) -> None:
        if on:
            self._recorder = TraceRecorder(self._viewer)
            self._show_state("Recording…")
        elif self._recorder is not None:
            layer = self._layer()
            canvas = None if layer is None else canvas_of(layer)
            size = None if canvas is None else (int(canvas.size[0]), int(canvas.size[1]))
            self.trace, self._recorder = self._recorder.stop(size), None
            self._show_state(_described(self.trace))

    def _show_state(self, text: str) -> None:
        self.message.setText(text)
        recording, playing = self._recorder is not None, self._player is not None
        self.record.setEnabled(not playing)
        self.play.setEnabled(self.trace is not None and not recording)
        self.save.setEnabled(self.trace is not None and not recording)
        self.load.setEnabled(not recording and not playing)

    # -------------------------------------------------------------------- play

    def _on_play(self, on: bool) -> None:
        if not on:
            self._end(None)
        elif self.trace is not None:
            self._player = TracePlayer(self._viewer, self.trace)
            layer = self._layer()
            self._clock = None if layer is None else FrameClock(layer)
            self._began = perf_counter()
            self._show_state("Playing…")
            self._step()

    def _step(self) -> None:
        if self._player is None:
            return
        if self._player.over:
            self._end("Played")
            return
        wait = self._player.show(perf_counter() - self._began)
        self._timer.start(LAST_FRAME_MS if wait is None else max(round(wait * 1000), 0))

    def _end(self, word: str | None) -> None:
        self._timer.stop()
        self._player = None
        times = []
        if self._clock is not None:
            times = self._clock.times
            self._clock.close()
            self._clock = None
        if self.play.isChecked():
            self.play.blockSignals(True)
            self.play.setChecked(False)
            self.play.blockSignals(False)
        text = word or "Stopped"
        if len(times) > 1:
            gaps = np.diff(times) * 1000
            text += f": {len(times)} frames,\nlongest gap {gaps.max():.0f} ms"
        self._show_state(f"{text}.")

    # ------------------------------------------------------------------- files

    def _ask_where_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the trace", "trace.json", FILES)
        if path:
            self.save_to(path)

    def save_to(self, path: str) -> None:
        """Write the trace; what goes wrong is a notice."""
        try:
            if self.trace is not None:
                self.trace.save(path)
        except OSError as error:
            show_warning(f"The trace cannot be written: {error.strerror or error}\n{path}")

    def _ask_what_to_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a trace", "", FILES)
        if path:
            self.load_from(path)

    def load_from(self, path: str) -> None:
        """Read a trace; what goes wrong is a notice."""
        try:
            self.trace = Trace.load(path)
        except ValueError as error:
            show_warning(str(error))
            return
        self._show_state(_described(self.trace))

    def close_down(self) -> None:
        """End what is going on."""
        if self._recorder is not None:
            self.record.setChecked(False)
        if self._player is not None:
            self._end(None)


def _described(trace: Trace) -> str:
    return f"{len(trace.steps)} steps in {trace.duration:.1f} s."
