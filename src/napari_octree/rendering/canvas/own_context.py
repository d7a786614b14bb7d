"""Has what napari tells GL when a layer is removed go to the window that it is about.

Each window has a GL context of its own, in which programs and textures have numbers. When a layer
is removed napari sends what is to be deleted at once, between frames, in whatever context is
current (`VispyCanvas._clean_and_update_scenegraph` of 0.9.2 and 0.10): with two windows that may
be the other one's, which then lacks what happened to have the same numbers.

Invariants: GUI thread only. Before a layer is removed from a viewer, the context of each canvas
that was guarded is made current; nothing is kept alive.
"""

from __future__ import annotations

import weakref
from typing import Any
from weakref import WeakSet

from napari_octree.rendering._vispy import viewer_of

_guarded: WeakSet[Any] = WeakSet()


def guard_context(canvas: Any) -> None:
    """Make the context of a scene canvas current before its viewer removes a layer."""
    viewer = viewer_of(canvas)
    if viewer is None or canvas in _guarded:
        return
    _guarded.add(canvas)
    reference = weakref.ref(canvas)

    def make_current(event: Any = None) -> None:
        present = reference()
        if present is not None and present.native is not None:
            present.set_current()

    viewer.layers.events.removing.connect(make_current)
