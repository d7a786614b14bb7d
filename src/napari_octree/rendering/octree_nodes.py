"""Which vispy node draws an `OctreeImage`, by the number of displayed axes.

Invariants: tiles in 2-D, always the same node; bricks in 3-D, made when first asked for; data of
two axes are shown in 3-D by napari's own volume node, from the overview.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.rendering import _vispy
from napari_octree.rendering.tiles.tile_drawing import TileDrawing
from napari_octree.rendering.volume.volume_drawing import VolumeDrawing


class OctreeNodes(_vispy.ScalarFieldLayerNode):
    """The nodes of a layer in one viewer.

    Parameters
    ----------
    custom_node, texture_format
        As napari hands them over; not used.
    layer : OctreeImage
    tiles : TileDrawing
    make_volume : callable
    """

    def __init__(
        self,
        custom_node: Any = None,
        texture_format: str | None = "auto",
        *,
        layer: OctreeImage,
        tiles: TileDrawing,
        make_volume: Callable[[], VolumeDrawing],
    ) -> None:
        self._layer = layer
        self._tiles = tiles
        self._make_volume = make_volume
        self.volume: VolumeDrawing | None = None
        self._flat: Any = None

    def get_node(self, ndisplay: int, dtype: Any = None, shape: Any = None) -> Any:
        """Tiles in 2-D, bricks in 3-D, the overview where data of two axes are shown in 3-D."""
        if ndisplay == 2:
            return self._tiles.node
        if self._layer.ndim > 2:
            if self.volume is None:
                self.volume = self._make_volume()
            return self.volume.node
        if self._flat is None:
            self._flat = _vispy.Volume(
                np.zeros((1, 1, 1), dtype=np.float32), clim=[0, 1], texture_format="auto"
            )
        return self._flat
