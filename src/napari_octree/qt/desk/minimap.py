"""The whole image, small, with what is in view: drag to travel, click to jump.

Invariants: GUI thread; it draws pictures that it is given, and reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_octree.octree.view import View, VolumeView
from napari_octree.qt.desk.subjects.subject import Loaded, Panel, Place
from napari_octree.rendering.level_colours import colour_name

CLICK_PIXELS = 4
"""Who lets go nearer to where the button was pressed has clicked."""

FAILED = QColor(213, 94, 0)
"""Of the crosses: vermilion, which is seen with any kind of colour vision, on a dark edge."""


class Minimap(QWidget):
    """Shows a layer's overview and the view; emits where to go."""

    travelled = Signal(object)
    """A dictionary from displayed axis to coordinate: where the camera is to look."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setToolTip("Click to jump, drag to travel")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._panels: list[Panel] = []
        self._outline: list[np.ndarray] = []
        self._centre: dict[int, float] = {}
        self._grip: tuple[int, float, float] | None = None
        self._dragged = False
        self._pressed = QPointF()
        self._places: Sequence[Place] = ()

    def sizeHint(self) -> QSize:  # noqa: N802
        """As Qt asks for it."""
        return QSize(280, 200)

    # -------------------------------------------------------------------- what

    def show_panels(self, panels: Sequence[Panel]) -> None:
        """Show these pictures of a layer."""
        self._panels = list(panels)
        self.update()

    def show_view(self, view: View | VolumeView | None, rank: int) -> None:
        """Show what is in view of a layer of which so many axes are displayed."""
        if isinstance(view, View):
            corners = np.array(view.corners)
            outlines, centre = [corners], dict(enumerate(view.centre))
        elif isinstance(view, VolumeView):
            first = 3 - rank  # of a plane in 3-D, the axis that it has no extent along
            outlines = [
                _outline_3d(view, [first + axis for axis in panel.axes]) for panel in self._panels
            ]
            centre = dict(enumerate(view.focus[first:]))
        else:
            outlines, centre = [], {}
        same = len(outlines) == len(self._outline) and all(
            np.array_equal(a, b) for a, b in zip(outlines, self._outline, strict=True)
        )
        if not same:
            self._outline, self._centre = outlines, centre
            self.update()

    def show_places(self, places: Sequence[Place]) -> None:
        """Fill what is on the GPU, hatch what is in RAM only, strike out what has failed."""
        if places != self._places:
            self._places = places
            self.update()

    # ------------------------------------------------------------------- where

    def _frames(self) -> list[QRectF]:
        """Where each picture is, in pixels of the widget: as large as fits, side by side."""
        if not self._panels:
            return []
        gap = 6.0
        widths = [panel.extent[1] for panel in self._panels]
        heights = [panel.extent[0] for panel in self._panels]
        free = self.width() - gap * (len(self._panels) + 1)
        scale = min(free / max(sum(widths), 1e-9), (self.height() - 2 * gap) / max(heights))
        left = (self.width() - scale * sum(widths) - gap * (len(self._panels) - 1)) / 2
        frames = []
        for width, height in zip(widths, heights, strict=True):
            top = (self.height() - scale * height) / 2
            frames.append(QRectF(left, top, scale * width, scale * height))
            left += scale * width + gap
        return frames

    def place_at(self, number: int, point: QPointF) -> tuple[float, float]:
        """Octree coordinates (down, right) of a point of the widget, in one of the pictures."""
        frame, panel = self._frames()[number], self._panels[number]
        down = (point.y() - frame.top()) / frame.height() * panel.extent[0]
        right = (point.x() - frame.left()) / frame.width() * panel.extent[1]
        return panel.origin[0] + down, panel.origin[1] + right

    def point_at(self, number: int, down: float, right: float) -> QPointF:
        """The reverse of `place_at`."""
        frame, panel = self._frames()[number], self._panels[number]
        return QPointF(
            frame.left() + (right - panel.origin[1]) / panel.extent[1] * frame.width(),
            frame.top() + (down - panel.origin[0]) / panel.extent[0] * frame.height(),
        )

    # ------------------------------------------------------------------- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Jump there, or take hold of the view."""
        point = self._pressed = _position(event)
        for number, frame in enumerate(self._frames()):
            if frame.adjusted(-2, -2, 2, 2).contains(point):
                down, right = self.place_at(number, point)
                axes = self._panels[number].axes
                if number < len(self._outline) and self._holds(number, point):
                    centre = self._centre.get(axes[0], down), self._centre.get(axes[1], right)
                    self._grip = (number, centre[0] - down, centre[1] - right)
                    self._dragged = False
                else:
                    self._grip = (number, 0.0, 0.0)
                    self._dragged = True
                    self._travel(point)
                return

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Travel along."""
        if self._grip is not None:
            self._dragged = True
            self._travel(_position(event))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Let go; a click within the view, without a drag, is a jump too."""
        if self._grip is not None and not self._dragged:
            point = _position(event)
            if (point - self._pressed).manhattanLength() < CLICK_PIXELS:
                self._grip = (self._grip[0], 0.0, 0.0)
            self._travel(point)  # some systems tell of no move before the end of a quick drag
        self._grip = None

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Travel by an eighth of the image with the arrow keys."""
        steps = {
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
        }
        step = steps.get(event.key())
        if step is None or not self._panels or not self._centre:
            super().keyPressEvent(event)
            return
        panel = self._panels[0]
        self.travelled.emit(
            {
                axis: self._centre.get(axis, 0.0) + direction * extent / 8
                for axis, direction, extent in zip(panel.axes, step, panel.extent, strict=True)
            }
        )

    def _holds(self, number: int, point: QPointF) -> bool:
        polygon = self._polygon(number)
        return polygon.containsPoint(point, Qt.FillRule.OddEvenFill)

    def _travel(self, point: QPointF) -> None:
        assert self._grip is not None
        number, down, right = self._grip
        here = self.place_at(number, point)
        panel = self._panels[number]
        goal = (here[0] + down, here[1] + right)
        self.travelled.emit(
            {
                axis: float(np.clip(place, start, start + extent))
                for axis, place, start, extent in zip(
                    panel.axes, goal, panel.origin, panel.extent, strict=True
                )
            }
        )

    # ------------------------------------------------------------------- paint

    def _polygon(self, number: int) -> QPolygonF:
        return QPolygonF([self.point_at(number, y, x) for y, x in self._outline[number]])

    def _paint_places(self, painter: QPainter, number: int) -> None:
        down, right = self._panels[number].axes
        for place in self._places:
            (top, bottom), (left, end) = place.box[down], place.box[right]
            box = QRectF(self.point_at(number, top, left), self.point_at(number, bottom, end))
            if place.state is Loaded.FAILED:
                for width, colour in ((3.0, QColor(0, 0, 0, 160)), (1.2, FAILED)):
                    painter.setPen(QPen(colour, width))
                    painter.drawLine(box.topLeft(), box.bottomRight())
                    painter.drawLine(box.topRight(), box.bottomLeft())
                continue
            colour = QColor(colour_name(place.level))
            if place.state is Loaded.IN_RAM:
                painter.setPen(QPen(colour, 1))
                painter.setBrush(QBrush(colour, Qt.BrushStyle.BDiagPattern))
                painter.drawRect(box)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                continue
            colour.setAlpha(110)
            painter.fillRect(box, colour)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the pictures, and the view in yellow on black: seen on any picture."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._panels:
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No octree layer to show")
            painter.end()
            return
        for number, (frame, panel) in enumerate(zip(self._frames(), self._panels, strict=True)):
            painter.drawImage(frame, panel.image)
            painter.setClipRect(frame.adjusted(-2, -2, 2, 2))
            self._paint_places(painter, number)
            if number >= len(self._outline):
                continue
            polygon = self._polygon(number)
            bounds = polygon.boundingRect()
            for width, colour in ((3.5, QColor(0, 0, 0, 180)), (1.5, QColor(255, 215, 0))):
                painter.setPen(QPen(colour, width))
                painter.drawPolygon(polygon)
                if max(bounds.width(), bounds.height()) < 8:  # too small to be found
                    middle = bounds.center()
                    painter.drawLine(middle - QPointF(9, 0), middle + QPointF(9, 0))
                    painter.drawLine(middle - QPointF(0, 9), middle + QPointF(0, 9))
        painter.end()


def _outline_3d(view: VolumeView, axes: Sequence[int]) -> np.ndarray:
    """The canvas, through the focus, as it lies along two axes: corners (down, right)."""
    matrix = np.array(view.matrix)
    focus = np.array(view.focus)
    clip = matrix @ np.append(focus, 1.0)
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.zeros((0, 2))
    corners = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        point = inverse @ np.array([x * clip[3], y * clip[3], clip[2], clip[3]])
        if abs(point[3]) < 1e-12:
            return np.zeros((0, 2))
        corners.append(point[:3] / point[3])
    return np.array(corners)[:, list(axes)]


def _position(event: QMouseEvent) -> QPointF:
    """Where it happened: Qt 5 and 6 say it in different words."""
    return event.position() if hasattr(event, "position") else QPointF(event.pos())
