"""Which bricks a 3-D view is made of, under a budget.

Invariants
----------
* Pure; the cost follows the number of bricks chosen, never the size of the data.
* The bricks form a tree: the parent of every chosen brick is chosen, up to the coarsest level,
  all of whose bricks in view are chosen. So every place in view has a stand-in.
* At most `max_nodes` bricks (leaves and ancestors together) are chosen, unless the coarsest
  level alone has more in view.
* No brick is refined whose voxel already projects to at most a pixel; if the budget does not
  suffice for all others, those with the larger voxels nearer to the focus are refined first.

Refinement is best-first, done in batches: a child's voxel projects to about half its parent's or
less, so all bricks within a factor two of the best can be split together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from napari_octree.octree.brick_seed import Seed
from napari_octree.octree.brick_tree import BrickTree, Refinement
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish, chunk_keys, make_wishes
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.prefetch import likely_slices
from napari_octree.octree.projection import Projection
from napari_octree.octree.view import VolumeView

FEWEST = 64
"""Bricks that are worth refining together: fewer take hardly less time."""


@dataclass(frozen=True)
class BrickSelection:
    """The bricks of a 3-D view. Equal if the bricks are the same.

    Attributes
    ----------
    leaves : tuple of ChunkKey
        The bricks that are to be seen, most important first.
    ancestors : tuple of ChunkKey
        The bricks above them, which stand in while leaves load; most important first.
    complete : bool
        The budget sufficed: no leaf (above level 0) has voxels larger than a pixel.
    wishes : tuple of Wish
        Coarsest level, ancestors, leaves, then neighbouring slices if slices move; within
        each by projected voxel size, weighted to the focus.
    """

    leaves: tuple[ChunkKey, ...]
    ancestors: tuple[ChunkKey, ...]
    complete: bool
    wishes: tuple[Wish, ...] = field(compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.leaves) + len(self.ancestors)


def select_bricks(
    octree: Octree,
    view: VolumeView,
    max_nodes: int,
    policy: Policy = EXPLORE,
    level_bias: float = 0.0,
    locked_level: int | None = None,
) -> BrickSelection:
    """Choose the bricks of a view.

    Parameters
    ----------
    octree : Octree
        Of three displayed axes. Its coarsest level should be a brick or few: then the
        budget can always be kept.
    view : VolumeView
    max_nodes : int
        Most bricks, ancestors included: what the atlas holds.
    policy : Policy
        Decides on neighbouring slices.
    level_bias : float
        Octaves; 1 allows voxels twice as large as a pixel.
    locked_level : int, optional
        Refine down to this level and no further, whatever the pixels.
    """
    root = octree.coarsest
    if locked_level is None:
        finest, enough = 0, 2.0**level_bias
    else:
        finest, enough = min(max(locked_level, 0), root.index), 0.0
    refinement = Refinement(octree.tables, Projection.of(view), finest, enough)
    whole = np.argwhere(np.ones(root.grid_shape, np.bool_))
    _, roots = refinement.seen(np.full(len(whole), root.index), whole)
    coarse = refinement.coarse(roots)
    seed = Seed.find(refinement)
    for share in seed.shares:
        tree = BrickTree(max(max_nodes, len(roots.keys)))
        tree.add(roots, coarse)
        complete = _grow(tree, refinement, seed.plant(tree, share))
        if complete is not None:
            break
    return _selection(octree, view, policy, tree, bool(complete), enough)


def _grow(tree: BrickTree, refinement: Refinement, sure: float) -> bool | None:
    """Refine a tree until nothing is too coarse or the budget is spent.

    Returns
    -------
    bool or None
        Whether nothing is too coarse any more; None if the guess `sure` was too low.
    """
    while True:
        rows, best = tree.most_important(sure)
        if not len(rows):
            return True
        while len(rows):
            # Few have a single child in view: more would hardly fit.
            some = rows[: max(tree.room // 2, FEWEST)]
            rows = rows[len(some) :]
            counts, children = refinement.children(tree.bricks.keys[some], tree.bricks.boxes[some])
            fits = len(children.keys) <= tree.room
            if not fits:
                if best >= sure:
                    return None
                n = int(counts.cumsum().searchsorted(tree.room, "right"))
                some, counts = some[:n], counts[:n]
                children = children.take(slice(counts.sum()))
            tree.add(children, refinement.coarse(children))
            tree.refine(some, counts)
            if not fits:
                return False


def _selection(
    octree: Octree,
    view: VolumeView,
    policy: Policy,
    tree: BrickTree,
    complete: bool,
    enough: float,
) -> BrickSelection:
    ancestors, leaves = tree.rows(refined=True), tree.rows(refined=False)
    rows, n = np.concatenate([ancestors, leaves]), len(ancestors)
    levels, scores = tree.bricks.keys[rows, 0], tree.bricks.scores[rows]
    keys = chunk_keys(levels.tolist(), tree.bricks.keys[rows, 1:])
    above = np.zeros(len(rows), np.int64)
    octaves = np.ceil(np.log2(scores[:n, 0] / enough)) if enough else levels[:n]
    above[:n] = np.clip(octaves, 1, levels[:n])
    tiers = np.full(len(rows), int(Tier.IDEAL))
    tiers[:n] = Tier.COVERAGE
    tiers[levels == octree.coarsest.index] = Tier.OVERVIEW
    order = np.argsort(tiers, kind="stable")
    wishes = make_wishes(
        map(keys.__getitem__, order.tolist()),
        map(list(Tier).__getitem__, tiers[order].tolist()),
        above[order].tolist(),
        scores[order, 2].tolist(),
    )
    most = math.ceil(policy.prefetch * len(leaves))
    ahead = [
        wish._replace(tier=Tier.PREFETCH, slice_offset=offset)
        for wish, offset in islice(
            ((w, z) for z, _ in likely_slices(policy, view.motion) for w in wishes), most
        )
    ]
    return BrickSelection(tuple(keys[n:]), tuple(keys[:n]), complete, (*wishes, *ahead))
