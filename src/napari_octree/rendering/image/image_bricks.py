"""ImageBricks: texels with contrast limits, and napari's ways of rendering a volume."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.layers.image.hidden_values import hidden_up_to
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.octree.octree import Octree
from napari_octree.rendering.gpu.texture_encoding import LIT_SHADES, TextureEncoding
from napari_octree.rendering.image.image_kind import ImageKind
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_volume import BrickVolume

CUT_BLENDINGS = ("translucent", "translucent_no_depth")
"""With these napari shows nothing where a projection finds no value within the limits."""


class ImageBricks(ImageKind):
    """The `BrickKind` of an image."""

    def __init__(self, layer: OctreeImage, texels: TextureEncoding) -> None:
        super().__init__(layer, texels, LIT_SHADES)

    @property
    def hidden_up_to(self) -> float:
        """What the limits or the threshold hide, unless all is to be looked at."""
        layer = self._layer
        return hidden_up_to(layer) if layer.config.render.skip_empty else -math.inf

    def take_values(self, dtype: np.dtype) -> None:
        """Have texels for values of `dtype`, and for the mode of rendering.

        Surfaces are lit by factors of their value: the 0 of signed numbers must be 0 then. (It
        is in napari, which makes float32 of them in all modes.)
        """
        lit = self._layer.rendering == "iso" and dtype.kind == "i" and self._plain.channels == 1
        super().take_values(np.dtype(np.float32) if lit else dtype)

    def make_node(
        self, encoding: BrickEncoding, octree: Octree, on_prepare: Callable[[Any], None]
    ) -> BrickVolume:
        """A node with napari's contrast, gamma, colour maps and rendering modes."""
        return BrickVolume(encoding, octree, on_prepare)

    def limits_changed(self, node: BrickVolume) -> None:
        """Hand the contrast limits to the shader; where float32 needs it, have other texels."""
        self._follow_limits()
        self.place(node)

    def place(self, node: BrickVolume) -> None:
        """Hand the limits, and what goes by them, to the shader, in texels of the node's atlas."""
        layer, texels = self._layer, node.atlas.encoding.texels
        largest = np.finfo(np.float32).max / 8
        limits = texels.texel_limits(layer.contrast_limits)
        low, high = np.clip(limits, -largest, largest).astype(np.float32)
        # Limits that fall together would leave nothing to divide by.
        node.clim = float(low), float(max(high, np.nextafter(low, np.float32(np.inf))))
        cut = node.atlas.clim_normalized if layer.blending in CUT_BLENDINGS else (None, None)
        node.mip_cutoff, node.minip_cutoff = cut
        self.place_threshold(node)

    def place_threshold(self, node: BrickVolume) -> None:
        """Place the surface at its value in data units.

        napari's own takes the range of the limits' slider for that of the type.
        """
        node.threshold = node.atlas.texture_value(self._layer.iso_threshold)
