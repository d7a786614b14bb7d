"""The octree layers that a dock is about: the selected ones, else the topmost.

Invariants: GUI thread; no layer is kept alive; what listens to a layer stops when another is
followed, or when the dock goes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari_octree.layers.base.octree_layer import OctreeLayer


class FollowedLayers:
    """Follows the selection of a viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    on_change : callable
        Called when other layers are followed.
    """

    def __init__(self, viewer: Any, on_change: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_change = on_change
        self._layers: list[weakref.ref[OctreeLayer]] = []
        viewer.layers.selection.events.changed.connect(self._look)
        viewer.layers.events.inserted.connect(self._look)
        viewer.layers.events.removed.connect(self._look)
        self._look()

    def __iter__(self) -> Any:
        return iter(self.layers)

    @property
    def layers(self) -> list[OctreeLayer]:
        """Those followed, in the order of the layer list."""
        return [layer for ref in self._layers if (layer := ref()) is not None]

    @property
    def first(self) -> OctreeLayer | None:
        """The one that tables and the minimap show; None where there is none."""
        layers = self.layers
        return layers[-1] if layers else None

    def close(self) -> None:
        """Follow no more."""
        self._viewer.layers.selection.events.changed.disconnect(self._look)
        self._viewer.layers.events.inserted.disconnect(self._look)
        self._viewer.layers.events.removed.disconnect(self._look)
        self._layers = []

    def _look(self, event: Any = None) -> None:
        octrees = [x for x in self._viewer.layers if isinstance(x, OctreeLayer)]
        chosen = [x for x in octrees if x in self._viewer.layers.selection] or octrees[-1:]
        if chosen != self.layers:
            self._layers = [weakref.ref(layer) for layer in chosen]
            self._on_change()
