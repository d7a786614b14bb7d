"""TextureAtlas2D: many tiles in one texture.

Invariants: a slot is `tile_size + 2 * apron` texels a side; a tile smaller than that (at the
image's border) lies in its slot's first corner. Contrast limits, gamma and colour map act in
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
    """A square texture of square slots.

    Parameters
    ----------
    encoding : TextureEncoding
    tile_size, apron : int
        Texels.
    slots_a_side : int

    Attributes
    ----------
    slots : AtlasSlots
    borders : TileBorders
        Of the tile in each slot.
    versions : (slots,) int64 array
        Rise when something is written to a slot.
    changes : int
        Rises with each write.
    """

    def __init__(
        self, encoding: TextureEncoding, tile_size: int, apron: int, slots_a_side: int
    ) -> None:
        self.encoding = encoding
        self.tile_size = tile_size
        self.apron = apron
        self.slot_size = tile_size + 2 * apron
        self.slots_a_side = slots_a_side
        self.side = self.slot_size * slots_a_side
        self.slots: AtlasSlots[Any] = AtlasSlots(slots_a_side**2)
        self.borders = TileBorders(slots_a_side, self.slot_size, apron)
        self.versions = np.zeros(slots_a_side**2, np.int64)
        self.changes = 0
        self._several = False
        self._write: Callable[[np.ndarray, tuple[int, int]], None] | None = None
        shape: tuple[int, ...] = (10, 10)
        if encoding.channels > 1:
            shape = (*shape, encoding.channels)
        super().__init__(np.zeros(shape, encoding.texel_dtype), internalformat="auto")
        self._resize((self.side, self.side, encoding.channels))
        # From here on the limits are normalised by the data's type, not the texels'.
        self._data_dtype = encoding.clim_dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the texture on the GPU."""
        return self.side**2 * self.encoding.texel_bytes

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
        row, column = divmod(slot.number, self.slots_a_side)
        return row * self.slot_size, column * self.slot_size


def slots_a_side(
    tile_size: int, apron: int, texel_bytes: int, needed: int, vram_bytes: int, max_side: int
) -> int:
    """How many slots a side an atlas should have.

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
