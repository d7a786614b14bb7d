"""BrickKind: what the bricks of a kind of layer are, in 3-D: their node, texels and what is seen.

Invariant: GUI thread only. Bricks of images have contrast limits (`rendering.image`); those of
other kinds bring their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from napari_octree.octree.octree import Octree
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_volume import BrickVolume


class BrickKind(Protocol):
    """What a `VolumeDrawing` is told of its layer's kind."""

    @property
    def encoding(self) -> TextureEncoding:
        """How voxels are to be encoded now; another one than before has all loaded anew."""
        ...

    @property
    def hidden_up_to(self) -> float:
        """Data values up to this leave no trace in the picture; minus infinity: all may."""
        ...

    def make_node(
        self, encoding: BrickEncoding, octree: Octree, on_prepare: Callable[[Any], None]
    ) -> BrickVolume:
        """The node that draws the bricks."""
        ...

    def take_values(self, dtype: np.dtype) -> None:
        """Values of this type are shown from now on: a thick slice may need other texels."""
        ...

    def place(self, node: BrickVolume) -> None:
        """Tell the node, which has another atlas now, what depends on the atlas' encoding."""
        ...
