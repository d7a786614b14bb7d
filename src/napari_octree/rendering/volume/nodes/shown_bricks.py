"""ShownBricks: which bricks of the octree are drawn, and from which slots.

Invariants: a value; what `NodeTexture.write` takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.chunk_key import ChunkKey


@dataclass(frozen=True, eq=False)
class ShownBricks:
    """The bricks of an octree that one frame shows.

    Attributes
    ----------
    octree_slice : OctreeSlice
    keys : list of ChunkKey
    slots : (N,) int64
        Of the bricks in the atlas.
    ranges : (N, 2)
        Lowest and highest value of each brick, as texels.
    failed : list of ChunkKey
        Could not be read.
    failed_slots : (M,) int64
        Of those that failed; 0 for those without.
    covers : bool
        No place in view is without a brick, but where reads have failed.
    """

    octree_slice: OctreeSlice
    keys: list[ChunkKey]
    slots: np.ndarray
    ranges: np.ndarray
    failed: list[ChunkKey]
    failed_slots: np.ndarray
    covers: bool

    def shows_as(self, other: ShownBricks) -> bool:
        """Whether both are the same bricks in the same slots."""
        return (
            self.octree_slice is other.octree_slice
            and (self.keys, self.failed, self.covers) == (other.keys, other.failed, other.covers)
            and np.array_equal(self.slots, other.slots)
            and np.array_equal(self.failed_slots, other.failed_slots)
            and np.array_equal(self.ranges, other.ranges)
        )

    def levels_seen(self) -> tuple[int, ...]:
        """Levels of which a brick is not hidden by finer ones, finest first."""
        levels = self.octree_slice.octree.levels
        here, seen = set(self.keys), set()
        for key in self.keys:
            if key.level in seen:
                continue
            finer = key.level - 1
            bounds = levels[key.level].tile_bounds(key.index)
            if finer < 0 or any(
                ChunkKey(finer, index) not in here
                for index in product(
                    *(range(*levels[finer].tile_range(a, *ends)) for a, ends in enumerate(bounds))
                )
            ):
                seen.add(key.level)
        return tuple(sorted(seen))
