"""ImageTiles: texels with contrast limits, and napari's interpolations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.rendering.gpu.texture_encoding import (
    TextureEncoding,
    encoding_for_limits,
    texture_encoding,
)
from napari_octree.rendering.tiles.tiled_image import TiledImage, TiledImageVisual

FILTER_TEXELS = {"nearest": 0.0, "linear": 0.5}
"""How far an interpolation looks around a pixel; 4 for vispy's kernels."""


class ImageTiles:
    """The `TileKind` of an image.

    Parameters
    ----------
    layer : OctreeImage
    texels : TextureEncoding
        Of its type.
    """

    def __init__(self, layer: OctreeImage, texels: TextureEncoding) -> None:
        self._layer = layer
        self._plain = self._encoding = texels

    @property
    def encoding(self) -> TextureEncoding:
        """As the type of what is shown and the contrast limits need it."""
        return self._encoding

    @property
    def filter_reach(self) -> float:
        """How many texels around a pixel the interpolation looks at."""
        if self._layer.interpolation2d == "custom":
            return max(self._layer.custom_interpolation_kernel_2d.shape) / 2
        return FILTER_TEXELS.get(self._layer.interpolation2d, 4.0)

    def make_node(self, on_prepare: Callable[[Any], None], fades: bool) -> TiledImageVisual:
        """A node with napari's contrast, gamma and colour maps."""
        node: TiledImageVisual = TiledImage(self._plain, (1, 1), on_prepare, fades)
        return node

    def limits_changed(self, node: TiledImageVisual) -> None:
        """Hand the contrast limits to the shader; where float32 needs it, have other texels."""
        limits = self._layer.contrast_limits
        self._encoding = encoding_for_limits(self._plain, limits, self._encoding)
        self.place(node)

    def take_values(self, dtype: np.dtype) -> None:
        """Have texels for values of `dtype`: a thick slice may need others than a thin one."""
        plain = texture_encoding(dtype, self._plain.channels)
        if plain != self._plain:
            self._plain = plain
            self._encoding = encoding_for_limits(plain, self._layer.contrast_limits)

    def place(self, node: TiledImageVisual) -> None:
        """Hand the contrast limits to the shader, in texels of the node's atlas."""
        largest = float(np.finfo(np.float32).max) / 8
        limits = node.atlas.encoding.texel_limits(self._layer.contrast_limits)
        low, high = np.clip(limits, -largest, largest)
        node.clim = float(low), float(high)
