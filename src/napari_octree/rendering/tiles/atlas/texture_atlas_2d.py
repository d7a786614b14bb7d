"""TextureAtlas2D: many tiles in one texture, or in several where one cannot be so large.

Invariants: a slot has room for a tile of `tile_shape` with its apron; a tile smaller than that (at
the image's border) lies in its slot's first corner, a larger one in a block of slots. Pages are
equal; the first is the atlas itself, which is all that most atlases have. Contrast limits, gamma
and colour map act in the shader: nothing here depends on them. GUI thread with a current GL
context only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.octree.level import IntArray
from napari_octree.octree.octree import Octree
from napari_octree.rendering._vispy import GPUScaledTexture2D, open_for_uploads
from napari_octree.rendering.gpu.atlas_slots import Slot
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.tiles.atlas.tile_borders import TileBorders
from napari_octree.rendering.tiles.atlas.tile_slots import TileSlots

MOST_PAGES = 8

Write = Callable[[np.ndarray, "tuple[int, int]"], None]


class AtlasPage(GPUScaledTexture2D):
    """A texture for texels of an encoding.

    Parameters
    ----------
    encoding : TextureEncoding
    extent : (rows, columns)
        In texels.
    """

    def __init__(self, encoding: TextureEncoding, extent: tuple[int, int]) -> None:
        shape: tuple[int, ...] = (10, 10)
        if encoding.channels > 1:
            shape = (*shape, encoding.channels)
        super().__init__(np.zeros(shape, encoding.texel_dtype), internalformat="auto")
        self._resize((*extent, encoding.channels))
        # From here on the limits are normalised by the data's type, not the texels'.
        self._data_dtype = encoding.clim_dtype


class TextureAtlas2D(AtlasPage):
    """Textures of equal slots.

    Parameters
    ----------
    encoding : TextureEncoding
    tile_shape : (rows, columns)
        Of the largest tile, without its apron.
    apron : int
        Texels.
    grid : (rows, columns)
        Of slots on a page.
    pages : int

    Attributes
    ----------
    slot_shape : (rows, columns)
        Of a slot in texels.
    extent : (rows, columns)
        Of a page in texels.
    pages : tuple of AtlasPage
        The first is the atlas itself.
    slots : TileSlots
    borders : TileBorders
        Of the tile in each slot.
    versions : (slots,) int64 array
        Rise when something is written to a slot.
    changes : int
        Rises with each write.
    """

    def __init__(
        self,
        encoding: TextureEncoding,
        tile_shape: tuple[int, int],
        apron: int,
        grid: tuple[int, int],
        pages: int = 1,
    ) -> None:
        self.encoding = encoding
        self.tile_shape = tile_shape
        self.apron = apron
        self.grid = grid
        self.slot_shape = (tile_shape[0] + 2 * apron, tile_shape[1] + 2 * apron)
        self.extent = (self.slot_shape[0] * grid[0], self.slot_shape[1] * grid[1])
        self.slots = TileSlots(grid, pages)
        self.borders = TileBorders(grid, self.slot_shape, apron, pages)
        self.versions = np.zeros(self.slots.capacity, np.int64)
        self.changes = 0
        self._several = False
        self._write: tuple[int, Write] | None = None
        self.pages: tuple[AtlasPage, ...] = ()  # vispy begins with setting how to interpolate
        super().__init__(encoding, self.extent)
        others = [AtlasPage(encoding, self.extent) for _ in range(pages - 1)]
        self.pages = (self, *others)

    @property
    def layout(self) -> tuple[TextureEncoding, tuple[int, int], int, tuple[int, int], int]:
        """What it was made with."""
        return self.encoding, self.tile_shape, self.apron, self.grid, self.slots.pages

    @property
    def nbytes(self) -> int:
        """Bytes of the textures on the GPU."""
        page = self.extent[0] * self.extent[1] * self.encoding.texel_bytes
        return page * self.slots.pages

    @property
    def interpolation(self) -> Any:
        """Of all pages, as vispy knows it."""
        return super().interpolation

    @interpolation.setter
    def interpolation(self, value: Any) -> None:
        for page in self.pages[1:]:
            page.interpolation = value
        GPUScaledTexture2D.interpolation.fset(self, value)

    def delete(self) -> None:
        """Free the memory of all pages."""
        for page in self.pages[1:]:
            page.delete()
        super().delete()

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot."""
        return self.nbytes // self.slots.capacity

    def add(
        self, key: Any, tile: np.ndarray, complete: bool, protected: Collection[Any]
    ) -> tuple[Slot | None, Any]:
        """Upload `tile` to a slot, before returning.

        Parameters
        ----------
        key : hashable
        tile : (rows, columns[, channels]) contiguous array of `encoding.texel_dtype`
            With its apron on all sides.
        complete : bool
            The apron is final.
        protected : collection of keys
            Never evicted.

        Returns
        -------
        slot, evicted
            As `AtlasSlots.add`; nothing is uploaded where slot is None.
        """
        rows, columns = tile.shape[:2]
        slot, evicted = self.slots.add(key, (rows, columns), complete, protected)
        if slot is not None:
            self.borders.fill(slot.number, rows, columns)
            self._changed(slot)
            self._send(slot, tile, (0, 0))
        return slot, evicted

    def room(self, octree: Octree) -> int:
        """How many tiles of a slice there is room for: the coarsest may take a block each."""
        return self.slots.capacity + 1 - math.prod(self._block(octree.coarsest.tile_shape))

    def _block(self, tile_shape: Sequence[int]) -> tuple[int, int]:
        rows, columns = (
            max(math.ceil((n + 2 * self.apron) / m), 1)
            for n, m in zip(tile_shape, self.slot_shape, strict=True)
        )
        return rows, columns

    def takes_a_block(self, tile: np.ndarray) -> bool:
        """Whether a tile, with its apron, is larger than a slot."""
        return tile.shape[0] > self.slot_shape[0] or tile.shape[1] > self.slot_shape[1]

    def stage(
        self, key: TileKey, tile: np.ndarray, protected: Collection[Any]
    ) -> tuple[Slot | None, list[Any]]:
        """Give a tile that is sent band by band its place; it is not there before `finish`.

        Returns
        -------
        slot, evicted
            As `TileSlots.add_block`.
        """
        shape = tile.shape[:2]
        bare = [n - 2 * self.apron for n in shape]
        return self.slots.add_block(key, shape, self._block(bare), protected)

    def write(self, slot: Slot, tile: np.ndarray, first: int, stop: int) -> None:
        """Upload some rows of a staged tile, before returning."""
        self._send(slot, tile[first:stop], (first, 0))

    def finish(self, key: TileKey, complete: bool) -> Slot:
        """All of a staged tile is there."""
        slot = self.slots.finish(key, complete)
        self.borders.fill(slot.number, *slot.shape)
        self._changed(slot)
        return slot

    def _send(self, slot: Slot, texels: np.ndarray, place: tuple[int, int]) -> None:
        page, row, column = self.origin(slot)
        known = self._write
        if known is None or known[0] != page:
            known = page, open_for_uploads(self.pages[page], self.encoding.texel_dtype)
        known[1](texels, (row + place[0], column + place[1]))
        if self._several:
            self._write = known

    def patch(self, slot: Slot, texels: np.ndarray, place: tuple[int, int]) -> None:
        """Replace some texels of a slot's tile, before returning.

        Parameters
        ----------
        slot : Slot
        texels : (rows, columns[, channels]) array of `encoding.texel_dtype`
        place : (row, column)
            In the tile with its apron.
        """
        self._changed(slot)
        self._send(slot, np.ascontiguousarray(texels), place)

    def _changed(self, slot: Slot) -> None:
        self.versions[self.slots.members(slot.number)] += 1
        self.changes += 1

    def begin(self) -> None:
        """Until `end`, nothing else is uploaded or drawn: what GL needs to know is told once."""
        self._several = True

    def end(self) -> None:
        """Let others upload and draw."""
        self._several, self._write = False, None

    def page_of(self, numbers: IntArray) -> IntArray | None:
        """The pages of slots; None where there is one."""
        return None if len(self.pages) == 1 else numbers // (self.grid[0] * self.grid[1])

    def origin(self, slot: Slot) -> tuple[int, int, int]:
        """Page, and first texel (row, column) on it, of a slot."""
        page, number = divmod(slot.number, self.grid[0] * self.grid[1])
        row, column = divmod(number, self.grid[1])
        return page, row * self.slot_shape[0], column * self.slot_shape[1]


def slots_a_side(
    tile_size: int,
    apron: int,
    texel_bytes: int,
    needed: int,
    vram_bytes: int,
    max_side: int,
    least: int = 2,
) -> int:
    """How many slots a side an atlas of square tiles should have.

    Begins with a texture of about 4096² and doubles until `needed` slots fit, within
    `vram_bytes` and the GL limit `max_side`. At least `least`, whatever the limits say: with less
    there is no picture.
    """
    slot = tile_size + 2 * apron
    largest = max(int((vram_bytes / texel_bytes) ** 0.5) // slot, least)
    largest = max(min(largest, max_side // slot), least)
    side = max(4096 // tile_size, least)
    while side * side < needed and side < largest:
        side *= 2
    return min(side, largest)


def pages_for(side: int, needed: int, page_bytes: int, vram_bytes: int) -> int:
    """How many pages of `side` squared slots an atlas should have: 1 unless that is too little."""
    if side * side >= needed:
        return 1
    return max(min(math.ceil(needed / side**2), vram_bytes // page_bytes, MOST_PAGES), 1)
