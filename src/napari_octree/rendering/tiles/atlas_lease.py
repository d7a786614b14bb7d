"""The atlases of one layer in one viewer: how large, when replaced, and when given back.

Invariants: GUI thread with a current GL context. There is one atlas, or two while a new one is
filled and the former still drawn; their bytes are in the process's ledger as long as they exist.
Where both do not fit, the former goes first. An atlas that holds more than its view needs gives
way to one that holds less: see `vram`. Where the image is one tile, the atlas has a slot for it,
and one more for another slice of it. Else the first atlas holds little more than the first
view: getting its memory takes time (a driver may clear it), and that picture is waited for. Once
it is there, `grow` lets the atlas have the size that the canvas may need, unless the whole image
fits already. From then on it grows as soon as the canvas needs it and shrinks when it needs much
less; its apron only grows, so that going back to a narrower filter uploads nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

from napari_octree.config import OctreeConfig
from napari_octree.layers.data.tiling import TILE_SIZE
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.gpu.vram import VRAM, VramLedger
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import (
    TextureAtlas2D,
    pages_for,
    slots_a_side,
)
from napari_octree.rendering.tiles.picture.tile_picture import TilePicture
from napari_octree.rendering.tiles.tiled_image import TiledImageVisual

logger = logging.getLogger("napari_octree.rendering")

NEEDED = 2
"""Slots per tile in view without which the view gets coarser (see `TileFrame`)."""

SPARE = 3
"""Slots per tile in view: coverage, and what was seen before."""

FIRST_SIDE = 8
"""Slots a side of the smallest first atlas."""

SHRINK = 1.5
"""An atlas shrinks where so many times the need would fit in a smaller one."""

SHRUNK, GROWN = 0.8, 1.2
"""Less than this, a side's change is not worth filling another atlas."""


class AtlasNeeds(NamedTuple):
    """What a frame draws with.

    Attributes
    ----------
    encoding : TextureEncoding
    filter_reach : float
        How many texels around a pixel the interpolation looks at.
    size : (width, height)
        Of the canvas in logical pixels.
    pixel_scale : float
        Framebuffer pixels per logical pixel.
    in_view : int
        Tiles that the view calls for, whatever the atlas holds.
    tile_shape : (rows, columns)
        Of a tile.
    whole : int
        0, or the slots that are enough for an image that is one tile.
    root_shape : (rows, columns)
        Of the tiles of the coarsest level, which may be larger.
    """

    encoding: TextureEncoding
    filter_reach: float
    size: tuple[float, float]
    pixel_scale: float
    in_view: int
    tile_shape: tuple[int, int] = (TILE_SIZE, TILE_SIZE)
    whole: int = 0
    root_shape: tuple[int, int] = (0, 0)


