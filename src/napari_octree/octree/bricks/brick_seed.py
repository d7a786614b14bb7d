"""A head start for deep trees: the bricks around the eye, of all levels at once.

Invariants: a seed changes how long the choice of bricks takes, never the choice. It rests on a
guess of how important a brick must be to be refined within the budget; what was refined too much
is cut off by the caller.

Close to the eye (or to the focus, where there is no eye) a tree is refined to its last level.
Level after level that takes a step each: 34 for 2^40 voxels a side, most of them for a handful of
bricks. But which bricks lie around a point is arithmetic, for all levels at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.bricks.brick_tree import BoolArray, BrickTree, Refinement, SeenBricks
from napari_octree.octree.level import FloatArray, IntArray

SHARE = 0.8
"""The part of the budget that the bricks more important than the guess are guessed to fill."""

CHILDREN = 6
"""Children in view that a brick further off is guessed to have."""

FEWEST_LEVELS = 6
"""Trees less deep than this grow as quickly without a seed."""

CORNERS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.int64)


@dataclass(frozen=True, eq=False)
class Seed:
    """Bricks around a point that should be refined, most important first, and their children.

    Attributes
    ----------
    bricks : SeenBricks
    counts : (N,) int64
        How many children each has in view.
    children : SeenBricks
        Side by side, in the order of their parents.
    coarse : (M,) bool
        Which children should be refined.
    base : (levels, 3) int64
        First of the eight tiles of each level around the point.
    """

    bricks: SeenBricks
    counts: IntArray
    children: SeenBricks
    coarse: BoolArray
    base: IntArray

    @classmethod
    def find(cls, refinement: Refinement) -> Seed:
        """Find the bricks around the eye or, in orthographic views, the focus."""
        tables, finest = refinement.tables, refinement.finest
        eye, focus = refinement.projection.eye, refinement.projection.focus
        anchor = np.clip(focus if eye is None else eye, 0.0, tables.extent)
        # The tiles of a level nearest to a point are those that touch the box of one tile's size
        # around it, at most eight. The parent of each is one of the eight of the next level.
        place = (anchor - tables.origins[:, :3]) / tables.pitches[:, :3]
        base = np.floor(place - 0.5).astype(np.int64)
        levels = np.repeat(np.arange(finest, len(base)), len(CORNERS))
        tiles = base[levels] + np.tile(CORNERS, (len(base) - finest, 1))
        inside = ((tiles >= 0) & (tiles < tables.grid_shape[levels])).all(axis=1)
        _, near = refinement.seen(levels[inside], tiles[inside])
        near = near.take(refinement.coarse(near))
        if len(np.unique(near.keys[:, 0])) < FEWEST_LEVELS:
            near = near.take(slice(0))
        near = near.take(np.argsort(-near.importance, kind="stable"))
        counts, children = refinement.children(near)
        return cls(near, counts, children, refinement.coarse(children), base)

    def sizes(self) -> FloatArray:
        """Guess how many bricks are sure if the first 1, …, N are: (N,), rising.

        These are their children, and those of all others that are no less important.
        """
        importance = np.sort(self.children.importance[self.coarse])
        wanted = len(importance) - importance.searchsorted(self.bricks.importance)
        others = np.maximum(wanted - np.arange(1, len(wanted) + 1), 0)
        sizes: FloatArray = np.maximum.accumulate(self.counts.cumsum() + CHILDREN * others)
        return sizes

    def plant(self, tree: BrickTree, max_nodes: int) -> float:
        """Refine the bricks around the point in a tree that holds its roots.

        Parameters
        ----------
        tree : BrickTree
        max_nodes : int
            The budget.

        Returns
        -------
        float
            The guess: bricks at least as important as this will be refined. Infinite (and the
            tree unchanged) if there is nothing to plant.
        """
        n = int(self.sizes().searchsorted(SHARE * max_nodes, "right"))
        if n == 0:
            return math.inf
        planted = slice(self.counts[:n].sum())
        bricks, children = self.bricks.take(slice(n)), self.children.take(planted)
        # Each refined brick is a root or the child of another one: find it among those.
        found = tree.bricks + children
        row_of = np.full((len(self.base), len(CORNERS)), -1)
        corner = found.keys[:, 1:] - self.base[found.keys[:, 0]]
        near = np.flatnonzero(((corner == 0) | (corner == 1)).all(axis=1))
        row_of[found.keys[near, 0], corner[near] @ (4, 2, 1)] = near
        levels = bricks.keys[:, 0]
        rows = row_of[levels, (bricks.keys[:, 1:] - self.base[levels]) @ (4, 2, 1)]
        if (rows < 0).any() or (found.importance[rows] < bricks.importance).any():
            # Where levels do not nest, a parent may be less important than its child.
            return math.inf
        tree.refine(rows, self.counts[:n], children, self.coarse[planted])
        return float(bricks.importance[-1])
