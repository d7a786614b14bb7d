"""TileBorders: what the shader has to know of the tile in each slot of an atlas.

Invariants: of a slot that has been filled anew nothing is assumed; what is found out about it when
it is drawn first, with all others of that frame, serves until the next tile comes into it.
"""

from __future__ import annotations

import numpy as np

from napari_octree.octree.cover.cover import Cover
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.octree import Octree

FAR = 1e4
"""Texels. A border of the image that is farther from a slot cannot matter to it."""

_SWAP = [1, 0, 3, 2]
"""(y, x) becomes (x, y) here: GL wants x first."""


class TileBorders:
    """Where in the texture tiles begin, where they end, and where their image does.

    Parameters
    ----------
    grid : (rows, columns)
        Of slots on a page.
    slot_shape : (rows, columns)
        Of a slot in texels.
    apron : int
        Texels.
    pages : int
        Textures of such a grid.

    Attributes
    ----------
    corners : (capacity, 4) float64
        The first texel of each slot's tile, its apron left out: y, x, y, x.
    """

    def __init__(
        self, grid: tuple[int, int], slot_shape: tuple[int, int], apron: int, pages: int = 1
    ) -> None:
        numbers = np.tile(np.arange(grid[0] * grid[1]), pages)
        slot = np.array(slot_shape, float)
        self._apron = apron
        self._extent = np.tile(slot * grid, 2)[_SWAP]
        self._origins = np.stack(np.divmod(numbers, grid[1]), axis=1) * slot
        self.corners = np.tile(self._origins + apron, 2)
        self._shapes = np.zeros((len(numbers), 2))
        self._known = np.zeros(len(numbers), np.bool_)
        self._edges = np.zeros((len(numbers), 2, 4), np.float32)

    def fill(self, number: int, rows: int, columns: int) -> None:
        """Another tile has come into a slot: so many texels, with its apron."""
        shapes = self._shapes
        shapes[number, 0], shapes[number, 1] = rows, columns
        self._known[number] = False

    def edges(
        self, numbers: IntArray, drawn: Cover, octree: Octree, ideal_level: int
    ) -> np.ndarray:
        """The edges of the tiles that the quads of a cover show.

        Parameters
        ----------
        numbers : (N,) int64
            The slot of each quad.
        drawn : Cover
        octree : Octree
        ideal_level : int
            Of the cover.

        Returns
        -------
        (N, 2, 4) float32
            x0, y0, x1, y1 of the first and last texel centre that may be sampled; then of the
            borders of the whole image, as far as they are near. The texture is 1 a side.
        """
        new = np.flatnonzero(~self._known[numbers])
        if len(new):
            levels = drawn.relative_levels[new] + ideal_level
            self._describe(numbers[new], drawn.tiles[new], levels, octree)
        return self._edges[numbers]

    def _describe(
        self, numbers: IntArray, tiles: IntArray, levels: IntArray, octree: Octree
    ) -> None:
        origins, shapes = self._origins[numbers], self._shapes[numbers]
        samples: FloatArray = np.concatenate([origins + 0.5, origins + shapes - 0.5], axis=1)
        images = np.empty((len(numbers), 4))
        for number in sorted(set(levels.tolist())):
            level, here = octree.levels[number], levels == number
            first = self._apron - tiles[here] * np.array(level.tile_shape, float)
            last = np.minimum(first + level.shape, FAR)
            images[here] = np.concatenate([np.maximum(first, -FAR), last], axis=1)
        images += np.tile(origins, 2)
        self._edges[numbers, 0] = samples[:, _SWAP] / self._extent
        self._edges[numbers, 1] = images[:, _SWAP] / self._extent
        self._known[numbers] = True
