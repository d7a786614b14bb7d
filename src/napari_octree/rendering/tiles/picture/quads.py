"""From a cover to vertex data: where each quad lies, and which texels of an atlas it shows.

Invariants: pure but for what atlases note of their tiles; axis order (y, x); places are float64
until the visual makes them relative to `origin`. A quad is marked where the ideal tile of its
place has failed, and such a place has a quad even if nothing at all can be shown there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.cover.cover import Cover
from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel
from napari_octree.octree.octree import Octree
from napari_octree.rendering.level_colours import level_colours

if TYPE_CHECKING:
    from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D

FAILED, NOTHING = 2.0, 4.0
"""Added to the alpha of a level's colour: the tile has failed; nothing can be shown instead."""

ALONE = 2.0
"""The weight of a tile that has nothing under it; above 1, so that rounding cannot reach it."""


@dataclass(frozen=True)
class Under:
    """What is seen through quads whose tiles are fading in.

    Attributes
    ----------
    texcoords : (N, 4) float64
    edges : (N, 2, 4) float32
        As of `Quads`, of what is under each.
    weights : (N,) or (1,) float64
        How much is seen of the tile itself: 0 to 1, or `ALONE`.
    """

    texcoords: FloatArray
    edges: np.ndarray
    weights: FloatArray = field(default_factory=lambda: np.array([ALONE]))


@dataclass(frozen=True, eq=False)
class Marks:
    """What can be seen of the octree itself, computed when it is asked for: mostly it is not.

    Attributes
    ----------
    drawn : Cover
    octree : Octree
    ideal_level : int
    failed : collection of ChunkKey
        Ideal tiles that cannot be read.
    blank : (M, 4) float64
        Rectangles within them for which there is nothing to show: quads after those of the cover.
    """

    drawn: Cover
    octree: Octree
    ideal_level: int
    failed: Collection[ChunkKey] = ()
    blank: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))

    @cached_property
    def tints(self) -> np.ndarray:
        """(N, 4) float32: the colour of the level that is shown; alpha 1.

        Plus `FAILED` and `NOTHING`.
        """
        levels = self.drawn.relative_levels + self.ideal_level
        tints = np.ones((len(levels), 4), np.float32)
        tints[:, :3] = level_colours(levels)
        if self.failed:
            rectangles = self.drawn.rectangles
            tints[_in_failed(rectangles, self.octree, self.ideal_level, self.failed), 3] += FAILED
        nothing = np.zeros((len(self.blank), 4), np.float32)
        nothing[:, 3] = FAILED + NOTHING
        return np.concatenate([tints, nothing])

    @cached_property
    def borders(self) -> FloatArray:
        """(N, 4) float64: the shown tile's own edges y0, x0, y1, x1 in level-0 pixel areas."""
        drawn = self.drawn
        borders, levels = np.empty((len(drawn.tiles), 4)), drawn.relative_levels + self.ideal_level
        for number in sorted(set(levels.tolist())):
            here = levels == number
            borders[here] = self.octree.levels[number].bounds(drawn.tiles[here])
        return np.concatenate([borders, self.blank])

    @cached_property
    def any_failed(self) -> bool:
        """Whether something is to be seen of them whatever is asked for."""
        return bool(self.failed) and bool((self.tints[:, 3] >= FAILED).any())


@dataclass(frozen=True, eq=False)
class Quads:
    """Vertex data of a cover.

    Attributes
    ----------
    rectangles : (N, 4) float64
        y0, x0, y1, x1 in level-0 pixel areas.
    texcoords : (N, 4) float64
        y0, x0, y1, x1 in texels of the atlas.
    edges : (N, 2, 4) float32
        Of the tile that each shows, and of the image; see `TileBorders.edges`.
    origin : (2,) float64
        y, x of a point near the view, whole pixels.
    marks : Marks or None
        None where there are no quads.
    under : Under or None
        None: nothing is fading in.
    pages : (N,) int64, or None
        Of the atlas, for each quad; None where it has one.
    """

    rectangles: FloatArray
    texcoords: FloatArray
    edges: np.ndarray
    origin: FloatArray
    marks: Marks | None = None
    under: Under | None = None
    pages: IntArray | None = None

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
        weights = np.concatenate([weights, rest])
        if self.pages is not None:  # one page at a time is drawn from
            weights[self.pages != below.pages] = ALONE
        under = Under(below.texcoords, below.edges, weights)
        return replace(self, under=under)


def no_quads() -> Quads:
    """Nothing to draw."""
    none = np.zeros((0, 4))
    return Quads(none, none, np.zeros((0, 2, 4), np.float32), np.zeros(2))


def quads_of(
    drawn: Cover,
    numbers: IntArray,
    octree: Octree,
    ideal_level: int,
    atlas: TextureAtlas2D,
    failed: Collection[ChunkKey] = (),
) -> Quads:
    """Vertex data of a cover whose chunks are all in `atlas`.

    Parameters
    ----------
    drawn : Cover
    numbers : (N,) int64
        The slot of each quad's chunk.
    octree : Octree
    ideal_level : int
    atlas : TextureAtlas2D
    failed : collection of ChunkKey
        Ideal tiles that cannot be read.
    """
    rectangles = drawn.rectangles
    texcoords = drawn.texels + atlas.borders.corners[numbers]
    edges = atlas.borders.edges(numbers, drawn, octree, ideal_level)
    marks = Marks(drawn, octree, ideal_level)
    pages = atlas.page_of(numbers)
    if failed:
        blank = drawn.blank[_in_failed(drawn.blank, octree, ideal_level, failed)]
        marks = Marks(drawn, octree, ideal_level, failed, blank)
        rectangles = np.concatenate([rectangles, blank])
        texcoords = np.concatenate([texcoords, np.zeros_like(blank)])
        edges = np.concatenate([edges, np.zeros((len(blank), 2, 4), np.float32)])
        if pages is not None:
            pages = np.concatenate([pages, np.zeros(len(blank), np.int64)])
    middle = rectangles[len(rectangles) // 2, :2] if len(rectangles) else np.zeros(2)
    return Quads(rectangles, texcoords, edges, np.floor(middle), marks, pages=pages)


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
