"""One of the linked views: a canvas with a title, a crosshair and a button that closes it.

Invariants: GUI thread; a closed pane has let go of its layers, their memory on the GPU and their
requests, and follows nobody.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from napari.qt import QtViewer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.qt.linked.layer_copies import LayerCopy
from napari_octree.qt.linked.shared_point import SharedPoint
from napari_octree.rendering.canvas.crosshair import Crosshair

CORNER = (-20.0, 30.0, 20.0)
"""Degrees: from where the 3-D view looks at first."""


class Pane(QFrame):
    """A view along one axis, or in 3-D.

    Parameters
    ----------
    title : str
    layers : sequence of Layer
        Copied: each pane slices for itself.
    point : SharedPoint
    order : sequence of int
        The last three axes, counted from -3: the last two are displayed; all three in 3-D.
    ndisplay : {2, 3}
    axis_labels : sequence of str
        Names of the axes, at least as many as there are.
    """

    closed = Signal(object)

    def __init__(
        self,
        title: str,
        layers: Sequence[Layer],
        point: SharedPoint,
        order: Sequence[int],
        ndisplay: int = 2,
        axis_labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.title = title
        self._point = point
        self._closing = False
        self.viewer = ViewerModel(title=title)
        self._canvas: Any = QtViewer(self.viewer)
        self._copies = [LayerCopy(layer) for layer in layers]
        for copy in self._copies:
            self.viewer.add_layer(copy.layer)
        ndim = self.viewer.dims.ndim
        self.viewer.dims.order = (*range(ndim - 3), *(ndim + axis for axis in order))
        self.viewer.dims.axis_labels = axis_labels[-ndim:]
        self.viewer.dims.ndisplay = ndisplay
        self._crosshair = Crosshair(self._canvas.canvas)
        self._lay_out()
        self._follow(True)
        self._go(point.point)
        self.see_all()

    def see_all(self) -> None:
        """Fit everything; in 3-D from a corner."""
        self.viewer.reset_view()
        if self.viewer.dims.ndisplay == 3:
            self.viewer.scene.camera.angles = CORNER

    def _lay_out(self) -> None:
        name = QLabel(self.title)
        self._button = QToolButton()
        self._button.setText("✕")
        self._button.setAutoRaise(True)
        self._button.setToolTip(f"Close the {self.title} view and free its memory")
        self._button.setAccessibleName(f"Close {self.title}")
        self._button.clicked.connect(self.shut)
        row = QHBoxLayout()
        row.addWidget(name)
        row.addStretch(1)
        row.addWidget(self._button)
        row.setContentsMargins(4, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self._canvas, 1)
        self.setMinimumSize(120, 120)

    # ------------------------------------------------------------------ follow

    def _follow(self, on: bool) -> None:
        self._point.moved.connect(self._go) if on else self._point.moved.disconnect(self._go)
        events = self.viewer.dims.events.point
        events.connect(self._on_slider) if on else events.disconnect(self._on_slider)
        callbacks = self.viewer.mouse_drag_callbacks
        callbacks.append(self._on_press) if on else callbacks.remove(self._on_press)

    def _on_slider(self, event: Any = None) -> None:
        self._point.move(self.viewer.dims.point)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """Move the crosshair where one clicks; a drag moves the camera as ever."""
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged and self.viewer.dims.ndisplay == 2:
            self._point.move(self.viewer.cursor.position)

    def _go(self, point: Sequence[float]) -> None:
        """Show the slices through a point, and the lines."""
        dims = self.viewer.dims
        own = tuple(point)[-dims.ndim :]
        if len(own) == dims.ndim:
            with dims.events.point.blocker(self._on_slider):
                dims.set_point(range(dims.ndim), own)
        displayed = list(dims.displayed)
        extent = [(dims.range[axis].start, dims.range[axis].stop) for axis in displayed]
        place = [own[axis] for axis in displayed]
        self._crosshair.show(place, extent)
        if dims.ndisplay == 2:
            self._keep_in_view(place)

    def _keep_in_view(self, place: Sequence[float]) -> None:
        """Have the camera look at the point where it has left the canvas."""
        camera, size = self.viewer.scene.camera, self._canvas.canvas.size
        centre = camera.center[-2:]
        if any(
            abs(own - middle) * camera.zoom > pixels / 2
            for own, middle, pixels in zip(place, centre, size, strict=True)
        ):
            camera.center = (0, *place)

    # ------------------------------------------------------------------- close

    def shut(self) -> None:
        """Let go of everything, and of the canvas."""
        if self._closing:
            return
        self._closing = True
        self._follow(False)
        self._crosshair.close()
        for copy in self._copies:
            copy.close()
        self._copies = []
        self.viewer.layers.clear()
        self._canvas.close()
        self.closed.emit(self)
        self.deleteLater()
        collect_soon()

    def on_zoom(self, slot: Callable[[Any], None]) -> None:
        """Call `slot` when the zoom has changed."""
        self.viewer.scene.camera.events.zoom.connect(slot)


def collect_soon(*_: object) -> None:
    """Have layers that nobody needs any more end.

    They are in circles of references, as all of napari's: only a collection ends them.
    """
    MAIN_LOOP.post(_collect)


def _collect() -> None:
    gc.collect()
