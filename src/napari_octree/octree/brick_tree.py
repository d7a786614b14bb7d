"""The tree of bricks of a 3-D view while it grows, and the geometry that decides how.

Invariants: `Refinement` is pure; `BrickTree` is the working memory of one call of
`select_bricks` and never leaves it. A brick's importance is the projected size of its voxels
weighted to the focus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.level_tables import LevelTables
from napari_octree.octree.projection import Projection

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SeenBricks:
    """Some bricks in view.

    Attributes
    ----------
    keys : (N, 4) int64
        Level, z, y, x.
    boxes : (N, 6) float64
        Starts and stops in octree coordinates.
    scores : (N, 3) float64
        Framebuffer pixels per voxel; the same weighted to the focus (the importance); distance
        from the focus in framebuffer pixels.
    """

    keys: IntArray
    boxes: FloatArray
    scores: FloatArray

    def take(self, rows: IntArray | BoolArray | slice) -> SeenBricks:
        """Return some of them."""
        return SeenBricks(self.keys[rows], self.boxes[rows], self.scores[rows])


@dataclass(frozen=True, eq=False)
class Refinement:
    """How bricks divide, and which should.

    Attributes
    ----------
    tables : LevelTables
    projection : Projection
    finest : int
        Bricks of this level are not refined.
    enough : float
        Nor are bricks whose voxels span at most this many framebuffer pixels.
    """

    tables: LevelTables
    projection: Projection
    finest: int
    enough: float

    def coarse(self, bricks: SeenBricks) -> BoolArray:
        """Tell which bricks should be refined."""
        return (bricks.scores[:, 0] > self.enough) & (bricks.keys[:, 0] > self.finest)

    def seen(self, levels: IntArray, tiles: IntArray) -> tuple[BoolArray, SeenBricks]:
        """Tell which bricks are in view, and return those."""
        projection = self.projection
        boxes = self.tables.bounds(levels, tiles)
        seen, depth = projection.see(boxes)
        if self.tables.some_empty:
            seen &= (boxes[:, :3] < boxes[:, 3:]).all(axis=1)
        keys = np.empty((len(tiles), 4), np.int64)
        keys[:, 0] = levels
        keys[:, 1:] = tiles
        keys, boxes = keys[seen], boxes[seen]
        scores = np.empty((len(keys), 3))
        scores[:, 0] = (self.tables.factor[keys[:, 0]] * projection.pixels).max(axis=1)
        scores[:, 0] /= depth[seen]
        scores[:, 2] = projection.focus_distance(boxes)
        scores[:, 1] = scores[:, 0] / (1 + scores[:, 2] / projection.reach)
        return seen, SeenBricks(keys, boxes, scores)

    def children(self, keys: IntArray, boxes: FloatArray) -> tuple[IntArray, SeenBricks]:
        """Return the children in view of some bricks.

        Returns
        -------
        counts : (N,) int64
            How many each brick has.
        children : SeenBricks
            Side by side, in the order of their parents.
        """
        owner, tiles = self.tables.children(keys[:, 0], keys[:, 1:], boxes)
        seen, children = self.seen(keys[owner, 0] - 1, tiles)
        return np.bincount(owner[seen], minlength=len(keys)), children


class BrickTree:
    """The bricks chosen so far, in arrays that grow up to a known number of rows.

    Attributes
    ----------
    bricks : SeenBricks
        Rows beyond `count` mean nothing.
    waiting : (capacity,) float64
        The importance of bricks that should be refined, minus infinity for all others.
    refined : (capacity,) bool
    count : int
        Rows in use.
    """

    def __init__(self, capacity: int) -> None:
        self.bricks = SeenBricks(
            np.empty((capacity, 4), np.int64), np.empty((capacity, 6)), np.empty((capacity, 3))
        )
        self.waiting = np.empty(capacity)
        self.refined = np.zeros(capacity, np.bool_)
        self.count = 0

    @property
    def room(self) -> int:
        """How many more bricks fit."""
        return len(self.waiting) - self.count

    def add(self, bricks: SeenBricks, coarse: BoolArray) -> None:
        """Append bricks; those that are `coarse` wait to be refined."""
        rows = slice(self.count, self.count + len(bricks.keys))
        self.bricks.keys[rows] = bricks.keys
        self.bricks.boxes[rows] = bricks.boxes
        self.bricks.scores[rows] = bricks.scores
        self.waiting[rows] = np.where(coarse, bricks.scores[:, 1], -math.inf)
        self.count = rows.stop

    def refine(self, rows: IntArray, counts: IntArray) -> None:
        """Mark bricks as refined, given how many children were added for each."""
        self.waiting[rows] = -math.inf
        # Where levels do not nest, a brick may have no child in view: it stays a leaf.
        self.refined[rows[counts > 0]] = True

    def most_important(self, sure: float) -> tuple[IntArray, float]:
        """Return the bricks to refine next, best first, and the importance of the best.

        These are all that are at least `sure`, or else all within a factor two of the best.
        """
        waiting = self.waiting[: self.count]
        best = float(waiting.max(initial=-math.inf))
        if best == -math.inf:
            return np.empty(0, np.int64), best
        rows = np.flatnonzero(waiting >= (sure if best >= sure else best / 2))
        # Stable, and bricks are always added in the same order: so is the result.
        return rows[np.argsort(-waiting[rows], kind="stable")], best

    def rows(self, refined: bool) -> IntArray:
        """Return the bricks that are refined, or those that are not, most important first."""
        rows = np.flatnonzero(self.refined[: self.count] == refined)
        return rows[np.argsort(-self.bricks.scores[rows, 1], kind="stable")]
