"""TiledSlice: which slice of a layer a 2-D drawing shows, and of which tiles it is made.

Invariants: GUI thread only. An image that may be one tile is one where there is memory for it,
else it is cut into small ones. That is asked when other data are shown, or others may have taken
or given back the memory (`look_afresh`): not in each frame, which would change tiles midway.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from napari_octree.layers.data.tiling import TILE_SIZE
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.octree import Octree
from napari_octree.rendering import _vispy
from napari_octree.rendering.layer_like import LayerLike
from napari_octree.rendering.tiles.atlas_lease import AtlasLease
from napari_octree.rendering.tiles.tile_kind import TileKind


class Tiling(NamedTuple):
    """The tiles of a slice, as `AtlasNeeds` has them.

    Attributes
    ----------
    tile_shape : (rows, columns)
    whole : int
        0, or the slots that are enough for an image that is one tile: two where there are
        sliders, so that a slice can stay until the next one is there.
    root_shape : (rows, columns)
        Of a tile of the coarsest level.
    """

    tile_shape: tuple[int, int] = (TILE_SIZE, TILE_SIZE)
    whole: int = 0
    root_shape: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, octree_slice: OctreeSlice) -> Tiling:
        """Return those of a slice."""
        octree = octree_slice.octree
        (rows, columns), (high, wide) = octree.levels[0].tile_shape, octree.coarsest.tile_shape
        whole = min(octree_slice.tiles, 2) if octree_slice.is_one_tile else 0
        return cls((rows, columns), whole, (high, wide))


class TiledSlice:
    """The slice that a drawing shows.

    Parameters
    ----------
    layer : LayerLike
    kind : TileKind
    lease : AtlasLease
        Tells whether there is memory.

    Attributes
    ----------
    drawn : OctreeSlice or None
        What `draw` was told last.
    tiling : Tiling
        Of that.
    is_whole : bool
        There is memory for the image in one tile, if it may be one.
    """

    def __init__(self, layer: LayerLike, kind: TileKind, lease: AtlasLease) -> None:
        self._layer, self._kind, self._lease = layer, kind, lease
        self.drawn: OctreeSlice | None = None
        self._asked_for: Octree | None = None
        self.tiling = Tiling()
        self.is_whole = True

    def now(self) -> OctreeSlice | None:
        """The slice to show; None outside the data, or where another dimension is shown."""
        if _vispy.ndisplay_of(self._layer) != 2:
            return None
        octree_slice = self._layer.octree_slice
        if octree_slice is None or not octree_slice.is_one_tile:
            return octree_slice
        octree = octree_slice.octree
        if self._asked_for is not octree:
            nbytes = math.prod(octree.extent) * self._kind.encoding.texel_bytes
            self._asked_for, self.is_whole = octree, self._lease.has_room_for(nbytes)
        return octree_slice if self.is_whole else octree_slice.cut

    def look_afresh(self) -> None:
        """Ask for memory again when a slice is next shown."""
        self._asked_for, self.is_whole = None, True

    def draw(self, octree_slice: OctreeSlice) -> None:
        """Draw tiles and texels of the kind that a slice needs, from now on."""
        self.drawn, self.tiling = octree_slice, Tiling.of(octree_slice)
        self._kind.take_values(octree_slice.display_dtype)
