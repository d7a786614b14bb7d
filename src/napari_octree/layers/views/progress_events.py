"""Tells the listeners of a layer how far it is: `settled`, `progress`, and napari's `loaded`.

Invariants: events are emitted by the main loop, never within a draw, so that listeners may do as
they please; each only when its value has changed. Main thread only.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from napari.utils.events import Event

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.progress import OctreeProgress


class WatchedLayer(Protocol):
    """What is asked of a layer, before each event and after all."""

    events: Any

    @property
    def settled(self) -> bool:
        """Every ideal chunk is drawn."""
        ...

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the current view."""
        ...

    @property
    def data_level(self) -> int:
        """The ideal level."""
        ...

    @property
    def _awaited(self) -> bool: ...

    def _show_awaited(self, awaited: bool) -> None: ...

    def _use_idle_time(self, settled: bool) -> None: ...


class ProgressEvents:
    """The events of one layer.

    Parameters
    ----------
    layer : WatchedLayer
        Its emitter gains `settled` and `progress`.
    """

    def __init__(self, layer: WatchedLayer) -> None:
        self._layer = layer
        self._settled = False
        self._awaited = False
        self._level = ""
        self._told = False
        self.progress = OctreeProgress()
        """As told last."""
        layer.events.add(settled=Event, progress=Event)

    def tell(self) -> None:
        """Emit soon what has changed by then.

        What waits does not keep the layer: a script without an event loop may open thousands.
        """
        if self._told:
            return
        self._told = True
        reference = weakref.ref(self)

        def emit() -> None:
            if (events := reference()) is not None:
                events.emit()

        MAIN_LOOP.post(emit)

    def emit(self) -> None:
        """Emit what has changed."""
        self._told = False  # what changes from here on is told anew
        layer = self._layer
        settled, progress = layer.settled, layer.progress
        if progress != self.progress:
            self.progress = progress
            layer.events.progress(value=progress)
        if settled != self._settled:
            self._settled = settled
            layer.events.settled(value=settled)
        awaited = layer._awaited
        if awaited != self._awaited:
            self._awaited = awaited
            layer._show_awaited(awaited)
            layer.events.loaded()
        layer._use_idle_time(settled)
        if settled and f"{layer.data_level}" != self._level:
            self._level = f"{layer.data_level}"
            layer.events.set_data()  # napari's layer controls show the level