class AtlasLease:
    """Keeps an atlas that the canvas' tiles fit in.

    Parameters
    ----------
    picture : TilePicture
        Drawn from it.
    config : OctreeConfig
    max_side : int
        GL's limit of texels per axis.
    wake : callable
        Has `keep` called again, soon.
    ledger : VramLedger
        Replaced in tests.
    """

    def __init__(
        self,
        picture: TilePicture,
        config: OctreeConfig,
        max_side: int,
        wake: Callable[[], None],
        ledger: VramLedger = VRAM,
    ) -> None:
        self._node: TiledImageVisual | None = None
        self._picture = picture
        self._config = config
        self._max_side = max_side
        self._wake = wake
        self._ledger = ledger
        self._filled: TextureAtlas2D | None = None
        self._opening = True
        self._asked: tuple[object, ...] = ()

    @property
    def opening(self) -> bool:
        """The atlas is made for the first view: `grow` has not been called, nor was it needed."""
        return self._opening

    def configure(self, config: OctreeConfig) -> None:
        """Keep within other bounds from the next `keep` on; the apron only grows."""
        self._config = config
        self._asked = ()

    def grow(self, tiles: int) -> bool:
        """Let the next `keep` return an atlas of the size that the canvas may need.

        Parameters
        ----------
        tiles : int
            Of the whole image, all levels and slices: where they fit, nothing has to grow.

        Returns
        -------
        bool
            Whether `keep` will return another atlas, memory permitting.
        """
        if not self._opening or self._filled is None or tiles <= self._filled.slots.capacity:
            return False
        self._opening = False
        self._asked = ()
        return True

    def has_room_for(self, nbytes: int) -> bool:
        """Whether an image of so many bytes may be one tile: such may take half of the memory.

        Of the other half others have some tiles each, however many they are.
        """
        limit = self._config.memory.vram_bytes
        return nbytes + limit - self._ledger.room(self, limit) <= limit // 2

    def apron(self, filter_reach: float, tile_shape: tuple[int, int]) -> int:
        """Texels around each tile of the first atlas; of later ones perhaps more."""
        apron = max(self._config.render.interpolation_apron, math.ceil(filter_reach))
        return min(apron, min(tile_shape) // 2)

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        if self._filled is None or self._node is None:
            return 0
        shown = self._node.atlas
        return shown.nbytes + (self._filled.nbytes if self._filled is not shown else 0)

    def keep(self, node: TiledImageVisual, needs: AtlasNeeds) -> TextureAtlas2D:
        """Return the atlas to fill, from which `node` draws: the same wherever it still serves."""
        if (node, needs, self._ledger.changes) == self._asked and self._filled is not None:
            return self._filled
        atlas = self._fitting(node, needs)
        self._asked = (node, needs, self._ledger.changes)
        return atlas

    def _fitting(self, node: TiledImageVisual, needs: AtlasNeeds) -> TextureAtlas2D:
        if needs.whole:
            return self._for_one_tile(node, needs)
        encoding, in_view, tile = needs.encoding, needs.in_view, needs.tile_shape
        apron = self.apron(needs.filter_reach, tile)
        filled = self._filled
        if filled is not None and filled.tile_shape == tile:
            apron = max(apron, filled.apron)
        # Texels are at least half a pixel: so many tiles across, in the worst case.
        across = [2 * s * needs.pixel_scale / n + 2 for s, n in zip(needs.size, tile, strict=True)]
        needed = SPARE * across[0] * across[1]
        root = [
            math.ceil((n + 2 * apron) / (m + 2 * apron))
            for n, m in zip(needs.root_shape, tile, strict=True)
        ]
        block = max(root) if max(root) > 1 else 0
        if block:
            needed += SPARE * block**2
        least = max(math.ceil(math.sqrt(NEEDED * in_view + block**2)), block + 1)
        slot_bytes = (tile[0] + 2 * apron) * (tile[1] + 2 * apron) * encoding.texel_bytes
        self._ledger.need(self, least**2 * slot_bytes, self._wake)
        fewest = max(2, block + 1 if block else 0)
        side, pages = self._grid(encoding, tile[0], apron, needed, fewest)
        if self._opening and (first := self._first_side(in_view, block**2)):
            side, pages = min(side, first), 1
        if filled is not None and filled.layout[:3] == (encoding, tile, apron):
            present = filled.slots.capacity
            if side**2 * pages < present:
                side, pages = self._grid(encoding, tile[0], apron, needed * SHRINK, fewest)
            wanted = side**2 * pages
            limit = self._config.memory.vram_bytes
            gives = wanted < present and self._ledger.is_short(limit)
            lacks = present < min(least**2, wanted) or filled.grid[0] < fewest
            if SHRUNK**2 < wanted / present < GROWN**2 and not (gives or lacks):
                return filled
        return self._replace(node, TextureAtlas2D(encoding, tile, apron, (side, side), pages))

    def _for_one_tile(self, node: TiledImageVisual, needs: AtlasNeeds) -> TextureAtlas2D:
        """No apron: nothing lies around the tile. One slot where memory is short."""
        filled, alike = self._filled, (needs.encoding, needs.tile_shape, 0)
        if filled is not None and filled.layout[:3] == alike:
            return filled
        rows, columns = needs.tile_shape
        nbytes = rows * columns * needs.encoding.texel_bytes
        self._ledger.need(self, nbytes, self._wake)
        room = self._ledger.room(self, self._config.memory.vram_bytes)
        slots = needs.whole if needs.whole * nbytes <= room else 1
        return self._replace(node, TextureAtlas2D(*alike, (1, slots)))

    def _first_side(self, in_view: int, root: int) -> int | None:
        """Slots a side while the first view is shown; None: it has gone beyond what that takes."""
        if self._filled is None:
            return max(math.ceil(math.sqrt(SPARE * in_view + root)), FIRST_SIDE)
        self._opening = 2 * in_view + root <= self._filled.slots.capacity  # as `TileFrame` plans
        return self._filled.grid[0] if self._opening and len(self._filled.pages) == 1 else None

    def _grid(
        self, encoding: TextureEncoding, tile: int, apron: int, needed: float, fewest: int
    ) -> tuple[int, int]:
        """Slots a side, and pages of so many."""
        limit = self._config.memory.vram_bytes
        kept = self._filled.nbytes if self._filled is not None else 0
        allowed = self._ledger.share(self, limit, kept)
        texel, most = encoding.texel_bytes, self._max_side
        side = slots_a_side(tile, apron, texel, int(needed), allowed, most, fewest)
        page_bytes = (side * (tile + 2 * apron)) ** 2 * texel
        return side, pages_for(side, int(needed), page_bytes, allowed)

    def _replace(self, node: TiledImageVisual, atlas: TextureAtlas2D) -> TextureAtlas2D:
        self._node = node
        former, shown = self._filled, node.atlas
        if former is not None and former is not shown:
            former.delete()  # it has never been drawn
        room = self._ledger.room(self, self._config.memory.vram_bytes)
        self._filled = atlas
        _vispy.share_queue(node.canvas.context, atlas)
        if former is None or shown.nbytes + atlas.nbytes > room:
            self._picture.let_go()
            node.atlas = atlas
            shown.delete()
        self._ledger.take(self, self.nbytes)
        logger.debug("an atlas of %d tiles, %d bytes", atlas.slots.capacity, self.nbytes)
        return atlas

    def show(self) -> None:
        """Draw from the atlas that the picture has quads for."""
        shown, node = self._picture.shown_atlas, self._node
        if shown is None or node is None or shown is node.atlas:
            return
        former, node.atlas = node.atlas, shown
        former.delete()
        self._ledger.take(self, self.nbytes)

    def release(self) -> None:
        """Give the GPU's memory back, outside of a draw; `keep` begins anew."""
        node = self._node
        if self._filled is None or node is None:
            return
        canvas, shown = node.canvas, node.atlas
        if self._filled is not shown:
            _vispy.delete_texture(canvas, self._filled)
        self._picture.let_go()
        node.atlas = TextureAtlas2D(shown.encoding, (1, 1), 0, (2, 2))
        _vispy.delete_texture(canvas, shown)
        self._filled = None
        self._opening = True
        self._ledger.release(self)
