"""Which part of napari asks, where the answer depends on that (napari 0.9.2).

None of these are said by an argument: they are found among the callers' frames.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from npe2 import PluginManager


def writer_that_asks() -> str | None:
    """The plugin whose writer is about to get the layer's data; None if no writer asks.

    Only here, before a file is made, can saving be refused: writers open the file first. napari
    asks the layers before it chooses the writer, so the same choice is made here.
    """
    frame: Any = sys._getframe(1)
    for _ in range(6):
        if frame is None:
            return None
        if frame.f_globals.get("__name__") == "napari.plugins._npe2":
            if frame.f_code.co_name == "write_layers":
                return _writer_of(frame.f_locals)
            if frame.f_code.co_name != "<listcomp>":
                return None
        frame = frame.f_back
    return None


def _writer_of(call: Mapping[str, Any]) -> str:
    """Which plugin's writer `write_layers` will call, by its arguments; "" for none."""
    writer = call.get("writer")
    if writer is None:
        types = [str(layer._type_string) for layer in call["layers"]]
        writer, _ = PluginManager.instance().get_writer(
            call["path"], types, call.get("plugin_name")
        )
    return "" if writer is None else str(writer.plugin_name)


def is_asked_by_action() -> bool:
    """Whether the caller's caller is one of napari's actions on layers (convert, merge, …).

    Not Duplicate, which deep-copies what it gets.
    """
    frame = sys._getframe(2)
    actions = ("napari.layers._layer_actions", "napari.layers.utils.stack_utils")
    asks = frame.f_globals.get("__name__") in actions
    return asks and frame.f_code.co_name != "_duplicate_layer"


def is_asked_by_new_label() -> bool:
    """Whether the caller's caller is napari's `new_label` (key M, and a button).

    It takes one more than the maximum of `layer.data`, if that is a numpy array.
    """
    asking = sys._getframe(2).f_globals.get("__name__")
    return bool(asking == "napari.layers.labels._labels_key_bindings")


def is_asked_by_window() -> bool:
    """Whether a reader runs as a path was dropped, or chosen in one of napari's dialogs.

    What is raised there goes to the window and to the terminal with its whole traceback, or brings
    up napari's dialog of readers.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "_qt_open":
            return bool(frame.f_globals.get("__name__") == "napari._qt.qt_viewer")
        frame = frame.f_back
    return False


def is_asked_by_tool() -> bool:
    """Whether the caller's caller is napari's `Labels`: its tools paint on what `data` returns."""
    asking = str(sys._getframe(2).f_globals.get("__name__"))
    return asking.startswith("napari.layers.labels")
