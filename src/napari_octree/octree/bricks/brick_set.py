"""A set of bricks that can be asked for many at once.

Invariants: immutable; a brick that is not in the set is never said to be. Looked up by a number
made of a brick's level and index: of two members with the same number (of 2^64) one is not found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import IntArray

# Odd, and without a pattern in their bits (Knuth's multiplicative hashing): products wrap around.
_FACTORS = np.array(
    [0x1E3779B97F4A7C15, 0x42B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.int64
)


@dataclass(frozen=True, eq=False)
class BrickSet:
    """Some bricks.

    Attributes
    ----------
    keys : (N, 4) int64
        Level, z, y, x; by rising number.
    numbers : (N,) int64
    """

    keys: IntArray
    numbers: IntArray

    @classmethod
    def of(cls, bricks: Iterable[ChunkKey]) -> BrickSet:
        """Make a set of bricks."""
        keys = np.array([(level, *index) for level, index in bricks], np.int64).reshape(-1, 4)
        numbers = keys @ _FACTORS
        order = np.argsort(numbers)
        return cls(keys[order], numbers[order])

    def contains(self, keys: IntArray) -> npt.NDArray[np.bool_]:
        """Tell which of some bricks, (M, 4), are in the set: (M,)."""
        if not len(self.keys):
            return np.zeros(len(keys), np.bool_)
        place = self.numbers.searchsorted(keys @ _FACTORS)
        found: npt.NDArray[np.bool_] = np.logical_and.reduce(
            self.keys.take(place, axis=0, mode="clip") == keys, axis=1
        )
        return found


NO_BRICKS = BrickSet.of(())
