"""The atlases of one layer's bricks in one viewer: how large, when replaced, when given back.

Invariants: GUI thread with a current GL context. There is one atlas, or two while a new one is
filled with other texels of the same slice and the former is still drawn; their bytes are in the
process's ledger as long as they exist. Where both do not fit, the former goes first. Holds none
before the first `keep`, nor after `release`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.config import OctreeConfig
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.octree import Octree
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_requests import room_for
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.nodes.node_geometry import NodeGeometry
from napari_octree.rendering.volume.quality.reduced_picture import reduced_bytes
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D, slot_grid

logger = logging.getLogger("napari_octree.rendering")


class BrickAtlasLease:
    """Keeps an atlas for the bricks of a view, and what a node draws from.

    Parameters
    ----------
    node : BrickVolume
    config : OctreeConfig
    max_side : int
        GL's limit of texels per axis.
    send : callable
        Makes GL carry out what has been queued.
    """

    def __init__(
        self, node: BrickVolume, config: OctreeConfig, max_side: int, send: Callable[[], None]
    ) -> None:
        self._node = node
        self._limit = config.memory.vram_bytes
        self._max_side = max_side
        self._send = send
        self._filled: TextureAtlas3D | None = None
        self._octree: Octree | None = None

    @property
    def atlas(self) -> TextureAtlas3D:
        """The atlas to fill; that of the node unless another one is on its way."""
        return self._node.atlas if self._filled is None else self._filled

    @property
    def is_shown(self) -> bool:
        """Whether the node draws from the atlas that is filled."""
        return self.atlas is self._node.atlas

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        if self._filled is None:
            return 0
        node = self._node
        shown = 0 if self.is_shown else node.atlas.nbytes
        return self._filled.nbytes + shown + node.nodes.nbytes + node.pictures.nbytes

    def keep(
        self, octree_slice: OctreeSlice, texels: TextureEncoding, stays: bool
    ) -> TextureAtlas3D:
        """Return the atlas to fill: the same as long as it serves.

        Parameters
        ----------
        octree_slice : OctreeSlice
        texels : TextureEncoding
        stays : bool
            What is drawn now is this slice: it may stay until `show`.
        """
        octree, filled = octree_slice.octree, self._filled
        same = filled is not None and texels == filled.encoding.texels and octree == self._octree
        if filled is not None and same:
            # While it grows there are both, the former and the larger one.
            allowed = min(VRAM.available(self, self._limit), self._limit - VRAM.held_bytes)
            filled.allow(max(allowed, 0))
            return filled
        if filled is not None and not self.is_shown:
            filled.delete()  # it has never been drawn
            filled = self._filled = self._node.atlas
            again = False  # what was half uploaded when it was left has been given up
        else:
            again = filled is not None
        z, y, x = octree.levels[0].tile_shape
        encoding = BrickEncoding(texels, (z, y, x))
        bricks = sum(int(np.prod(level.grid_shape)) for level in octree.levels)
        allowed = VRAM.available(self, self._limit)
        grid = slot_grid(encoding, room_for(bricks), allowed, self._max_side)
        atlas = self._node.atlas
        if not again or atlas.encoding != encoding or atlas.largest != grid:
            atlas = TextureAtlas3D(encoding, grid)
            logger.debug("an atlas of up to %s bricks", "×".join(map(str, grid)))
        stays = stays and filled is not None and octree == self._node.geometry.octree
        self._filled, self._octree = atlas, octree
        if not stays or self.nbytes > VRAM.room(self, self._limit):
            self._bind(atlas)
        self._share(atlas, atlas.ranges)
        self.account()
        return atlas

    def configure(self, config: OctreeConfig) -> None:
        """Keep within other bounds, outside of a draw; what is beyond is let go."""
        self._limit = config.memory.vram_bytes
        if VRAM.held_bytes > self._limit:
            self.release()

    def show(self) -> None:
        """Draw from the atlas that has been filled; nothing until nodes are written."""
        if self._filled is not None and not self.is_shown:
            self._bind(self._filled)
            self.account()

    def grow(self) -> bool:
        """Go with an atlas that has grown. True if it has: then nodes have to be written."""
        if not self.is_shown or self._node.nodes.grid == self.atlas.grid:
            return False
        self._node.extend()
        self.account()
        return True

    def affords(self, pixel_size: float) -> bool:
        """Whether there is memory to draw in pixels of that size; if so, it is taken."""
        return self._affords(self._node.pictures.reduced.nbytes, pixel_size)

    def affords_sharp(self) -> bool:
        """Whether there is memory to draw strip by strip; if so, it is taken."""
        return self._affords(self._node.pictures.sharp.nbytes, 1.0)

    def _affords(self, held: int, pixel_size: float) -> bool:
        """Whether there is memory for a picture in such pixels in place of the one held."""
        needed = self.nbytes - held + reduced_bytes(self._node.canvas, pixel_size)
        if needed > VRAM.room(self, self._limit):
            return False
        VRAM.take(self, needed)
        return True

    def account(self) -> None:
        """Tell the ledger what there is now."""
        VRAM.take(self, self.nbytes)

    def release(self) -> None:
        """Give the GPU's memory back, outside of a draw; `keep` begins anew."""
        node = self._node
        if self._filled is None:
            return
        if not self.is_shown:
            self._filled.delete()
        octree, encoding = node.geometry.octree, node.atlas.encoding
        self._filled, self._octree = TextureAtlas3D(encoding, (1, 1, 2)), octree
        self._bind(self._filled)
        self._filled = None
        node.pictures.release(node.canvas)
        if node.canvas is not None:
            _vispy.make_current(node.canvas)
            self._send()
        VRAM.release(self)

    def close(self) -> None:
        """Let go of everything, for good."""
        node = self._node
        node.pictures.release(node.canvas)
        VRAM.release(self)
        for texture in (*node.nodes.textures, *{node.atlas, self.atlas}):
            _vispy.delete_texture(node.canvas, texture)

    def _bind(self, atlas: TextureAtlas3D) -> None:
        assert self._octree is not None
        if atlas is not self._node.atlas:
            self._node.atlas.delete()
        self._node.bind(atlas, NodeGeometry.of(self._octree))
        self._share(atlas, atlas.ranges, *self._node.nodes.textures)

    def _share(self, *textures: Any) -> None:
        canvas = self._node.canvas
        if canvas is not None:
            for texture in textures:
                _vispy.share_queue(canvas.context, texture)
