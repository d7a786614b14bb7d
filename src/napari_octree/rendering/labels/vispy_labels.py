"""VispyOctreeLabels: how napari draws an `OctreeLabels`: what is only of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from vispy.gloo import Texture2D

from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.label_encoding import label_encoding
from napari_octree.rendering.labels.close_prompt import ClosePrompt, prompt_of
from napari_octree.rendering.labels.flat_labels import TableColormap, indexed
from napari_octree.rendering.labels.label_bricks import LabelBricks
from napari_octree.rendering.labels.label_tiles import LabelTiles
from napari_octree.rendering.octree_layer import OctreeVispyLayer
from napari_octree.rendering.tiles.tile_drawing import TileDrawing
from napari_octree.rendering.view.layer_view import LayerView
from napari_octree.rendering.volume.volume_drawing import VolumeDrawing


class VispyOctreeLabels(OctreeVispyLayer):
    """Draws an `OctreeLabels` in one viewer."""

    layer: OctreeLabels
    _tiles: LabelTiles
    _bricks: LabelBricks
    _prompt: ClosePrompt | None = None
    _is_closed = False

    def __init__(self, layer: OctreeLabels, **keywords: Any) -> None:
        super().__init__(layer, **keywords)
        layer.events.selected_label.connect(self._on_selection_change)
        layer.events.show_selected_label.connect(self._on_look_change)
        layer.events.contour.connect(self._on_look_change)
        layer.events.iso_gradient_mode.connect(self._on_iso_gradient_mode_change)
        self.view.tiles.node.events.canvas_change.connect(self._on_canvas)

    def _on_canvas(self, event: Any) -> None:
        # Later, when the canvas is in its window.
        if event.new is not None:
            _vispy.when_idle(event.new, self._guard)

    def _guard(self) -> None:
        """Have the window not be closed over what is not saved."""
        canvas = self.view.tiles.node.canvas
        if canvas is not None and canvas.native is not None and not self._is_closed:
            self._prompt = prompt_of(canvas.native.window())
            self._prompt.layers.add(self.layer)

    def close(self) -> None:
        """As napari's own."""
        self._is_closed = True
        if self._prompt is not None:
            self._prompt.layers.discard(self.layer)
            self._prompt = None
        super().close()

    def make_view(self, layer: OctreeLabels) -> LayerView:
        """Tiles and bricks of exact labels."""
        encoding = label_encoding(layer.dtype)
        self._tiles, self._bricks = LabelTiles(layer, encoding), LabelBricks(layer, encoding)
        return LayerView(
            layer,
            encoding,
            lambda context: TileDrawing(context, self._tiles),
            lambda context: VolumeDrawing(context, self._bricks),
        )

    # ------------------------------------------------------------------- looks

    def _on_colormap_change(self, event: Any = None) -> None:
        self._show(colours_too=True)

    def _on_selection_change(self, event: Any = None) -> None:
        if self.layer.show_selected_label:
            self._show(colours_too=False)

    def _on_look_change(self, event: Any = None) -> None:
        self._show(colours_too=False)

    def _show(self, colours_too: bool) -> None:
        self._tiles.look_changed(self.view.tiles.node, colours_too)
        if self.view.volume is not None:
            self._bricks.look_changed(self.view.volume.node, colours_too)
        if _vispy.ndisplay_of(self.layer) == 3 and not self._is_volume:
            self._on_data_change()

    # -------------------------------------- the overview of two axes, in 3-D

    def make_flat(self) -> Any:
        """Napari's volume of indices."""
        node = _vispy.Volume(
            np.zeros((1, 1, 1), np.uint16),
            clim=[0, 2**16 - 1],
            texture_format="r16",
            interpolation="nearest",
        )
        node.cmap = TableColormap()
        return node

    def overview_texels(self) -> np.ndarray:
        """Indices of colours, which go to the node at once."""
        indices, table = indexed(_vispy.slice_of(self.layer), self.layer.colormap)
        self._layer_node.get_node(3).shared_program["texture2D_values"] = Texture2D(
            table, internalformat="rgba32f", interpolation="nearest"
        )
        return indices

    def _on_rendering_change(self) -> None:
        if isinstance(self.node, _vispy.Volume):
            translucent = self.layer.rendering == "translucent"
            self.node.method = "translucent_categorical" if translucent else self.layer.rendering

    def _on_iso_gradient_mode_change(self) -> None:
        if isinstance(self.node, _vispy.Volume):
            self.node.iso_gradient_mode = self.layer.iso_gradient_mode

    def reset(self, event: Any = None) -> None:
        """As napari's own."""
        super().reset()
        self._on_iso_gradient_mode_change()
