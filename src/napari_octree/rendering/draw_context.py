"""What both halves of a viewer's drawing, 2-D and 3-D, are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding

if TYPE_CHECKING:
    from napari_octree.loading.loader import LoaderClient


@dataclass(frozen=True, eq=False)
class DrawContext:
    """A layer, and the seams at which one half draws it.

    Attributes
    ----------
    layer : OctreeImage
    texels : TextureEncoding
        Of the layer's own type.
    client : LoaderClient
        Of this half alone.
    on_prepare : callable
        Called with the node, first in every draw of it.
    max_side : int
        GL's limit of texels per axis of the texture.
    """

    layer: OctreeImage
    texels: TextureEncoding
    client: LoaderClient
    on_prepare: Callable[[Any], None]
    max_side: int
