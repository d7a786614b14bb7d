"""TileKind: what the tiles of a kind of layer are, in 2-D: their node, texels and filters.

Invariant: GUI thread only. Image tiles have contrast limits and filters (`rendering.image`);
those of other kinds bring their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.tiles.tiled_image import TiledImageVisual


class TileKind(Protocol):
    """What a `TileDrawing` is told of its layer's kind."""

    @property
    def encoding(self) -> TextureEncoding:
        """How tiles are to be encoded now; another one than before has all loaded anew."""
        ...

    @property
    def filter_reach(self) -> float:
        """How many texels around a pixel the interpolation looks at; 0 for nearest."""
        ...

    def make_node(self, on_prepare: Callable[[Any], None], fades: bool) -> TiledImageVisual:
        """The node that draws the tiles; `fades`: quads may have something under them."""
        ...

    def take_values(self, dtype: np.dtype) -> None:
        """Values of this type are shown from now on: a thick slice may need other texels."""
        ...

    def place(self, node: TiledImageVisual) -> None:
        """Tell the node, which has another atlas now, what depends on the atlas' encoding."""
        ...
