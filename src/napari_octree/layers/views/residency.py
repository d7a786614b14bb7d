"""What of a slice is on the GPU, and what of it could not be read: a value for maps and tables.

Invariants: frozen; tiles of other slices are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from napari_octree.layers.slices.slice_key import SliceKey, TileKey
from napari_octree.octree.chunk_key import ChunkKey


@dataclass(frozen=True)
class Residency:
    """Tiles or bricks of one slice.

    Attributes
    ----------
    resident : frozenset of ChunkKey
        On the GPU, in view or not.
    failed : frozenset of ChunkKey
        That could not be read.

    Of points, a node is named by its level, 0 the deepest, and its row in the table of nodes.
    """

    resident: frozenset[ChunkKey] = frozenset()
    failed: frozenset[ChunkKey] = frozenset()

    @classmethod
    def of(
        cls, place: SliceKey | None, slots: Iterable[Any], failed: Iterable[TileKey]
    ) -> Residency:
        """Those of all tiles in an atlas, and of those that failed, that lie in one slice."""
        return cls(
            frozenset(key.chunk for key in slots if key.place == place),
            frozenset(key.chunk for key in failed if key.place == place),
        )

    def __or__(self, other: Residency) -> Residency:
        """What one viewer or the other has; what failed in both."""
        resident = self.resident | other.resident
        return Residency(resident, (self.failed | other.failed) - resident)

    def by_level(self) -> dict[int, tuple[int, int]]:
        """Numbers of resident and of failed tiles, by level."""
        resident = Counter(chunk.level for chunk in self.resident)
        failed = Counter(chunk.level for chunk in self.failed)
        return {level: (resident[level], failed[level]) for level in {*resident, *failed}}
