"""LabelBricks: exact labels as texels of bricks, with the look of their layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.octree.octree import Octree
from napari_octree.rendering.gpu.label_encoding import LabelEncoding
from napari_octree.rendering.labels.brick_labels import BrickLabels
from napari_octree.rendering.labels.label_look import LabelLook, colours_of, label_look
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_volume import BrickVolume


class LabelBricks:
    """The `BrickKind` of labels.

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
    def hidden_up_to(self) -> float:
        """Nothing is known: a coarse level, made by taking voxels, may miss whole objects."""
        return -math.inf

    def make_node(
        self, encoding: BrickEncoding, octree: Octree, on_prepare: Callable[[Any], None]
    ) -> BrickVolume:
        """A node that looks labels up, never between them."""
        return BrickLabels(encoding, octree, on_prepare, self._look())

    def look_changed(self, node: BrickLabels, colours_too: bool) -> None:
        """Show the labels as the layer says now; with other colours only if these have changed."""
        if colours_too:
            self._colours = colours_of(self._layer.colormap, self._encoding)
        node.set_look(self._look())

    def take_values(self, dtype: np.dtype) -> None:
        """Go on: there are no thick slices of labels."""

    def place(self, node: BrickVolume) -> None:
        """Go on: a look does not depend on the atlas."""

    def _look(self) -> LabelLook:
        return label_look(self._colours, self._layer.colormap, self._encoding, contour=0)
