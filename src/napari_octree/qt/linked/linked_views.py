"""The window of linked views: xy, yz, xz and 3-D, two by two, so that they share their edges.

Invariants: GUI thread; views of slices have one zoom and one point; the main viewer's sliders
follow the point and lead it. The window ends with its last pane, or with the main window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.layers import Layer
from napari.qt import get_stylesheet
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QSplitter, QVBoxLayout, QWidget

from napari_octree.qt.linked.pane import Pane, collect_soon
from napari_octree.qt.linked.shared_point import SharedPoint

PANES = (
    ("xy", (-3, -2, -1), 2),
    ("yz", (-1, -2, -3), 2),
    ("xz", (-2, -3, -1), 2),
    ("3-D", (-3, -2, -1), 3),
)
"""Title, order of the last three axes, displayed axes. The yz view lies on its side, so that its
y is the xy view's, and the xz view's x is."""


class LinkedViews(QWidget):
    """Four views of layers.

    Parameters
    ----------
    viewer : napari.Viewer
        Its sliders and theme are followed.
    layers : sequence of Layer
        Of at least three axes one of them; they are copied, chunks are shared.
    parent : QWidget, optional
        The main window.
    """

    def __init__(
        self, viewer: Any, layers: Sequence[Layer], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        if max((layer.ndim for layer in layers), default=0) < 3:
            raise ValueError("linked views need a layer of at least three axes")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{layers[-1].name}: linked views")
        self._viewer = viewer
        self._zooming = False
        self.point = SharedPoint(viewer.dims.point)
        self.panes: list[Pane] = []
        names = tuple(viewer.dims.axis_labels)
        rows = QSplitter(Qt.Orientation.Vertical)
        for start in (0, 2):
            row = QSplitter(Qt.Orientation.Horizontal)
            for title, order, ndisplay in PANES[start : start + 2]:
                pane = Pane(title, layers, self.point, order, ndisplay, names)
                pane.closed.connect(self._on_closed)
                self.panes.append(pane)
                row.addWidget(pane)
            row.setSizes([500, 500])
            rows.addWidget(row)
        rows.setSizes([500, 500])
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.addWidget(rows)
        self.resize(QSize(1000, 900) if parent is None else parent.size())
        viewer.dims.events.point.connect(self._on_main_slider)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self.point.moved.connect(self._move_main)
        for pane in self._flat:
            pane.on_zoom(self._on_zoom)
        if parent is not None:
            parent.installEventFilter(self)
        self.destroyed.connect(collect_soon)  # until then PySide6 keeps what the panes hold

    @property
    def _flat(self) -> list[Pane]:
        return [pane for pane in self.panes if pane.viewer.dims.ndisplay == 2]

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """See all at one zoom, once there is room."""
        super().showEvent(event)
        for pane in self.panes:
            pane.see_all()
        if self._flat:
            self._set_zoom(min(pane.viewer.scene.camera.zoom for pane in self._flat))

    # ------------------------------------------------------------------ follow

    def _on_theme(self, event: Any = None) -> None:
        self.setStyleSheet(get_stylesheet(self._viewer.theme))
        for pane in self.panes:
            pane.viewer.theme = self._viewer.theme

    def _on_main_slider(self, event: Any = None) -> None:
        self.point.move(self._viewer.dims.point)

    def _move_main(self, point: tuple[float, ...]) -> None:
        dims = self._viewer.dims
        if len(point) == dims.ndim:
            dims.set_point(range(dims.ndim), point)

    def _on_zoom(self, event: Any) -> None:
        self._set_zoom(event.value)

    def _set_zoom(self, zoom: float) -> None:
        if self._zooming:
            return
        self._zooming = True
        try:
            for pane in self._flat:
                pane.viewer.scene.camera.zoom = zoom
        finally:
            self._zooming = False

    # ------------------------------------------------------------------- close

    def _on_closed(self, pane: Pane) -> None:
        self.panes.remove(pane)
        if not self.panes:
            self.close()

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Close with the main window: its canvases and ours end in order."""
        if event.type() == QEvent.Type.Close:
            self.close()
        return False

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Free what all panes hold."""
        self._viewer.dims.events.point.disconnect(self._on_main_slider)
        self._viewer.events.theme.disconnect(self._on_theme)
        self.point.moved.disconnect(self._move_main)
        for pane in list(self.panes):
            pane.shut()
        super().closeEvent(event)
