"""Where a layer came from, in napari's own record of it."""

from __future__ import annotations

from napari.layers import Layer

from napari_octree.layers._napari import set_layer_source


def note_source(layer: Layer, path: str, reader_plugin: str) -> None:
    """Have `layer.source` say the path and the plugin, unless it says something already."""
    if not (layer.source.path or layer.source.sample):
        set_layer_source(layer, path, reader_plugin)
