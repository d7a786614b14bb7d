"""Where a layer came from, in napari's own record of it."""

from __future__ import annotations

from collections.abc import Iterable

from napari.layers import Layer

from napari_octree.layers._napari import is_asked_by_window, set_layer_source

__all__ = ["PLUGIN", "is_asked_by_window", "note_source"]

PLUGIN = "napari-octree"


def note_source(layers: Iterable[Layer], path: str) -> None:
    """Have `layer.source` say the path and this plugin, unless it says something already."""
    for layer in layers:
        source = layer.source
        if not (source.path or source.sample or source.widget or source.parent):
            set_layer_source(layer, path, PLUGIN)
