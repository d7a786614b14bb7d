"""Overlays of which a view box has one of a kind: legends, the sign that something loads.

Invariants: GUI thread only. An overlay is drawn above all layers, takes no mouse events, and lives
as long as its view box, which owns it; it asks for no frames and keeps no view alive.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

ABOVE_LAYERS = 10**7
"""In the order of drawing: napari numbers its layers from 0."""


def one_per_viewbox(make: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return a function that gives the overlay of a view box.

    Parameters
    ----------
    make : callable
        Makes the overlay's node, given its `parent`; called when the overlay of a view box is
        first asked for, which must not be within a draw.
    """
    # A strong reference to the overlay would keep the canvas.
    made: WeakKeyDictionary[Any, weakref.ref[Any]] = WeakKeyDictionary()

    def overlay_of(viewbox: Any) -> Any:
        known = made.get(viewbox)
        overlay = known() if known is not None else None
        if overlay is None:
            overlay = make(parent=viewbox)
            overlay.order = ABOVE_LAYERS
            overlay.interactive = False
            made[viewbox] = weakref.ref(overlay)
        return overlay

    return overlay_of
