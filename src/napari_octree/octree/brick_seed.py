"""A head start for deep trees: the bricks around the eye, of all levels at once.

Invariants: a seed changes how long the choice of bricks takes, never the choice. It rests on a
guess of how important a brick must be to be refined within the budget; if the guess turns out too
low, the caller begins again with a smaller share of the budget, at last with none.

Close to the eye (or to the focus, where there is no eye) a tree is refined to its last level.
Level after level that takes a step each: 34 for 2^40 voxels a side, most of them for a handful of
bricks. But which bricks lie around a point is arithmetic, for all levels at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.brick_tree import BoolArray, BrickTree, Refinement, SeenBricks
from napari_octree.octree.level import FloatArray, IntArray

SHARES = (0.8, 0.4, 0.0)
SHARES_WITHOUT_EYE = (0.6, 0.3, 0.0)
"""Parts of the budget that what is sure may be guessed to fill, tried in turn.

Without an eye importance falls more slowly around the focus, so guesses are more often too low.
"""

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
    shares : tuple of float
        Parts of the budget to try it with; the last is nothing.
    """

    bricks: SeenBricks
    counts: IntArray
    children: SeenBricks
    coarse: BoolArray
    base: IntArray
    shares: tuple[float, ...]

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
        near = near.take(np.argsort(-near.scores[:, 1], kind="stable"))
        counts, children = refinement.children(near.keys, near.boxes)
        shares = SHARES_WITHOUT_EYE if eye is None else SHARES
        return cls(near, counts, children, refinement.coarse(children), base, shares)

    def sizes(self) -> FloatArray:
        """Guess how many bricks are sure if the first 1, …, N are: (N,), rising.

        These are their children, and those of all others that are no less important.
        """
        importance = np.sort(self.children.scores[self.coarse, 1])
        wanted = len(importance) - importance.searchsorted(self.bricks.scores[:, 1])
        others = np.maximum(wanted - np.arange(1, len(wanted) + 1), 0)
        sizes: FloatArray = np.maximum.accumulate(self.counts.cumsum() + CHILDREN * others)
        return sizes

    def plant(self, tree: BrickTree, share: float) -> float:
        """Add what is sure to be chosen to a tree that holds its roots.

        Parameters
        ----------
        tree : BrickTree
        share : float
            The part of the tree's room that what is sure may be guessed to fill.

        Returns
        -------
        float
            The guess: bricks at least as important as this are refined. Infinite (and the tree
            unchanged) if there is nothing to plant.
        """
        n = int(self.sizes().searchsorted(share * tree.room, "right"))
        if share <= 0 or n == 0:
            return math.inf
        planted = slice(self.counts[:n].sum())
        bricks, children = self.bricks.take(slice(n)), self.children.take(planted)
        # Each refined brick is a root or the child of another one: find it among those.
        keys = np.concatenate([tree.bricks.keys[: tree.count], children.keys])
        row_of = np.full((len(self.base), len(CORNERS)), -1)
        corner = keys[:, 1:] - self.base[keys[:, 0]]
        found = np.flatnonzero(((corner == 0) | (corner == 1)).all(axis=1))
        row_of[keys[found, 0], corner[found] @ (4, 2, 1)] = found
        levels = bricks.keys[:, 0]
        rows = row_of[levels, (bricks.keys[:, 1:] - self.base[levels]) @ (4, 2, 1)]
        if (rows < 0).any():
            # Where levels do not nest, a parent may be less important than its child.
            return math.inf
        tree.add(children, self.coarse[planted])
        tree.refine(rows, self.counts[:n])
        return float(bricks.scores[-1, 1])
