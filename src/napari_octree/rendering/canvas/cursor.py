"""Where the mouse was last seen in a canvas: tiles are loaded from there outward.

Invariants: GUI thread only; keeps no canvas alive; None until the mouse has moved in the canvas.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from napari_octree.rendering.gpu.node_matrices import viewbox_of


class Cursor:
    """The mouse in one canvas.

    Parameters
    ----------
    canvas : vispy canvas
    """

    def __init__(self, canvas: Any) -> None:
        self._position: tuple[float, float] | None = None
        canvas.events.mouse_move.connect(self._on_mouse)
        canvas.events.mouse_wheel.connect(self._on_mouse)

    def _on_mouse(self, event: Any) -> None:
        x, y = event.pos[:2]
        self._position = float(x), float(y)

    def over(self, node: Any) -> tuple[float, float] | None:
        """The mouse in pixels (x, y) of the view box of `node`, which may lie outside of it."""
        viewbox = viewbox_of(node)
        if self._position is None or viewbox is None:
            return None
        x, y = viewbox.transforms.get_transform("canvas", "visual").map(self._position)[:2]
        return float(x), float(y)


_cursors: WeakKeyDictionary[Any, Cursor] = WeakKeyDictionary()


def cursor_of(canvas: Any) -> Cursor:
    """The mouse in a canvas, followed from the first call on."""
    return _cursors.get(canvas) or _cursors.setdefault(canvas, Cursor(canvas))
