"""The status bar follows what loads under a cursor that rests; napari looks when it moves only.

Invariants: GUI thread only; asks napari to look again, no oftener than five times a second, and
not at all while nothing changes; what is looked up stays napari's business.
"""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import QTimer

from napari_octree.rendering._vispy import viewer_of
from napari_octree.rendering.layer_like import LayerLike

INTERVAL_MS = 200


class StatusRefresh:
    """Renews the status of the viewer that a canvas belongs to as a layer loads.

    Parameters
    ----------
    layer : LayerLike
        Its `progress` tells that values have become finer.
    """

    def __init__(self, layer: LayerLike) -> None:
        self._layer = layer
        self._viewer: weakref.ref[Any] | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._renew)

    @property
    def due(self) -> bool:
        """Whether napari will be asked to look again."""
        return self._timer.isActive()

    def attach(self, canvas: Any) -> None:
        """Follow the layer in the viewer of `canvas`, from now on."""
        if self._viewer is None and (viewer := viewer_of(canvas)) is not None:
            self._viewer = weakref.ref(viewer)
            self._layer.events.progress.connect(self._on_progress)

    def close(self) -> None:
        """Follow no longer."""
        self._timer.stop()
        if self._viewer is not None:
            self._layer.events.progress.disconnect(self._on_progress)
            self._viewer = None

    def _on_progress(self, event: Any = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _renew(self) -> None:
        viewer = None if self._viewer is None else self._viewer()
        if viewer is not None and self._layer in viewer.layers.selection:
            # As if the cursor had come here again: napari computes the text in a thread.
            viewer.cursor.events.position(value=viewer.cursor.position)
