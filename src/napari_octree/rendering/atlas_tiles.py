"""Which tiles of the slice that is shown an atlas holds.

Invariant: `levels` is what the atlas' slots say, of that slice alone; GUI thread only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import numpy as np

from napari_octree.layers.octree_slice import TileKey
from napari_octree.layers.slice_key import SliceKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.texture_atlas_2d import TextureAtlas2D


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
        levels: dict[int, set[ChunkKey]] = defaultdict(set)
        if place is not None:
            for slice_key, chunk in self.atlas.slots:
                if slice_key == place:
                    levels[chunk.level].add(chunk)
        self.levels = dict(levels)
        slots = self.atlas.slots
        here = [chunk for chunks in levels.values() for chunk in chunks]
        self._unfinished = {chunk for chunk in here if not slots[place, chunk].complete}

    def has(self, place: SliceKey, chunk: ChunkKey) -> bool:
        """Whether a tile of any slice is in the atlas."""
        return (place, chunk) in self.atlas.slots

    def are_final(self, level: int, chunks: Collection[ChunkKey]) -> bool:
        """Whether tiles of a level are all here, and no better version of any will come."""
        here = self.levels.get(level, set())
        return here.issuperset(chunks) and self._unfinished.isdisjoint(chunks)

    def add(
        self, key: TileKey, data: np.ndarray, complete: bool, protected: Collection[TileKey]
    ) -> bool:
        """Upload a tile; see `TextureAtlas2D.add`.

        Returns
        -------
        bool
            Whether it is of the slice, and was not here before.
        """
        slot, evicted = self.atlas.add(key, data, complete, protected)
        if evicted is not None:
            slice_key, chunk = evicted
            if slice_key == self._place:
                self.levels.get(chunk.level, set()).discard(chunk)
                self._unfinished.discard(chunk)
        slice_key, chunk = key
        if slot is None or slice_key != self._place:
            return False
        here = self.levels.setdefault(chunk.level, set())
        new = chunk not in here
        here.add(chunk)
        (self._unfinished.discard if complete else self._unfinished.add)(chunk)
        return new
