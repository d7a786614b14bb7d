"""What was shown before a slider moved, kept on the canvas until the new slice has coverage.

Invariants: only while asked to (`keep`); only a slice that covered the view, only while it still
does, and never once the new slice covers it or nothing of it is to come; whoever draws it must
mark it as old (`shown`).
"""

from __future__ import annotations

from collections.abc import Iterable

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey, TileKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.cover import Cover, by_level, cover
from napari_octree.octree.cover.intersection import OctreeIntersection


class FormerSlice:
    """The slice before, of one view."""

    def __init__(self) -> None:
        self.keep = False
        self.shown = False
        self._slice: OctreeSlice | None = None
        self._chunks: frozenset[ChunkKey] = frozenset()

    @property
    def keys(self) -> set[TileKey]:
        """Tiles that must not be evicted as long as it is kept."""
        if self._slice is None:
            return set()
        return {TileKey(self._slice.key, chunk) for chunk in self._chunks}

    def leave(
        self, before: OctreeSlice | None, now: OctreeSlice | None, drawn: Cover | None
    ) -> None:
        """The view goes from one slice to another; `drawn` is what it showed of the first."""
        if not self.keep or before is None or now is None or before.octree is not now.octree:
            self.drop()
        elif drawn is not None and not len(drawn.blank):
            self._slice, self._chunks = before, frozenset(drawn.chunks)

    def drop(self) -> None:
        """Keep it no longer."""
        self._slice, self._chunks, self.shown = None, frozenset(), False

    def instead_of(
        self,
        drawn: Cover,
        intersection: OctreeIntersection,
        resident: Iterable[TileKey],
    ) -> tuple[SliceKey, Cover] | None:
        """Return what to draw in place of `drawn`, which has blanks that will be filled."""
        if self._slice is None:
            return None
        key = self._slice.key
        own = by_level(tile.chunk for tile in resident if tile.place == key)
        kept = cover(self._slice.octree, intersection, own)
        if not len(drawn.blank) or len(kept.blank):
            self.drop()
            return None
        self.shown = True
        return key, kept
