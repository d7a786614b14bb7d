"""Tells the listeners of a layer how far it is: `settled`, `progress`, and napari's `loaded`.

Invariants: events are emitted by the main loop, never within a draw, so that listeners may do as
they please; each only when its value has changed. Main thread only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.events import Event

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.progress import OctreeProgress

if TYPE_CHECKING:
    from napari_octree.layers.octree_image import OctreeImage


class ProgressEvents:
    """The events of one layer.

    Parameters
    ----------
    layer : OctreeImage
        Its emitter gains `settled` and `progress`.
    """

    def __init__(self, layer: OctreeImage) -> None:
        self._layer = layer
        self._settled = False
        self._level = -1
        self.progress = OctreeProgress()
        """As told last."""
        layer.events.add(settled=Event, progress=Event)

    def tell(self) -> None:
        """Emit soon what has changed by then."""
        MAIN_LOOP.post(self.emit)

    def emit(self) -> None:
        """Emit what has changed."""
        layer = self._layer
        settled, progress = layer.settled, layer.progress
        if progress != self.progress:
            self.progress = progress
            layer.events.progress(value=progress)
        if settled != self._settled:
            self._settled = settled
            layer.events.settled(value=settled)
        slicing, awaited = layer._overview_slicing, layer._awaited
        if awaited != slicing.awaited:
            slicing.awaited = awaited
            layer.events.loaded()
        layer._use_idle_time(settled)
        if settled and layer.data_level != self._level:
            self._level = layer.data_level
            layer.events.set_data()  # napari's layer controls show the level
