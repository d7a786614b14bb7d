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
import numpy.typing as npt

from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish, chunk_keys, make_wishes
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.prefetch import likely_slices
from napari_octree.octree.projection import Projection
from napari_octree.octree.view import VolumeView


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


@dataclass(frozen=True, eq=False)
class _Seen:
    """Some bricks in view; the columns are those of `_Tree`."""

    keys: IntArray
    boxes: FloatArray
    scores: FloatArray

    def first(self, n: int) -> _Seen:
        """Return the first `n` of them."""
        return _Seen(self.keys[:n], self.boxes[:n], self.scores[:n])


class _Tree:
    """The bricks chosen so far, in arrays that grow up to a known number of rows.

    Attributes
    ----------
    keys : (N, 4) int64
        Level, z, y, x.
    boxes : (N, 6) float64
        Starts and stops in octree coordinates.
    scores : (N, 3) float64
        Pixels per voxel; the same weighted to the focus; distance from the focus.
    waiting : (N,) float64
        The importance of bricks that should be refined, minus infinity for all others.
    refined : (N,) bool
    count : int
        Rows in use.
    """

    def __init__(self, capacity: int) -> None:
        self.keys = np.empty((capacity, 4), np.int64)
        self.boxes = np.empty((capacity, 6))
        self.scores = np.empty((capacity, 3))
        self.waiting = np.empty(capacity)
        self.refined = np.zeros(capacity, np.bool_)
        self.count = 0

    def add(self, bricks: _Seen, finest: int, enough: float) -> None:
        rows = slice(self.count, self.count + len(bricks.keys))
        self.keys[rows], self.boxes[rows] = bricks.keys, bricks.boxes
        self.scores[rows] = bricks.scores
        coarse = (bricks.scores[:, 0] > enough) & (bricks.keys[:, 0] > finest)
        self.waiting[rows] = np.where(coarse, bricks.scores[:, 1], -math.inf)
        self.count = rows.stop

    def most_important(self) -> IntArray:
        """Return the waiting bricks within a factor two of the best, best first."""
        waiting = self.waiting[: self.count]
        best = float(waiting.max(initial=-math.inf))
        if best == -math.inf:
            return np.empty(0, np.int64)
        rows = np.flatnonzero(waiting >= best / 2)
        # Stable, and bricks are always added in the same order: so is the result.
        return rows[np.argsort(-waiting[rows], kind="stable")]

    def refine(self, rows: IntArray, has_children: npt.NDArray[np.bool_]) -> None:
        self.waiting[rows] = -math.inf
        self.refined[rows[has_children]] = True

    def rows(self, refined: bool) -> IntArray:
        """Return the bricks that are refined, or those that are not, most important first."""
        rows = np.flatnonzero(self.refined[: self.count] == refined)
        return rows[np.argsort(-self.scores[rows, 1], kind="stable")]


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
    projection = Projection.of(view)
    root = octree.coarsest
    if locked_level is None:
        finest, enough = 0, 2.0**level_bias
    else:
        finest, enough = min(max(locked_level, 0), root.index), 0.0
    whole = np.argwhere(np.ones(root.grid_shape, np.bool_))
    _, roots = _seen(octree, projection, np.full(len(whole), root.index), whole)
    tree = _Tree(max(max_nodes, len(roots.keys)))
    tree.add(roots, finest, enough)
    while True:
        rows = tree.most_important()
        if not len(rows):
            complete = True
            break
        owner, children = _children(octree, projection, tree.keys[rows], tree.boxes[rows])
        counts = np.bincount(owner, minlength=len(rows))
        ends = counts.cumsum()
        if ends[-1] <= len(tree.keys) - tree.count:
            tree.add(children, finest, enough)
            # Where levels do not nest, a brick may have no child in view: it stays a leaf.
            tree.refine(rows, counts > 0)
            continue
        fitting = int(ends.searchsorted(len(tree.keys) - tree.count, "right"))
        tree.add(children.first(int(ends[fitting - 1]) if fitting else 0), finest, enough)
        tree.refine(rows[:fitting], counts[:fitting] > 0)
        complete = False
        break
    return _selection(octree, view, policy, tree, complete, enough)


def _seen(
    octree: Octree, projection: Projection, levels: IntArray, tiles: IntArray
) -> tuple[npt.NDArray[np.bool_], _Seen]:
    """Return which bricks are in view, and those."""
    boxes = octree.tables.bounds(levels, tiles)
    seen, depth = projection.see(boxes)
    keys = np.empty((len(tiles), 4), np.int64)
    keys[:, 0] = levels
    keys[:, 1:] = tiles
    keys, boxes = keys[seen], boxes[seen]
    scores = np.empty((len(keys), 3))
    scores[:, 0] = (octree.tables.factor[keys[:, 0]] * projection.pixels).max(axis=1)
    scores[:, 0] /= depth[seen]
    scores[:, 2] = projection.focus_distance(boxes)
    scores[:, 1] = scores[:, 0] / (1 + scores[:, 2] / projection.reach)
    return seen, _Seen(keys, boxes, scores)


def _children(
    octree: Octree, projection: Projection, keys: IntArray, boxes: FloatArray
) -> tuple[IntArray, _Seen]:
    """Return the children in view of some bricks, and the position of each one's parent."""
    owner, tiles = octree.tables.children(keys[:, 0], keys[:, 1:], boxes)
    seen, children = _seen(octree, projection, keys[owner, 0] - 1, tiles)
    return owner[seen], children


def _selection(
    octree: Octree,
    view: VolumeView,
    policy: Policy,
    tree: _Tree,
    complete: bool,
    enough: float,
) -> BrickSelection:
    ancestors, leaves = tree.rows(refined=True), tree.rows(refined=False)
    rows, n = np.concatenate([ancestors, leaves]), len(ancestors)
    levels, scores = tree.keys[rows, 0], tree.scores[rows]
    keys = chunk_keys(levels.tolist(), tree.keys[rows, 1:])
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
