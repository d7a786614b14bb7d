"""LabelTiles: exact labels as texels, with the look of their layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_octree.rendering.labels.label_kind import LabelKind
from napari_octree.rendering.labels.tiled_labels import TiledLabels, TiledLabelsVisual
from napari_octree.rendering.tiles.tiled_image import TiledImageVisual

LEAST_REACH = 3
"""Outlines of so many texels or fewer can be had without loading tiles again."""

MOST_REACH = 16
"""Of outlines, in texels: thicker ones look like these at the borders of tiles."""


class LabelTiles(LabelKind):
    """The `TileKind` of labels."""

    @property
    def filter_reach(self) -> float:
        """How many texels around a pixel its outline depends on."""
        return float(min(max(self._layer.contour, LEAST_REACH), MOST_REACH))

    def make_node(self, on_prepare: Callable[[Any], None], fades: bool) -> TiledLabelsVisual:
        """A node that looks labels up, never between them."""
        node: TiledLabelsVisual = TiledLabels(
            self._encoding, (1, 1), on_prepare, self._look(), fades
        )
        self._made(node)
        return node

    def place(self, node: TiledImageVisual) -> None:
        """Go on: a look does not depend on the atlas."""

    @property
    def _contour(self) -> int:
        return self._layer.contour
