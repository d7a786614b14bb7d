"""A small dot in the corner of a canvas while what is shown is not all there yet.

Invariants: one dot per view box, however many layers load in it; whether it is drawn is decided in
the draw itself, after the layers, so that no settled picture shows it, and no screenshot nor
export either. GUI thread only.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QTimer
from vispy.scene.visuals import create_visual_node
from vispy.visuals.markers import MarkersVisual

from napari_octree.rendering.canvas.exports import exports_of
from napari_octree.rendering.canvas.viewbox_overlay import one_per_viewbox
from napari_octree.rendering.gpu.node_matrices import viewbox_of

SIGN_MS = 300
"""What loads faster than this needs no sign."""

SIZE, INSET = 8, 14
"""Diameter, and distance from the lower left corner, in logical pixels."""

LOADING, FAILED = (0.95, 0.75, 0.2, 0.9), (0.9, 0.25, 0.2, 0.9)


class LoadingSignVisual(MarkersVisual):
    """The dot."""

    def __init__(self) -> None:
        self._states: WeakKeyDictionary[object, bool] = WeakKeyDictionary()
        self._drawn: Any = None
        super().__init__(pos=np.zeros((1, 2)), size=SIZE, edge_width=0, antialias=1)
        self.set_gl_state("translucent", depth_test=False)

    def tell(self, owner: object, failed: bool | None) -> None:
        """Note how `owner` is: None for settled, else whether it waits in vain."""
        if failed is None:
            self._states.pop(owner, None)
        else:
            self._states[owner] = failed

    def _compute_bounds(self, axis: int, view: Any) -> None:
        return None

    def _prepare_draw(self, view: Any) -> Any:
        # Pictures and exports show the data; the sign is for who looks at the screen.
        viewbox = viewbox_of(self)
        if not self._states or viewbox is None or not exports_of(self.canvas).painting:
            return False
        height = float(viewbox.rect.size[1])
        wanted = (height, FAILED if all(self._states.values()) else LOADING)
        if wanted != self._drawn:
            self._drawn = wanted
            self.set_data(
                pos=np.array([[INSET, height - INSET]]),
                size=SIZE,
                edge_width=0,
                face_color=wanted[1],
            )
        return super()._prepare_draw(view)


LoadingSign = create_visual_node(LoadingSignVisual)

sign_of = one_per_viewbox(LoadingSign)
"""The sign of a view box, made when first asked for (not within a draw)."""


class LoadingNotice:
    """Has the sign drawn for one view that has not been settled for long.

    It first asks for the sign, which may have to be made, while the view rests.

    Parameters
    ----------
    request_frame : callable
    """

    def __init__(self, request_frame: Callable[[], None]) -> None:
        self._request_frame = request_frame
        self._sign: Any = None
        self._viewbox: Callable[[], Any] = lambda: None
        self._waits = self._moving = self._put_off = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SIGN_MS)
        self._timer.timeout.connect(self._on_late)

    @property
    def late(self) -> bool:
        """Not settled, and for so long that it should be seen."""
        return self._waits and not self._timer.isActive()

    def report(self, node: Any, unsettled: bool, failed: bool, moving: bool = False) -> None:
        """Tell in a draw how the view is (in vain: `failed`)."""
        self._moving = moving
        if self._put_off and not moving:
            self._put_off = False
            if unsettled and self._waits:
                self._timer.start()
        if unsettled and not self._waits:
            viewbox = viewbox_of(node)
            self._viewbox = weakref.ref(viewbox) if viewbox is not None else lambda: None
            self._timer.start()
        elif self._waits and not unsettled:
            self._timer.stop()
        self._waits = unsettled
        if self._sign is not None:
            self._sign.tell(self, failed if self.late else None)

    def _on_late(self) -> None:
        # Outside of a draw, which may not change what there is to draw.
        viewbox = self._viewbox()
        if viewbox is None:
            return
        if self._moving and self._sign is None:
            # To make it takes 25 ms of Python and of GL's compiler: as long as a stutter.
            self._put_off = True
            return
        self._sign = sign_of(viewbox)
        self._request_frame()

    def close(self) -> None:
        """The view is no more."""
        self._timer.stop()
        if self._sign is not None:
            self._sign.tell(self, None)
