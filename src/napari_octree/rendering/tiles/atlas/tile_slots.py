"""TileSlots: the slots of an atlas whose tiles have several sizes, on one or more pages.

Invariants: those of `AtlasSlots`. A tile larger than a slot has a block of slots side by side on
one page: the first gives it its number, the others belong to no key and are not free. While it is
sent it stands under `unfinished` of its key, which nobody asks for.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import Any

import numpy as np

from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.octree.level import IntArray
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots, Slot


def unfinished(key: TileKey) -> TileKey:
    """The key of a tile that is in its slot in part."""
    return TileKey(("unfinished", key[0]), key[1])  # type: ignore[arg-type]


class TileSlots(AtlasSlots[Any]):
    """Least-recently-drawn allocation of slots, and of blocks of them.

    Parameters
    ----------
    grid : (rows, columns)
        Of slots on a page.
    pages : int

    Notes
    -----
    Slots are numbered page by page, row by row.
    """

    def __init__(self, grid: tuple[int, int], pages: int = 1) -> None:
        self.grid = grid
        self.pages = pages
        self._blocks: dict[int, IntArray] = {}
        super().__init__(grid[0] * grid[1] * pages)

    def members(self, number: int) -> IntArray | int:
        """All slots of the tile whose first one it is."""
        return self._blocks.get(number, number)

    def add_block(
        self,
        key: TileKey,
        shape: tuple[int, ...],
        size: tuple[int, int],
        protected: Collection[Any],
    ) -> tuple[Slot | None, list[Any]]:
        """Give a tile that is to be sent (see `unfinished`) a block of slots.

        That of what was drawn least recently; of protected tiles only where every block has some.

        Parameters
        ----------
        key : TileKey
        shape : tuple of int
            Texels of the tile with its apron.
        size : (rows, columns)
            Of the block, in slots.
        protected : collection of keys

        Returns
        -------
        slot : Slot or None
            None where no page is so large.
        evicted : list of keys
        """
        owners = {number: k for k, slot in self._slots.items() for number in self._of(slot.number)}
        blocks = self._candidates(size)
        if not blocks:
            return None, []
        kept = {number for number, owner in owners.items() if owner in protected}
        costs = [
            (sum(n in kept for n in block), int(self._drawn[block].max()), -int(block[0]))
            for block in blocks
        ]
        cheapest = min(range(len(blocks)), key=costs.__getitem__)
        former = self._slots.get(key)
        if former is not None and costs[cheapest][0]:
            return former, []  # there is no second place: it is written over
        block = blocks[cheapest]
        evicted = list(dict.fromkeys(owners[n] for n in block.tolist() if n in owners))
        for other in evicted:
            self.evict(other)
        taken = set(block.tolist())
        self._free = [number for number in self._free if number not in taken]
        first = int(block[0])
        self._blocks[first] = block
        slot = self._slots[unfinished(key)] = Slot(first, shape, False)
        self._drawn[first] = self._now
        self._now += 1
        return slot, evicted

    def finish(self, key: TileKey, complete: bool) -> Slot:
        """Say that all of a tile has been sent."""
        slot = self._slots.pop(unfinished(key), None)
        if slot is None:
            slot = self._slots[key]
        else:
            self.evict(key)  # an older version of it
        slot = self._slots[key] = slot._replace(complete=complete)
        self._renamed.discard(key)
        return slot

    def _of(self, number: int) -> list[int]:
        block = self._blocks.get(number)
        return [number] if block is None else block.tolist()

    def _candidates(self, size: tuple[int, int]) -> list[IntArray]:
        """Blocks that do not overlap, aligned to the last slot of each page: the first fill up."""
        (rows, columns), (high, wide) = self.grid, size
        tops, lefts = range(rows - high, -1, -high), range(columns - wide, -1, -wide)
        numbers = np.arange(self.capacity).reshape(self.pages, rows, columns)
        return [
            numbers[page, top : top + high, left : left + wide].ravel()
            for page, top, left in product(range(self.pages), tops, lefts)
        ]

    def _free_around(self, number: int) -> None:
        block = self._blocks.pop(number, None)
        if block is not None:
            self._free[:0] = block[1:].tolist()
            self._drawn[block] = -1

    def clear(self) -> None:
        """Free all slots."""
        self._blocks.clear()
        super().clear()
