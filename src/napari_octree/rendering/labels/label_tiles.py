"""LabelTiles: exact labels as texels, with the look of their layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_octree.rendering.labels.label_kind import LabelKind
from napari_octree.rendering.labels.tiled_labels import TiledLabels, TiledLabelsVisual

REACH = 8
"""Texels around each tile, whatever its look: outlines of so many texels or fewer are right at the
borders of tiles too, thicker ones look like these there. No look loads or uploads a tile."""


class LabelTiles(LabelKind):
    """The `TileKind` of labels."""

    @property
    def filter_reach(self) -> float:
        """How many texels around a pixel its outline may depend on."""
        return float(REACH)

    def make_node(self, on_prepare: Callable[[Any], None], fades: bool) -> TiledLabelsVisual:
        """A node that looks labels up, never between them."""
        node: TiledLabelsVisual = TiledLabels(
            self._drawn,
            (1, 1),
            on_prepare,
            self._look(),
            self._layer.config.memory.vram_bytes,
            fades,
        )
        self._made(node)
        return node

    def place(self, node: TiledLabelsVisual) -> None:
        """Have the look for the texels of the node's atlas."""
        self._follow(node.labels, node)

    @property
    def _contour(self) -> int:
        return self._layer.contour
