"""Coarser levels in an order that needs little memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_octree.octree import ChunkKey, Octree
from napari_octree.octree.build_order import build_order, children

OCTREES = st.builds(
    lambda shape, tile, most: Octree.from_shapes([shape], tile, max_overview=most),
    st.tuples(st.integers(1, 60), st.integers(1, 60))
    | st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
    st.integers(5, 20),
    st.integers(1, 40),
)


def made_of(octree: Octree, key: ChunkKey) -> set[ChunkKey]:
    """By pixels: the tiles of the level below that overlap a tile."""
    region = octree.levels[key.level].tile_region(key.index)
    factors = [
        round(a / b)
        for a, b in zip(
            octree.levels[key.level].transform.factor,
            octree.levels[key.level - 1].transform.factor,
            strict=True,
        )
    ]
    below = octree.levels[key.level - 1]
    return {
        other
        for other in tiles(octree, key.level - 1)
        if all(
            start < b * f and a * f < stop
            for (a, b), f, (start, stop) in zip(
                region, factors, below.tile_region(other.index), strict=True
            )
        )
    }


def tiles(octree: Octree, level: int) -> list[ChunkKey]:
    grid = octree.levels[level].grid_shape
    result: list[tuple[int, ...]] = [()]
    for n in grid:
        result = [(*index, i) for index in result for i in range(n)]
    return [ChunkKey(level, index) for index in result]


@given(OCTREES)
def test_each_tile_comes_once_and_after_all_that_it_is_made_of(octree: Octree) -> None:
    order = list(build_order(octree, 1)) if octree.virtual_from else []
    wanted = [key for level in range(1, len(octree.levels)) for key in tiles(octree, level)]
    assert sorted(order) == sorted(wanted)
    before: set[ChunkKey] = set()
    for key in order:
        assert set(children(octree, key)) == made_of(octree, key)
        if key.level > 1:
            assert set(children(octree, key)) <= before
        before.add(key)


@given(OCTREES)
def test_few_tiles_wait_for_their_parent(octree: Octree) -> None:
    if octree.virtual_from is None:
        return
    waiting: set[ChunkKey] = set()
    branches = 2 ** len(octree.extent)
    for key in build_order(octree, 1):
        waiting -= set(children(octree, key))
        if key.level < octree.coarsest.index:
            waiting.add(key)
        assert len(waiting) <= branches * len(octree.levels)
