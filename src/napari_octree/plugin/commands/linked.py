"""The command that opens linked orthogonal views.

Invariants: GUI thread; layers that are not selected stay out, and the viewer stays as it is.
"""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.qt.linked.linked_views import LinkedViews


def open_linked_views(viewer: Any) -> LinkedViews | None:
    """Open xy, yz, xz and 3-D views of the selected layers, in a window of their own."""
    selected = [layer for layer in viewer.layers if layer in viewer.layers.selection]
    layers = selected or [layer for layer in viewer.layers if isinstance(layer, OctreeLayer)]
    if max((layer.ndim for layer in layers), default=0) < 3:
        show_info("Linked views need a layer of at least three axes.")
        return None
    views = LinkedViews(viewer, layers, _main_window())
    views.show()
    return views


def _main_window() -> QWidget | None:
    """The window that is in use: the views close with it."""
    active = QApplication.activeWindow()
    if active is not None:
        return active
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    return next((window for window in windows if window.isVisible()), None)
