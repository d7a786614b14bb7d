"""Where tiles end in their slots, and how long that is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import Octree
from napari_octree.octree.cover.cover import cover
from napari_octree.octree.cover.intersection import intersect
from napari_octree.octree.view import View
from napari_octree.rendering.tiles.atlas.tile_borders import FAR, TileBorders

TILE, APRON, SIDE = 8, 2, 5
SLOT = TILE + 2 * APRON
OCTREE = Octree.from_shapes([(29, 35), (15, 18)], TILE, max_overview=18)


def truth(level: int, tile: tuple[int, int], number: int) -> np.ndarray:
    """What the docstring of `TileBorders.edges` promises, of one tile in one slot."""
    samples, image = [], []
    for axis in (1, 0):
        start = divmod(number, SIDE)[axis] * SLOT
        size = OCTREE.levels[level].shape[axis]
        texels = min(TILE, size - tile[axis] * TILE) + 2 * APRON
        samples.append((start + 0.5, start + texels - 0.5))
        first = start + APRON - tile[axis] * TILE
        image.append((first, min(first + size, start + FAR)))
    both = np.array([np.ravel(samples, order="F"), np.ravel(image, order="F")])
    return both / (SIDE * SLOT)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.randoms(use_true_random=False)), max_size=5))
def test_edges_are_those_of_the_tile_that_came_last(frames) -> None:
    borders = TileBorders((SIDE, SIDE), (SLOT, SLOT), APRON)
    for level, random in frames:
        view = View.of_box((0, 0), (29, 35), 1.0)
        planned = intersect(OCTREE, view, locked_level=level)
        drawn = cover(OCTREE, planned, {level: set(planned.chunks)})
        numbers = random.sample(range(SIDE**2), len(drawn.chunks))
        for number, (_, tile) in zip(numbers, drawn.chunks, strict=True):
            shape = OCTREE.levels[level].tile_region(tile)
            borders.fill(number, *(b - a + 2 * APRON for a, b in shape))
        for _ in range(2):  # found out, then known
            edges = borders.edges(np.array(numbers), drawn, OCTREE, level)
            for have, number, (_, tile) in zip(edges, numbers, drawn.chunks, strict=True):
                np.testing.assert_allclose(have, truth(level, tile, number), rtol=1e-6)
