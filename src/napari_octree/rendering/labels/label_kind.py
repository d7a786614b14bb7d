"""What the tiles and the bricks of labels have in common.

Invariants: a look goes to the shader; it changes no texel.
"""

from __future__ import annotations

import numpy as np

from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.rendering.gpu.label_encoding import LabelEncoding
from napari_octree.rendering.labels.label_look import (
    LabelLook,
    ShowsLabels,
    colours_of,
    label_look,
)


class LabelKind:
    """The part of a `TileKind` or `BrickKind` of labels that both have.

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

    def look_changed(self, node: ShowsLabels, colours_too: bool) -> None:
        """Show the labels as the layer says now; with other colours only if these have changed."""
        if colours_too:
            self._colours = colours_of(self._layer.colormap, self._encoding)
        node.set_look(self._look())

    def take_values(self, dtype: np.dtype) -> None:
        """Go on: there are no thick slices of labels."""

    def _look(self) -> LabelLook:
        return label_look(self._colours, self._layer.colormap, self._encoding, self._contour)

    @property
    def _contour(self) -> int:
        """Texels of outlines; 0: filled."""
        return 0
