"""LabelTiles: exact labels as texels, with the look of their layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.rendering.gpu.label_encoding import LabelEncoding
from napari_octree.rendering.labels.label_look import LabelLook, colours_of, label_look
from napari_octree.rendering.labels.tiled_labels import TiledLabels, TiledLabelsVisual
from napari_octree.rendering.tiles.tiled_image import TiledImageVisual

LEAST_REACH = 3
"""Outlines of so many texels or fewer can be had without loading tiles again."""

MOST_REACH = 16
"""Of outlines, in texels: thicker ones look like these at the borders of tiles."""


class LabelTiles:
    """The `TileKind` of labels.

    Parameters
    ----------
    layer : OctreeLabels
    encoding : LabelEncoding
        Of its type.
    """

    def __init__(self, layer: OctreeLabels, encoding: LabelEncoding) -> None:
        self._layer = layer
        self._encoding = encoding
        self._colours = colours_of(layer.colormap, encoding)

    @property
    def encoding(self) -> LabelEncoding:
        """Always the one of the layer's type."""
        return self._encoding

    @property
    def filter_reach(self) -> float:
        """How many texels around a pixel its outline depends on."""
        return float(min(max(self._layer.contour, LEAST_REACH), MOST_REACH))

    def make_node(self, on_prepare: Callable[[Any], None], fades: bool) -> TiledLabelsVisual:
        """A node that looks labels up, never between them."""
        node: TiledLabelsVisual = TiledLabels(
            self._encoding, (1, 1), on_prepare, self._look(), fades
        )
        return node

    def look_changed(self, node: TiledLabelsVisual, colours_too: bool) -> None:
        """Show the labels as the layer says now; with other colours only if these have changed."""
        if colours_too:
            self._colours = colours_of(self._layer.colormap, self._encoding)
        node.set_look(self._look())

    def take_values(self, dtype: np.dtype) -> None:
        """Go on: there are no thick slices of labels."""

    def place(self, node: TiledImageVisual) -> None:
        """Go on: a look does not depend on the atlas."""

    def _look(self) -> LabelLook:
        layer = self._layer
        return label_look(self._colours, layer.colormap, self._encoding, layer.contour)
