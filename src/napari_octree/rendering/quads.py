"""From a cover to vertex data: where each quad lies, and which texels of an atlas it shows.

Invariants: pure; axis order (y, x); places are float64 until the visual makes them relative to
`origin`. A quad is marked where the ideal tile of its place has failed, and such a place has a
quad even if nothing at all can be shown there.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.cover import Cover
from napari_octree.octree.level import OctreeLevel
from napari_octree.octree.octree import Octree

if TYPE_CHECKING:
    from napari_octree.rendering.texture_atlas_2d import TextureAtlas2D

TINTS = np.array(
    [
        [0.2, 0.4, 1.0, 1.0],  # finer than ideal
        [0.0, 0.0, 0.0, 0.0],  # ideal: as it is
        [0.1, 0.8, 0.3, 1.0],
        [1.0, 0.8, 0.1, 1.0],
        [1.0, 0.2, 0.1, 1.0],  # three levels too coarse, or more
    ],
    np.float32,
)

FAILED, NOTHING = 2.0, 4.0
"""Added to a tint's alpha: the ideal tile has failed; there is nothing to show instead."""

FAR = 1e4
"""Texels. A border of the image that is farther from a slot cannot matter to it."""


ALONE = 2.0
"""The weight of a tile that has nothing under it; above 1, so that rounding cannot reach it."""


@dataclass(frozen=True)
class Under:
    """What is seen through quads whose tiles are fading in.

    Attributes
    ----------
    texcoords, clamps, images : (N, 4) float64
        As of `Quads`, of what is under each.
    weights : (N,) or (1,) float64
        How much is seen of the tile itself: 0 to 1, or `ALONE`.
    """

    texcoords: np.ndarray
    clamps: np.ndarray
    images: np.ndarray
    weights: np.ndarray = field(default_factory=lambda: np.array([ALONE]))


@dataclass(frozen=True)
class Quads:
    """Vertex data of a cover.

    Attributes
    ----------
    rectangles : (N, 4) float64
        y0, x0, y1, x1 in level-0 pixel areas.
    texcoords : (N, 4) float64
        y0, x0, y1, x1 in texels of the atlas.
    clamps : (N, 4) float64
        First and last texel centre that may be sampled: y0, x0, y1, x1.
    images : (N, 4) float64
        Borders of the whole image, as far as they are near, in texels of the atlas.
    tints : (N, 4) float32
        Colour of `tint_levels`; alpha is 1 where it applies, plus `FAILED` and `NOTHING`.
    borders : (N, 4) float64
        The shown tile's own edges y0, x0, y1, x1 in level-0 pixel areas.
    origin : (2,) float64
        y, x of a point near the view, whole pixels.
    under : Under or None
        None: nothing is fading in.
    """

    rectangles: np.ndarray
    texcoords: np.ndarray
    clamps: np.ndarray
    images: np.ndarray
    tints: np.ndarray
    borders: np.ndarray
    origin: np.ndarray
    under: Under | None = None

    def over(self, below: Quads, weights: np.ndarray) -> Quads:
        """The same quads with others under them.

        Parameters
        ----------
        below : Quads
            Of the same rectangles.
        weights : (M,) float64
            How much is seen of the first M quads themselves: 0 to 1, or `ALONE`; of the
            others, which show nothing, all.
        """
        rest = np.full(len(self.rectangles) - len(weights), ALONE)
        under = Under(below.texcoords, below.clamps, below.images, np.concatenate([weights, rest]))
        return replace(self, under=under)


def no_quads() -> Quads:
    """Nothing to draw."""
    none = np.zeros((0, 4))
    return Quads(none, none, none, none, none.astype(np.float32), none, np.zeros(2))


def quads_of(
    drawn: Cover,
    octree: Octree,
    ideal_level: int,
    atlas: TextureAtlas2D,
    slice_key: Hashable,
    failed: Collection[ChunkKey] = (),
) -> Quads:
    """Vertex data of a cover whose chunks are all in `atlas` under (slice_key, chunk).

    Parameters
    ----------
    drawn : Cover
    octree : Octree
    ideal_level : int
    atlas : TextureAtlas2D
    slice_key : Hashable
    failed : collection of ChunkKey
        Ideal tiles that cannot be read.
    """
    tiles = drawn.tiles
    keys = zip(repeat(slice_key), drawn.chunks)
    numbers = np.fromiter(atlas.slots.numbers(keys), np.int64, len(tiles))
    shapes = atlas.tile_shapes[numbers]
    rows, columns = np.divmod(numbers, atlas.slots_a_side)
    origins = np.stack([rows, columns], axis=1) * float(atlas.slot_size)
    texcoords = drawn.texels + np.tile(origins + atlas.apron, 2)
    clamps = np.concatenate([origins + 0.5, origins + shapes - 0.5], axis=1)
    images, borders = np.empty((len(tiles), 4)), np.empty((len(tiles), 4))
    levels = drawn.relative_levels + ideal_level
    for number in sorted(set(levels.tolist())):
        level, here = octree.levels[number], levels == number
        first = atlas.apron - tiles[here] * np.array(level.tile_shape, float)
        last = np.minimum(first + level.shape, FAR)
        images[here] = np.concatenate([np.maximum(first, -FAR), last], axis=1)
        borders[here] = level.bounds(tiles[here])
    images += np.tile(origins, 2)
    tints = TINTS[np.clip(drawn.relative_levels, -1, 3) + 1]
    rectangles = drawn.rectangles
    if failed:
        tints[_in_failed(rectangles, octree, ideal_level, failed), 3] += FAILED
        blank = drawn.blank[_in_failed(drawn.blank, octree, ideal_level, failed)]
        none = np.zeros((len(blank), 4))
        rectangles = np.concatenate([rectangles, blank])
        texcoords, clamps, images = (
            np.concatenate([values, none]) for values in (texcoords, clamps, images)
        )
        borders = np.concatenate([borders, blank])
        marks = none.astype(np.float32)
        marks[:, 3] = FAILED + NOTHING
        tints = np.concatenate([tints, marks])
    middle = rectangles[len(rectangles) // 2, :2] if len(rectangles) else np.zeros(2)
    return Quads(rectangles, texcoords, clamps, images, tints, borders, np.floor(middle))


def _in_failed(
    rectangles: np.ndarray, octree: Octree, ideal_level: int, failed: Collection[ChunkKey]
) -> np.ndarray:
    """Which rectangles, each within one ideal tile, lie in a failed one."""
    cells = cells_around(octree.levels[ideal_level], rectangles)
    return np.array([key in failed for key in chunk_keys(repeat(ideal_level), cells)], bool)


def cells_around(level: OctreeLevel, rectangles: np.ndarray) -> np.ndarray:
    """(N, 2) tiles of a level that hold (N, 4) rectangles, each of which lies in one."""
    middle = (rectangles[:, :2] + rectangles[:, 2:]) / 2
    cells = np.floor((middle - level.transform.translation) / level.pitch).astype(np.int64)
    return np.clip(cells, 0, np.array(level.grid_shape) - 1)
