"""The anatomical directions of a layer's axes, in the tooltips of the sliders' names.

A file may say (RFC-4) in which direction the coordinates of an axis grow. napari has no place for
it but the layer's metadata, where nobody looks.

Invariants: GUI thread only; layers that say nothing of directions cost nothing. One tooltip tells
of all layers of the viewer.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLineEdit

from napari_octree.rendering._vispy import viewer_of
from napari_octree.rendering.layer_like import LayerLike

PLAIN = "Edit to change axis label"
"""What napari's own tooltip says."""


class AxisTooltips:
    """Keeps the tooltips of a viewer's axes for a layer that knows directions.

    Parameters
    ----------
    layer : LayerLike
    """

    def __init__(self, layer: LayerLike) -> None:
        self._layer = layer
        self._attached = False
        self._viewer: weakref.ref[Any] | None = None
        self._window: weakref.ref[Any] | None = None
        self._timer = QTimer()  # the sliders of new axes are made after the event
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._renew)

    def attach(self, canvas: Any) -> None:
        """Write the tooltips of the viewer of `canvas`, and keep them right."""
        if self._attached:
            return
        viewer = viewer_of(canvas)
        if viewer is not None:
            self._attached = True
            if directions_of(self._layer):
                self._viewer = weakref.ref(viewer)
                self._window = weakref.ref(canvas.native.window())
                viewer.dims.events.ndim.connect(self._later)
                self._later()

    def close(self) -> None:
        """Leave the tooltips to the layers that remain."""
        self._timer.stop()
        viewer = None if self._viewer is None else self._viewer()
        if viewer is not None:
            viewer.dims.events.ndim.disconnect(self._later)
            self._renew(without=self._layer)  # napari may not have let go of it yet
        self._viewer = None

    def _later(self, event: Any = None) -> None:
        self._timer.start(0)

    def _renew(self, without: Any = None) -> None:
        viewer = None if self._viewer is None else self._viewer()
        window = None if self._window is None else self._window()
        if viewer is None or window is None:
            return
        layers = [layer for layer in viewer.layers if layer is not without]
        try:
            for label in window.findChildren(QLineEdit, "axis_label"):
                axis = getattr(label.parent(), "axis", None)
                if axis is not None:
                    told = [*tooltip_lines(layers, axis - viewer.dims.ndim), PLAIN]
                    label.setToolTip("\n".join(told))
        except RuntimeError:  # the window has been closed
            return


def directions_of(layer: Any) -> Mapping[str, str]:
    """Return the direction in which each axis grows, by its name, as far as a file says."""
    facts = layer.metadata.get("ome_zarr")
    found = facts.get("orientation") if isinstance(facts, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def tooltip_lines(layers: Iterable[Any], axis: int) -> list[str]:
    """Return what layers say of an axis, counted from the last (-1); one line for all that agree.

    Examples
    --------
    "z grows from inferior to superior"
    """
    told: dict[str, None] = {}
    for layer in layers:
        if 0 < -axis <= layer.ndim:
            name = f"{layer.axis_labels[axis]}"
            direction = directions_of(layer).get(name)
            if direction:
                start, _, end = f"{direction}".partition("-to-")
                plain = f"from {start} to {end}" if end else start
                told[f"{name} grows {plain}"] = None
    return list(told)
