"""What the tiles and the bricks of an image have in common: texels by type and limits.

Invariants: texels change only where float32 cannot tell values within the limits apart.
"""

from __future__ import annotations

import numpy as np

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.rendering.gpu.texture_encoding import (
    SHADES,
    TextureEncoding,
    encoding_for_limits,
    texture_encoding,
)


def channels_of(layer: OctreeImage) -> int:
    """How many numbers a pixel has: 3 or 4 of colours, else 1."""
    return int(layer.data.shape[-1]) if layer.rgb else 1


class ImageKind:
    """The part of a `TileKind` or `BrickKind` of an image that both have.

    Parameters
    ----------
    layer : OctreeImage
    texels : TextureEncoding
        Of its type.
    shades : int, optional
        How many values must be told apart; default: as many as a screen has.
    """

    def __init__(self, layer: OctreeImage, texels: TextureEncoding, shades: int = SHADES) -> None:
        self._layer = layer
        self._plain = self._encoding = texels
        self._shades = shades

    @property
    def encoding(self) -> TextureEncoding:
        """As the type of what is shown and the contrast limits need it."""
        return self._encoding

    def take_values(self, dtype: np.dtype) -> None:
        """Have texels for values of `dtype`: a thick slice may need others than a thin one.

        Colours may have got an alpha since, or lost it, with other data.
        """
        plain = texture_encoding(dtype, channels_of(self._layer))
        if plain != self._plain:
            self._plain = plain
            limits = self._layer.contrast_limits
            self._encoding = encoding_for_limits(plain, limits, shades=self._shades)

    def _follow_limits(self) -> None:
        """Have other texels where the contrast limits need them."""
        limits = self._layer.contrast_limits
        self._encoding = encoding_for_limits(self._plain, limits, self._encoding, self._shades)
