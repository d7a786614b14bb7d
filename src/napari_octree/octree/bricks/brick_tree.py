"""The tree of bricks of a 3-D view while it grows, and the geometry that decides how.

Invariants: `Refinement` is pure; `BrickTree` is the working memory of one call of
`select_bricks` and never leaves it. A brick's importance is the projected size of its voxels
weighted to the focus, and never more than its parent's: so the bricks above any importance are a
tree, in whatever order they were found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_octree.octree.bricks.brick_set import NO_BRICKS, BrickSet
from napari_octree.octree.bricks.projection import Projection
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.level_tables import LevelTables

BoolArray = npt.NDArray[np.bool_]

TRUSTED_OCTAVES = 3.0
"""How far an empty brick vouches for those below it.

The mean of 8 voxels hides what stands out by less than 4, that of 8³ less than about 220. What is
left out comes back when the user zooms in.
"""


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

    def __add__(self, other: SeenBricks) -> SeenBricks:
        return SeenBricks(
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.scores, other.scores]),
        )

    @property
    def importance(self) -> FloatArray:
        """What is refined first."""
        return self.scores[:, 1]


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
    empty : BrickSet
        Nor are these, unless that would leave out more than `TRUSTED_OCTAVES`.
    """

    tables: LevelTables
    projection: Projection
    finest: int
    enough: float
    empty: BrickSet = NO_BRICKS

    @cached_property
    def pixels(self) -> FloatArray:
        """Framebuffer pixels that a voxel of each level spans where w = 1."""
        spans: FloatArray = (self.tables.factor * self.projection.pixels).max(axis=1)
        return spans

    def coarse(self, bricks: SeenBricks) -> BoolArray:
        """Tell which bricks should be refined."""
        coarse = (bricks.scores[:, 0] > self.enough) & (bricks.keys[:, 0] > self.finest)
        trusted = bricks.scores[:, 0] <= self.enough * 2**TRUSTED_OCTAVES
        return coarse & ~(trusted & self.empty.contains(bricks.keys))

    def seen(self, levels: IntArray, tiles: IntArray) -> tuple[BoolArray, SeenBricks]:
        """Tell which bricks are in view, and return those."""
        projection = self.projection
        boxes = self.tables.bounds(levels, tiles)
        seen, depth = projection.see(boxes)
        if self.tables.some_empty:
            seen &= (boxes[:, :3] < boxes[:, 3:]).all(axis=1)
        rows = np.flatnonzero(seen)
        levels, boxes = levels[rows], boxes.take(rows, axis=0)
        keys = np.empty((len(rows), 4), np.int64)
        keys[:, 0] = levels
        keys[:, 1:] = tiles.take(rows, axis=0)
        scores = np.empty((len(rows), 3))
        scores[:, 0] = self.pixels[levels] / depth[rows]
        scores[:, 2] = projection.focus_distance(boxes)
        scores[:, 1] = scores[:, 0] / (1 + scores[:, 2] / projection.reach)
        return seen, SeenBricks(keys, boxes, scores)

    def children(self, bricks: SeenBricks) -> tuple[IntArray, SeenBricks]:
        """Return the children in view of some bricks.

        Returns
        -------
        counts : (N,) int64
            How many each brick has.
        children : SeenBricks
            Side by side, in the order of their parents.
        """
        levels = bricks.keys[:, 0]
        owner, tiles = self.tables.children(levels, bricks.keys[:, 1:], bricks.boxes)
        seen, children = self.seen(levels[owner] - 1, tiles)
        owner = owner[seen]
        # Where levels do not nest, a child may come nearer to the eye than its parent.
        np.minimum(children.importance, bricks.importance[owner], out=children.importance)
        return np.bincount(owner, minlength=len(levels)), children


class BrickTree:
    """The bricks found so far.

    Parameters
    ----------
    roots : SeenBricks
    coarse : (N,) bool
        Which of them should be refined.

    Attributes
    ----------
    bricks : SeenBricks
        Parents come before their children.
    parents : (N,) int64
        The row of each brick's parent; -1 for roots.
    waiting : (N,) float64
        The importance of bricks that should be refined, minus infinity for all others.
    counts : (N,) int64
        How many children in view were found; 0 for bricks that have not been refined.
    """

    def __init__(self, roots: SeenBricks, coarse: BoolArray) -> None:
        n = len(roots.keys)
        self.bricks = roots
        self.parents = np.full(n, -1)
        self.waiting = np.where(coarse, roots.importance, -math.inf)
        self.counts = np.zeros(n, np.int64)

    def refine(
        self, rows: IntArray, counts: IntArray, children: SeenBricks, coarse: BoolArray
    ) -> None:
        """Add the children of some bricks; those that are `coarse` wait to be refined."""
        added = np.where(coarse, children.importance, -math.inf)
        self.bricks += children
        self.parents = np.concatenate([self.parents, np.repeat(rows, counts)])
        self.waiting = np.concatenate([self.waiting, added])
        self.counts = np.concatenate([self.counts, np.zeros(len(added), np.int64)])
        self.waiting[rows] = -math.inf
        self.counts[rows] = counts

    def affordable(self, most: int) -> tuple[IntArray, float]:
        """Return the refined bricks, best first, whose children fit in `most` bricks with theirs.

        And the importance of the first that does not fit (minus infinity if all do).
        """
        # Where levels do not nest, a brick may have no child in view: it stays a leaf.
        rows = np.flatnonzero(self.counts)
        importance = self.bricks.importance[rows]
        # Stable, and bricks are always added in the same order: so is the result.
        order = np.argsort(-importance, kind="stable")
        roots = np.count_nonzero(self.parents < 0)
        n = int(self.counts[rows[order]].cumsum().searchsorted(most - roots, "right"))
        return rows[order[:n]], float(importance[order[n]]) if n < len(rows) else -math.inf

    def most_important(self, sure: float, limit: float) -> IntArray:
        """Return the bricks to refine next, best first.

        These are all that are at least `sure`, or else all within a factor two of the best; but
        only if they are more important than `limit`.
        """
        best = self.waiting.max(initial=-math.inf)
        least = sure if best >= sure else best / 2
        rows = np.flatnonzero((self.waiting >= least) & (self.waiting > limit))
        return rows[np.argsort(-self.waiting[rows], kind="stable")]

    def leaves(self, refined: IntArray) -> IntArray:
        """Return the other bricks of the tree that has been refined only at these rows.

        Most important first.
        """
        inner = np.zeros(len(self.parents) + 1, np.bool_)
        inner[refined] = inner[-1] = True  # the last stands for the parent of roots
        rows = np.flatnonzero(inner[self.parents] & ~inner[:-1])
        return rows[np.argsort(-self.bricks.importance[rows], kind="stable")]
