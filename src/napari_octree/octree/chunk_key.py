"""The name of one tile or brick, and of one reason to load it.

Both are plain immutable tuples: hashable, ordered, cheap to make by the hundred.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class ChunkKey(NamedTuple):
    """The place of a tile (or brick) in an octree: its level and its index in that level's grid.

    Attributes
    ----------
    level : int
        0 is the finest.
    index : tuple of int
        Position in the level's tile grid, in axis order: (row, column) in 2-D, (z, y, x) in 3-D.
    """

    level: int
    index: tuple[int, ...]  # type: ignore[assignment]  # shadows tuple.index, which nobody needs


class Tier(IntEnum):
    """Why a chunk is wished for; a lower tier is loaded first."""

    OVERVIEW = 0
    """The coarsest level: while it is there nothing is ever blank."""
    COVERAGE = 1
    """A coarser stand-in for ideal chunks: one covers 4, 16 or 64 of them."""
    IDEAL = 2
    """A chunk that the view shows at about one texel per screen pixel."""
    AHEAD = 3
    """The coarsest level of a slice that the slider is about to reach: nobody waits for it, but
    the step is to find it on the GPU."""
    PREFETCH = 4
    """A chunk that the next move of the user is likely to show."""
    BACKGROUND = 5
    """A chunk that nobody looks at yet: work for when nothing else is to be done."""

    @property
    def awaited(self) -> bool:
        """Whether the present view is not complete without it."""
        return self <= Tier.IDEAL


class Wish(NamedTuple):
    """One chunk that should be loaded, and how urgently.

    Attributes
    ----------
    key : ChunkKey
    tier : Tier
    relative_level : int
        Level minus the ideal level: positive is coarser.
    distance : float
        From the focus to the nearest point of the chunk, in framebuffer pixels.
    slice_offset : int
        0 for the slice shown; ±n for the n-th neighbouring slice along the axis last moved.
    """

    key: ChunkKey
    tier: Tier
    relative_level: int
    distance: float
    slice_offset: int = 0


# A frame names hundreds of chunks. Called by `map`, the constructor of the tuple itself is several
# times as fast as that of the named tuple, which is written in Python.


def chunk_keys(levels: Iterable[int], tiles: npt.NDArray[np.int64]) -> list[ChunkKey]:
    """Name many chunks: their levels (perhaps one repeated), an (N, rank) array of indices."""
    indices = zip(*tiles.T.tolist(), strict=True)
    return list(map(tuple.__new__, repeat(ChunkKey), zip(levels, indices, strict=False)))


def make_wishes(
    keys: Iterable[ChunkKey],
    tiers: Iterable[Tier],
    relative_levels: Iterable[int],
    distances: Iterable[float],
    slice_offsets: Iterable[int] = repeat(0),
) -> list[Wish]:
    """Make as many wishes as the shortest of the iterables has; the others may be endless."""
    fields = zip(keys, tiers, relative_levels, distances, slice_offsets, strict=False)
    return list(map(tuple.__new__, repeat(Wish), fields))
