"""Where the chunks of one slice lie that are in RAM, by level.

Invariants: GUI thread; nothing is read and nothing is counted as used; a chunk that is still there
is not looked at again.
"""

from __future__ import annotations

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.loading.cache.chunk_cache import ChunkCache

Region = tuple[tuple[int, int], ...]
"""From where to where, per axis."""


class CachedBoxes:
    """Boxes of cached chunks, in pixels of their levels, along the displayed axes.

    Parameters
    ----------
    octree_slice : OctreeSlice
    cache : ChunkCache
    """

    def __init__(self, octree_slice: OctreeSlice, cache: ChunkCache) -> None:
        self.octree_slice = octree_slice
        self._cache = cache
        self._known: list[dict[Region, Region | None]] = [{} for _ in octree_slice.sources]

    def of_level(self, level: int) -> list[Region]:
        """Those of one level; none of an array that is in memory altogether."""
        storage = self.octree_slice.sources[level].storage
        if storage.in_memory:
            return []
        known = self._known[level]
        now = {
            region: known[region] if region in known else self._box(level, region)
            for region in self._cache.regions_of(storage.key)
        }
        self._known[level] = now
        return [box for box in now.values() if box is not None]

    def _box(self, level: int, region: Region) -> Region | None:
        """A chunk's box along the displayed axes; None if it holds nothing of the slice."""
        source = self.octree_slice.sources[level]
        own = []
        for (start, stop), fixed in zip(region, source.fixed, strict=True):
            if fixed is None:
                own.append((start, stop))
            elif not start <= fixed < stop:
                return None
        key = self.octree_slice.key
        for (start, stop), wanted in zip(own, self.octree_slice.ranges(level), strict=False):
            if wanted is not None and (stop <= wanted[0] or wanted[1] <= start):
                return None
        return tuple(own[axis] for axis in key.displayed)
