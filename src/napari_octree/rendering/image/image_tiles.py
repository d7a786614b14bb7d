"""ImageTiles: texels with contrast limits, and napari's interpolations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.rendering.image.image_kind import ImageKind
from napari_octree.rendering.tiles.tiled_image import TiledImage, TiledImageVisual

FILTER_TEXELS = {"nearest": 0.0, "linear": 0.5}
"""How far an interpolation looks around a pixel; 4 for vispy's kernels."""


class ImageTiles(ImageKind):
    """The `TileKind` of an image."""

    @property
    def filter_reach(self) -> float:
        """How many texels around a pixel the interpolation looks at."""
        interpolation = self._layer.interpolation2d
        if interpolation == "custom":
            return max(self._layer.custom_interpolation_kernel_2d.shape) / 2
        return FILTER_TEXELS.get(interpolation, 4.0)

    def make_node(self, on_prepare: Callable[[Any], None], fades: bool) -> TiledImageVisual:
        """A node with napari's contrast, gamma and colour maps."""
        node: TiledImageVisual = TiledImage(self._plain, (1, 1), on_prepare, fades)
        return node

    def limits_changed(self, node: TiledImageVisual) -> None:
        """Hand the contrast limits to the shader; where float32 needs it, have other texels."""
        self._follow_limits()
        self.place(node)

    def place(self, node: TiledImageVisual) -> None:
        """Hand the contrast limits to the shader, in texels of the node's atlas."""
        largest = float(np.finfo(np.float32).max) / 8
        limits = node.atlas.encoding.texel_limits(self._layer.contrast_limits)
        low, high = np.clip(limits, -largest, largest)
        node.clim = float(low), float(high)
