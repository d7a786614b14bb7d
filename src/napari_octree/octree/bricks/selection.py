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
* Nor is one that is known to be empty, down to three levels above what would do: what its finer
  bricks hold nobody has looked.

Refinement is best-first, done in batches that may go too far: what one brick at a time would not
have reached is cut off again. Nothing is more important than its parent, so what is kept depends
on the budget alone, not on the batches.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from napari_octree.octree.bricks.brick_seed import Seed
from napari_octree.octree.bricks.brick_set import BrickSet
from napari_octree.octree.bricks.brick_tree import BrickTree, Refinement
from napari_octree.octree.bricks.projection import Projection
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish, chunk_keys, make_wishes
from napari_octree.octree.level import IntArray
from napari_octree.octree.motion import Motion
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.prefetch import likely_slices, slices_ahead
from napari_octree.octree.view import VolumeView

logger = logging.getLogger("napari_octree.octree")

FEWEST = 16
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
        Coarsest level, ancestors, leaves; within each by projected voxel size, weighted to the
        focus. Nothing is loaded ahead of the camera: zooming out finds the ancestors, turning
        finds coarser bricks all around, and a finer level would be what the budget has just
        refused. For a slider see `in_other_slices`.
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
    level_bias: float = 0.0,
    locked_level: int | None = None,
    empty: Iterable[ChunkKey] = (),
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
    level_bias : float
        Octaves; 1 allows voxels twice as large as a pixel.
    locked_level : int, optional
        Refine down to this level and no further, whatever the pixels.
    empty : iterable of ChunkKey
        Bricks known to have nothing in them that would be seen: they are chosen like any other,
        but not refined (where their voxels span at most eight pixels), so that the budget goes to
        what is seen. A locked level is kept all the same.
    """
    root = octree.coarsest
    if locked_level is None:
        finest, enough = 0, 2.0**level_bias
    else:
        finest, enough = min(max(locked_level, 0), root.index), 0.0
    refinement = Refinement(octree.tables, Projection.of(view), finest, enough, BrickSet.of(empty))
    whole = np.argwhere(np.ones(root.grid_shape, np.bool_))
    _, roots = refinement.seen(np.full(len(whole), root.index), whole)
    tree = BrickTree(roots, refinement.coarse(roots))
    sure = Seed.find(refinement).plant(tree, max_nodes)
    refined, complete = _grow(tree, refinement, max_nodes, sure)
    return _selection(octree, tree, refined, complete, enough)


def in_other_slices(
    selection: BrickSelection, motion: Motion, policy: Policy = EXPLORE
) -> tuple[Wish, ...]:
    """Wish the bricks of a view in the slices that a moving slider is likely to show next.

    Parameters
    ----------
    selection : BrickSelection
    motion : Motion
        Of the slider.
    policy : Policy

    Returns
    -------
    tuple of Wish
        The coarsest bricks of the slices that it passes soon (`Tier.AHEAD`), then all bricks of
        the likely ones, the surest slice first (`Tier.PREFETCH`).
    """
    roots = [wish for wish in selection.wishes if wish.tier is Tier.OVERVIEW]
    soon = slices_ahead(policy, motion)
    ahead = [
        wish._replace(tier=Tier.AHEAD, slice_offset=offset) for offset in soon for wish in roots
    ]
    later = (
        wish._replace(tier=Tier.PREFETCH, slice_offset=offset)
        for offset, _ in likely_slices(policy, motion)
        for wish in selection.wishes[len(roots) if offset in soon else 0 :]
    )
    most = math.ceil(policy.prefetch * len(selection.leaves))
    return (*ahead, *islice(later, most))


def _grow(
    tree: BrickTree, refinement: Refinement, max_nodes: int, sure: float
) -> tuple[IntArray, bool]:
    """Refine a tree until nothing is too coarse or the budget is spent.

    Parameters
    ----------
    tree : BrickTree
    refinement : Refinement
    max_nodes : int
    sure : float
        A guess: bricks at least as important as this will be refined.

    Returns
    -------
    refined : (N,) int64
        The bricks that the budget allows to refine, most important first.
    complete : bool
        Nothing is too coarse any more.
    """
    while True:
        refined, limit = tree.affordable(max_nodes)
        rows = tree.most_important(sure, limit)
        if not len(rows):
            return refined, limit == -math.inf
        room = max_nodes - len(tree.parents)
        # Few have a single child in view: more would hardly fit.
        rows = rows[: max(room // 2, FEWEST)]
        counts, children = refinement.children(tree.bricks.take(rows))
        tree.refine(rows, counts, children, refinement.coarse(children))


def _selection(
    octree: Octree,
    tree: BrickTree,
    ancestors: IntArray,
    complete: bool,
    enough: float,
) -> BrickSelection:
    leaves = tree.leaves(ancestors)
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
    logger.debug("%d bricks and %d that hold them", len(leaves), n)
    return BrickSelection(tuple(keys[n:]), tuple(keys[:n]), complete, tuple(wishes))
