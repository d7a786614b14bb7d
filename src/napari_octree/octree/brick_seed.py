"""A head start for deep trees: the bricks around the eye, of all levels at once.

Invariants: a seed changes how long the choice of bricks takes, never the choice. It rests on a
guess of how important a brick must be to be refined within the budget; if the guess turns out too
low, the caller begins again without a seed.

Close to the eye (or to the focus, where there is no eye) a tree is refined to its last level.
Level after level that takes a step each: 34 for 2^40 voxels a side, most of them for a handful of
bricks. But which bricks lie around a point is arithmetic, for all levels at once.
"""

from __future__ import annotations

import math

import numpy as np

from napari_octree.octree.brick_tree import BrickTree, Refinement

SHARE = 0.4
"""Part of the budget that the seed may fill; the rest is for what lies further off."""

FEWEST_LEVELS = 6
"""Trees less deep than this grow as quickly without a seed."""

CORNERS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.int64)


def plant(tree: BrickTree, refinement: Refinement) -> float:
    """Add what is sure to be chosen around the eye to a tree that holds its roots.

    Returns
    -------
    float
        The guess: bricks at least as important as this are refined. Infinite (and the tree
        unchanged) if a seed does not pay.
    """
    tables = refinement.tables
    depth = len(tables.factor) - refinement.finest
    if depth < FEWEST_LEVELS:
        return math.inf
    anchor = np.clip(refinement.projection.anchor, 0.0, tables.extent)
    # The eight tiles of a level nearest to a point are those that touch the box of one tile's size
    # around it. The parent of each is one of the eight of the next level.
    place = (anchor - tables.origins[:, :3]) / tables.pitches[:, :3]
    base = np.floor(place - 0.5).astype(np.int64)
    levels = np.repeat(np.arange(refinement.finest, len(base)), len(CORNERS))
    tiles = base[levels] + np.tile(CORNERS, (depth, 1))
    inside = ((tiles >= 0) & (tiles < tables.grid_shape[levels])).all(axis=1)
    _, near = refinement.seen(levels[inside], tiles[inside])
    near = near.take(refinement.coarse(near))
    if len(np.unique(near.keys[:, 0])) < FEWEST_LEVELS:
        return math.inf
    near = near.take(np.argsort(-near.scores[:, 1], kind="stable"))
    counts, children = refinement.children(near.keys, near.boxes)
    ends = counts.cumsum()
    n = int(ends.searchsorted(SHARE * tree.room, "right"))
    if n == 0:
        return math.inf
    near, counts, children = near.take(slice(n)), counts[:n], children.take(slice(ends[n - 1]))

    # Each refined brick is a root or the child of another one: find it among those.
    keys = np.concatenate([tree.bricks.keys[: tree.count], children.keys])
    row_of = np.full((len(base), len(CORNERS)), -1)
    corner = keys[:, 1:] - base[keys[:, 0]]
    found = np.flatnonzero(((corner == 0) | (corner == 1)).all(axis=1))
    row_of[keys[found, 0], corner[found] @ (4, 2, 1)] = found
    rows = row_of[near.keys[:, 0], (near.keys[:, 1:] - base[near.keys[:, 0]]) @ (4, 2, 1)]
    if (rows < 0).any():
        # Levels that do not nest: a parent may be less important than its child.
        return math.inf
    tree.add(children, refinement.coarse(children))
    tree.refine(rows, counts)
    return float(near.scores[-1, 1])
