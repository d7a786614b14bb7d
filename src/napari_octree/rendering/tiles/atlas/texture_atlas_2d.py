"""TextureAtlas2D: many tiles in one texture.

Invariants: a slot has room for a tile of `tile_shape` with its apron; a tile smaller than that (at
the image's border) lies in its slot's first corner. Contrast limits, gamma and colour map act in
the shader: nothing here depends on them. GUI thread with a current GL context only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from napari_octree.rendering._vispy import GPUScaledTexture2D, open_for_uploads
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots, Slot
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.tiles.atlas.tile_borders import TileBorders


class TextureAtlas2D(GPUScaledTexture2D):
    """A texture of equal slots.

    Parameters
    ----------
    encoding : TextureEncoding
    tile_shape : (rows, columns)
        Of the largest tile, without its apron.
    apron : int
        Texels.
    grid : (rows, columns)
        Of slots.

    Attributes
    ----------
    slot_shape : (rows, columns)
        Of a slot in texels.
    extent : (rows, columns)
        Of the texture in texels.
    slots : AtlasSlots
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
    ) -> None:
        self.encoding = encoding
        self.tile_shape = tile_shape
        self.apron = apron
        self.grid = grid
        self.slot_shape = (tile_shape[0] + 2 * apron, tile_shape[1] + 2 * apron)
        self.extent = (self.slot_shape[0] * grid[0], self.slot_shape[1] * grid[1])
        self.slots: AtlasSlots[Any] = AtlasSlots(grid[0] * grid[1])
        self.borders = TileBorders(grid, self.slot_shape, apron)
        self.versions = np.zeros(grid[0] * grid[1], np.int64)
        self.changes = 0
        self._several = False
        self._write: Callable[[np.ndarray, tuple[int, int]], None] | None = None
        shape: tuple[int, ...] = (10, 10)
        if encoding.channels > 1:
            shape = (*shape, encoding.channels)
        super().__init__(np.zeros(shape, encoding.texel_dtype), internalformat="auto")
        self._resize((*self.extent, encoding.channels))
        # From here on the limits are normalised by the data's type, not the texels'.
        self._data_dtype = encoding.clim_dtype

    @property
    def layout(self) -> tuple[TextureEncoding, tuple[int, int], int, tuple[int, int]]:
        """What it was made with."""
        return self.encoding, self.tile_shape, self.apron, self.grid

    @property
    def nbytes(self) -> int:
        """Bytes of the texture on the GPU."""
        return self.extent[0] * self.extent[1] * self.encoding.texel_bytes

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
            write = self._write or open_for_uploads(self, self.encoding.texel_dtype)
            write(tile, self.origin(slot))
            if self._several:
                self._write = write
        return slot, evicted

    def patch(self, slot: Slot, texels: np.ndarray, place: tuple[int, int]) -> None:
        """Replace some texels of a slot's tile, before returning.

        Parameters
        ----------
        slot : Slot
        texels : (rows, columns[, channels]) array of `encoding.texel_dtype`
        place : (row, column)
            In the tile with its apron.
        """
        write = self._write or open_for_uploads(self, self.encoding.texel_dtype)
        row, column = self.origin(slot)
        self._changed(slot)
        write(np.ascontiguousarray(texels), (row + place[0], column + place[1]))
        if self._several:
            self._write = write

    def _changed(self, slot: Slot) -> None:
        self.versions[slot.number] += 1
        self.changes += 1

    def begin(self) -> None:
        """Until `end`, nothing else is uploaded or drawn: what GL needs to know is told once."""
        self._several = True

    def end(self) -> None:
        """Let others upload and draw."""
        self._several, self._write = False, None

    def origin(self, slot: Slot) -> tuple[int, int]:
        """First texel (row, column) of a slot."""
        row, column = divmod(slot.number, self.grid[1])
        return row * self.slot_shape[0], column * self.slot_shape[1]


def slots_a_side(
    tile_size: int, apron: int, texel_bytes: int, needed: int, vram_bytes: int, max_side: int
) -> int:
    """How many slots a side an atlas of square tiles should have.

    Begins with a texture of about 4096² and doubles until `needed` slots fit, within
    `vram_bytes` and the GL limit `max_side`. At least 2, whatever the limits say: with less
    there is no picture.
    """
    slot = tile_size + 2 * apron
    largest = max(int((vram_bytes / texel_bytes) ** 0.5) // slot, 2)
    largest = max(min(largest, max_side // slot), 2)
    side = max(4096 // tile_size, 2)
    while side * side < needed and side < largest:
        side *= 2
    return min(side, largest)
