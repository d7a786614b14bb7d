"""The Octree dock.

Invariants: GUI thread. It follows the selected octree layers. While it is hidden it has no timer
and listens to nothing that changes often; while it is shown it looks four times a second at most,
and only while something changes.
"""

from __future__ import annotations

from html import escape
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.qt.desk.bookmarks import Bookmarks
from napari_octree.qt.desk.followed_layers import FollowedLayers
from napari_octree.qt.desk.level_table import LevelTable
from napari_octree.qt.desk.meters import Meters
from napari_octree.qt.desk.minimap import Minimap
from napari_octree.qt.desk.report import report_text
from napari_octree.qt.desk.section import Section
from napari_octree.qt.desk.subjects.choice import subject_of
from napari_octree.qt.desk.subjects.subject import Subject
from napari_octree.qt.desk.switches import Switches
from napari_octree.qt.desk.traces import Traces
from napari_octree.rendering.gpu.graphics import graphics_name

if TYPE_CHECKING:
    import napari.viewer

UPDATE_MS = 250

LAYER_EVENTS = (
    "progress", "settled", "set_data", "contrast_limits", "colormap", "gamma", "data",
    "visible", "locked_data_level", "look",
)  # fmt: skip


class OctreeDock(QScrollArea):
    """Levels, minimap, switches, meters, bookmarks and report of the selected octree layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._listening: list[tuple[Any, Any]] = []
        self._changed = True
        self._picture_changed = True
        self._subject: Subject | None = None
        self._shown: object = None
        self._described: object = None
        self.updates = 0
        """How often it has looked."""
        self._timer = QTimer(self)
        self._timer.setInterval(UPDATE_MS)
        self._timer.timeout.connect(self._look)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setToolTip("Tiles of the view that are drawn at their best")
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        self.reload = QPushButton("Reloa&d failed")
        self.reload.setToolTip("Read again what could not be read")
        self.reload.clicked.connect(self._reload)
        self.minimap = Minimap()
        self.minimap.travelled.connect(self._travel)
        self.loaded = QCheckBox("Show what &is loaded")
        self.loaded.setToolTip("Mark by level what is loaded; the table shows the colours")
        self.loaded.toggled.connect(self._on_loaded)
        self.key = QLabel(
            "■\u00a0on\u00a0the\u00a0GPU   ▨\u00a0in\u00a0memory\u00a0only   ✕\u00a0failed"
        )
        self.key.setToolTip("What the marks on the map mean")
        self.key.setWordWrap(True)
        self.key.hide()
        self.table = LevelTable()
        self.switches = Switches()
        self.table.level_chosen.connect(self.switches.choose_level)
        self.meters = Meters()
        self.bookmarks = Bookmarks(viewer)
        self.traces = Traces(viewer, lambda: self.layer)
        self.names = QCheckBox("with names and addresses")
        self.names.setToolTip("Layers, files and addresses: tick only if you may share them")
        self.copy = QPushButton("Copy &report")
        self.copy.setToolTip("Versions, data, settings and counts as text for a bug report")
        self.copy.clicked.connect(self._copy_report)
        self._lay_out()
        self._followed = FollowedLayers(viewer, self._on_other_layers)
        self._on_other_layers()

    # ------------------------------------------------------------------ layout

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.title)
        column.addWidget(self.progress)
        row = QHBoxLayout()
        row.addWidget(self.counts, 1)
        row.addWidget(self.reload)
        column.addLayout(row)
        column.addWidget(self.minimap, 1)
        column.addWidget(self.loaded)
        column.addWidget(self.key)
        for title, widget, opened in (
            ("Levels", self.table, True),
            ("Display and loading", self.switches, True),
            ("Meters", self.meters, False),
            ("Bookmarks of views", self.bookmarks, False),
            ("Traces of views", self.traces, False),
        ):
            part = Section(title, widget)
            if opened:
                part.expand()
            part.toggled.connect(self._on_change)
            column.addWidget(part)
        column.addWidget(self.copy)
        column.addWidget(self.names)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    # -------------------------------------------------------------- what it follows

    @property
    def layer(self) -> OctreeLayer | None:
        """The layer that is shown."""
        return self._followed.first

    def _on_other_layers(self) -> None:
        if not hasattr(self, "_followed"):
            return
        self._listen(self.isVisible())
        self._subject, self._described, self._shown = subject_of(self.layer), None, None
        self.switches.show_layers(self._followed.layers)
        self._on_picture()

    def _listen(self, on: bool) -> None:
        """Hear of changes of the followed layers and of the camera, or of nothing."""
        for emitter, slot in self._listening:
            emitter.disconnect(slot)
        self._listening = []
        if not on:
            return
        pairs: list[tuple[Any, Any]] = [
            (self._viewer.scene.camera.events, self._on_change),
            (self._viewer.dims.events, self._on_picture),
        ]
        for layer in self._followed.layers:
            pairs.append((layer.display.events, self._on_switch))
            for name in LAYER_EVENTS:
                event = getattr(layer.events, name, None)
                if event is not None:
                    slot = self._on_change if name in ("progress", "settled") else self._on_picture
                    pairs.append((event, slot))
        for emitter, slot in pairs:
            emitter.connect(slot)
        self._listening = pairs

    def _on_change(self, event: Any = None) -> None:
        self._changed = True
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _on_picture(self, event: Any = None) -> None:
        self._picture_changed = True
        self._on_change()

    def _on_switch(self, event: Any = None) -> None:
        self.switches.refresh()
        self._on_change()

    # ------------------------------------------------------------------- Qt's

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Begin to look."""
        super().showEvent(event)
        QTimer.singleShot(0, self._fit)  # napari's style, which comes later, makes parts wider
        self._listen(True)
        self._on_picture()
        self._look()

    def _fit(self) -> None:
        """Be wide enough for all parts."""
        inside, bar = self.widget(), self.verticalScrollBar()
        if inside is not None and bar is not None:
            self.setMinimumWidth(inside.minimumSizeHint().width() + bar.sizeHint().width() + 2)

    def hideEvent(self, event: Any) -> None:  # noqa: N802
        """Cost nothing."""
        super().hideEvent(event)
        self._listen(False)
        self._timer.stop()
        self.meters.stop()

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """End for good."""
        self._listen(False)
        self._timer.stop()
        self.meters.stop()
        self._followed.close()
        self.traces.close_down()
        super().closeEvent(event)

    # -------------------------------------------------------------------- look

    def _look(self) -> None:
        """Show what has changed; rest when nothing has."""
        if not self._changed:
            self._timer.stop()
            return
        self._changed = False
        self.updates += 1
        layer, subject = self.layer, self._subject
        self.meters.show_layer(layer if self.meters.isVisible() else None, monotonic())
        if layer is None or subject is None:
            self.title.setText("Select an octree layer.")
            self.progress.reset()
            self.counts.clear()
            self.reload.hide()
            self.table.show_rows([])
            self.minimap.show_panels([])
            self.minimap.show_view(None, 0)
            self.minimap.show_places([])
            return
        others = len(self._followed.layers) - 1
        self.title.setText(
            f"<b>{escape(layer.name)}</b>" + (f" and {others} more" if others else "")
        )
        self._show_progress(layer.progress, subject.word)
        if self._picture_changed:
            self._picture_changed = False
            self.minimap.show_panels(subject.panels())
            if subject.described is not self._described:
                self._described = subject.described
                self.table.show_rows(subject.rows())
            self.switches.refresh()
        self.minimap.show_view(layer.view, subject.rank)
        self.table.mark(layer.data_level)
        self._show_loaded(subject)
        if not layer.settled:
            self._changed = True  # counts go on without an event

    def _show_loaded(self, subject: Subject) -> None:
        """Show what is on the GPU, in RAM and failed, by level and by place."""
        shown = (subject.loaded, self.loaded.isChecked(), self.table.isVisible())
        if shown == self._shown:
            return
        self._shown = shown
        if self.table.isVisible():
            self.table.show_counts(subject.counts())
        self.minimap.show_places(subject.places(self.loaded.isChecked()))

    def _on_loaded(self, on: bool) -> None:
        self.table.colour(on)
        self.key.setVisible(on)
        self._on_change()

    def _show_progress(self, progress: OctreeProgress, word: str) -> None:
        ideal, failed = progress.ideal, progress.failed
        self.progress.setRange(0, max(ideal, 1))
        self.progress.setValue(progress.resident if ideal else 1)
        self.counts.setText(
            f"{ideal} {word} in view: {progress.resident} drawn, {progress.loading} loading, "
            f"{failed} failed"
        )
        self.reload.setEnabled(failed > 0)
        self.reload.setVisible(failed > 0)

    def _reload(self) -> None:
        for layer in self._followed.layers:
            layer.reload()

    def _travel(self, place: dict[int, float]) -> None:
        """Have the camera look at a place of the map, given by displayed axis."""
        layer, subject = self.layer, self._subject
        if layer is None or subject is None or not subject.rank:
            return
        point = np.asarray(self._viewer.dims.point, float)[-layer.ndim :]
        data = np.asarray(layer.world_to_data(point), float)
        view = layer.view
        known = getattr(view, "centre", None) or getattr(view, "focus", None) or ()
        subject.to_data(data, dict(enumerate(known[-subject.rank :])) | place)
        world = np.zeros(self._viewer.dims.ndim)
        world[-layer.ndim :] = layer.data_to_world(data)
        shown = list(self._viewer.dims.displayed)
        self._viewer.scene.camera.center = tuple(float(world[axis]) for axis in shown)

    def _copy_report(self) -> None:
        text = report_text(self._followed.layers, graphics_name(), self.names.isChecked())
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
