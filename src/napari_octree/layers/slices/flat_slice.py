"""A slice of two displayed axes as a volume of one plane: 2-D data in a 3-D view.

Invariants: those of `OctreeSlice`, whose key, levels and sources it shares; its octree has a third
axis in front, one pixel thick at every level, that no source knows of.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice, brick_shape
from napari_octree.loading.request import TileRequest
from napari_octree.octree.chunk_key import Wish
from napari_octree.octree.octree import Octree
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.protocol import Region


class FlatSlice(OctreeSlice):
    """A slice as one plane of bricks.

    Parameters
    ----------
    plain : OctreeSlice
        Of two displayed axes.
    """

    def __init__(self, plain: OctreeSlice) -> None:
        self.__dict__ |= copy.copy(plain).__dict__
        self.sources = plain.sources
        self.hint = plain.hint
        levels = plain.octree.levels
        shapes = [(1, *level.shape) for level in levels]
        sides = brick_shape(levels[0].shape, self.pyramid.brick_size)
        self.octree = Octree.from_shapes(
            shapes,
            (1, *sides),  # no thicker than the plane: all of a brick is kept on the GPU
            transforms=[
                LevelTransform((1.0, *t.factor), (0.0, *t.translation))
                for t in (level.transform for level in levels)
            ],
            max_overview=sys.maxsize,
        )

    def region(self, level: int, box: Sequence[tuple[int, int]]) -> Region:
        """`box` of (plane, row, column) as a region of the source."""
        return super().region(level, box[-2:])

    def tile_request(
        self,
        wish: Wish,
        apron: int,
        encode: Callable[[np.ndarray], np.ndarray],
        encoded_bytes: int = 0,
    ) -> TileRequest:
        """What the loader is asked for one brick: its plane, repeated in the apron."""

        def encode_plane(plane: np.ndarray) -> np.ndarray:
            return encode(np.repeat(plane[np.newaxis], 1 + 2 * apron, axis=0))

        return super().tile_request(wish, apron, encode_plane, encoded_bytes)
