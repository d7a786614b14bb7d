"""LabelBricks: exact labels as texels of bricks, with the look of their layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from napari_octree.octree.octree import Octree
from napari_octree.rendering.labels.brick_labels import BrickLabels
from napari_octree.rendering.labels.label_kind import LabelKind
from napari_octree.rendering.volume.brick_encoding import BrickEncoding


class LabelBricks(LabelKind):
    """The `BrickKind` of labels."""

    @property
    def hidden_up_to(self) -> float:
        """Nothing is known: a coarse level, made by taking voxels, may miss whole objects."""
        return -math.inf

    def make_node(
        self, encoding: BrickEncoding, octree: Octree, on_prepare: Callable[[Any], None]
    ) -> BrickLabels:
        """A node that looks labels up, never between them."""
        node = BrickLabels(encoding, octree, on_prepare, self._look())
        self._made(node)
        return node

    def place(self, node: BrickLabels) -> None:
        """Have the look for the texels of the node's atlas."""
        self._follow(node.labels, node)
