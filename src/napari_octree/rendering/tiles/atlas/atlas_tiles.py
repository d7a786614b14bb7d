"""Which tiles of the slice that is shown an atlas holds.

Invariant: `levels` is what the atlas' slots say, of that slice alone; GUI thread only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import repeat

import numpy as np

from napari_octree.layers.slices.slice_key import SliceKey, TileKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import IntArray
from napari_octree.rendering.gpu.atlas_slots import Slot
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D


class AtlasTiles:
    """An atlas as one slice sees it.

    Parameters
    ----------
    atlas : TextureAtlas2D
    place : SliceKey or None
        None: nothing is shown.

    Attributes
    ----------
    levels : dict of int to set of ChunkKey
        What is resident, by level; see `octree.cover`.
    """

    def __init__(self, atlas: TextureAtlas2D, place: SliceKey | None) -> None:
        self.atlas = atlas
        self.levels: dict[int, set[ChunkKey]] = {}
        self.follow(place)

    def follow(self, place: SliceKey | None) -> None:
        """Tell of another slice from now on."""
        self._place = place
        self._found: tuple[Sequence[ChunkKey], IntArray] | None = None
        levels: dict[int, set[ChunkKey]] = defaultdict(set)
        if place is not None:
            for slice_key, chunk in self.atlas.slots:
                if slice_key == place:
                    levels[chunk.level].add(chunk)
        self.levels = dict(levels)
        here = [chunk for chunks in levels.values() for chunk in chunks]
        slots = {chunk: self.atlas.slots[place, chunk] for chunk in here}
        self._numbers = {chunk: slot.number for chunk, slot in slots.items()}
        self._unfinished = {chunk for chunk, slot in slots.items() if not slot.complete}

    def has(self, place: SliceKey, chunk: ChunkKey) -> bool:
        """Whether a tile of any slice is in the atlas."""
        return (place, chunk) in self.atlas.slots

    def are_final(self, chunks: Sequence[ChunkKey]) -> bool:
        """Whether all these tiles of the slice are here, and no better version is to come."""
        return self.are_here(chunks) and (
            not self._unfinished or self._unfinished.isdisjoint(chunks)
        )

    def count(self, chunks: Sequence[ChunkKey]) -> int:
        """How many of these tiles of the slice are in the atlas."""
        return int(np.count_nonzero(self._find(chunks) >= 0))

    def are_here(self, chunks: Sequence[ChunkKey]) -> bool:
        """Whether all these tiles of the slice are in the atlas."""
        return self.count(chunks) == len(chunks)

    def numbers(self, place: SliceKey, chunks: Sequence[ChunkKey]) -> IntArray:
        """The slots of tiles of a slice, which are all in the atlas: (N,) int64."""
        if place == self._place:
            return self._find(chunks)
        found = self.atlas.slots.numbers(zip(repeat(place), chunks))
        return np.fromiter(found, np.int64, len(chunks))

    def _find(self, chunks: Sequence[ChunkKey]) -> IntArray:
        """The slots of tiles of the slice that is shown, -1 where they are not here.

        Hundreds of names are looked up once a frame: the same sequence is asked for several times.
        """
        if self._found is None or self._found[0] is not chunks:
            found = map(self._numbers.get, chunks, repeat(-1))
            self._found = chunks, np.fromiter(found, np.int64, len(chunks))
        return self._found[1]

    def drop_former(self, key: TileKey) -> None:
        """Forget the pixels that a tile had before its data were read anew: reading has failed."""
        if self.atlas.slots.evict_renamed(key):
            self._found = None
            self._forget(key)

    def _forget(self, key: TileKey) -> None:
        slice_key, chunk = key
        if slice_key == self._place:
            self.levels.get(chunk.level, set()).discard(chunk)
            self._unfinished.discard(chunk)
            self._numbers.pop(chunk, None)

    def add(
        self, key: TileKey, data: np.ndarray, complete: bool, protected: Collection[TileKey]
    ) -> bool:
        """Upload a tile; see `TextureAtlas2D.add`.

        Returns
        -------
        bool
            Whether it is of the slice, and was not here before.
        """
        self._found = None
        slot, evicted = self.atlas.add(key, data, complete, protected)
        if evicted is not None:
            self._forget(evicted)
        return slot is not None and self._note(key, slot, complete)

    def stage(self, key: TileKey, data: np.ndarray, protected: Collection[TileKey]) -> Slot | None:
        """Make room for a tile that is sent band by band; see `TextureAtlas2D.stage`."""
        self._found = None
        slot, evicted = self.atlas.stage(key, data, protected)
        for other in evicted:
            self._forget(other)
        return slot

    def finish(self, key: TileKey, complete: bool) -> bool:
        """A staged tile is there. Returns the same as `add`."""
        self._found = None
        return self._note(key, self.atlas.finish(key, complete), complete)

    def _note(self, key: TileKey, slot: Slot, complete: bool) -> bool:
        slice_key, chunk = key
        if slice_key != self._place:
            return False
        here = self.levels.setdefault(chunk.level, set())
        new = chunk not in here
        here.add(chunk)
        self._numbers[chunk] = slot.number
        (self._unfinished.discard if complete else self._unfinished.add)(chunk)
        return new
