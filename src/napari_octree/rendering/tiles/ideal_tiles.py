"""IdealTiles: which level a view is to show, and how many tiles that makes.

Invariants: GUI thread only. A level is frozen as the one that is drawn when that is switched on.
Counting takes a while, and is done once for a view.
"""

from __future__ import annotations

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.cover.intersection import intersect
from napari_octree.octree.octree import Octree
from napari_octree.octree.view import View
from napari_octree.rendering.layer_like import LayerLike
from napari_octree.rendering.tiles.tile_frame import TileFrame


class IdealTiles:
    """What the views of a 2-D drawing call for, whatever its atlas holds.

    Parameters
    ----------
    layer : LayerLike
        Its `locked_data_level`, and whether it is to freeze the level.
    frame : TileFrame
        Which level is drawn.
    """

    def __init__(self, layer: LayerLike, frame: TileFrame) -> None:
        self._layer, self._frame = layer, frame
        self._frozen_level: int | None = None
        self._counted: tuple[Octree, View, int | None, float] | None = None
        self._count = 0

    def locked_level(self) -> int | None:
        """The level to show whatever the zoom, if any."""
        layer = self._layer
        if not layer.display.freeze_level or layer.locked_data_level is not None:
            self._frozen_level = None
            return layer.locked_data_level
        if self._frozen_level is None and self._frame.plans:
            self._frozen_level = self._frame.level
        return self._frozen_level

    def count(self, octree_slice: OctreeSlice | None, view: View | None, bias: float) -> int:
        """How many tiles a view calls for, with this `render.level_bias`."""
        if octree_slice is None or view is None:
            return 0
        octree, lock = octree_slice.octree, self.locked_level()
        counted = self._counted
        # Views are compared as objects, which is quick: each frame has another one, or the same.
        if counted is None or not (
            counted[0] is octree and counted[1] is view and counted[2:] == (lock, bias)
        ):
            self._counted = (octree, view, lock, bias)
            seen = intersect(octree, view, locked_level=lock, level_bias=bias)
            self._count = len(seen)
        return self._count
