"""The order in which coarser levels are computed from finer ones with little memory.

Invariants: pure and lazy; every tile of the levels from `first` on comes once, and after all tiles
of the level below that it is made of; so a tile waits for its parent while at most its siblings
are computed, and of the levels together only a few tiles are waiting at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree


def build_order(octree: Octree, first: int) -> Iterator[ChunkKey]:
    """Name the tiles of the levels from `first` on, those that a tile is made of before it.

    Parameters
    ----------
    octree : Octree
    first : int
        A virtual level, as are all that are coarser.
    """

    def below(key: ChunkKey) -> Iterator[ChunkKey]:
        if key.level > first:
            for child in children(octree, key):
                yield from below(child)
        yield key

    for index in product(*map(range, octree.coarsest.grid_shape)):
        yield from below(ChunkKey(octree.coarsest.index, index))


def children(octree: Octree, key: ChunkKey) -> list[ChunkKey]:
    """List the tiles of the level below that a tile of a virtual level is made of."""
    level, below = octree.levels[key.level], octree.levels[key.level - 1]
    ranges = []
    for i, coarse, fine, n in zip(
        key.index, level.transform.factor, below.transform.factor, below.grid_shape, strict=True
    ):
        step = round(coarse / fine)  # 1 or 2: tiles have as many texels at every level
        ranges.append(range(i * step, min((i + 1) * step, n)))
    return [ChunkKey(below.index, index) for index in product(*ranges)]
