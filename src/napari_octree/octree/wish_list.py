"""What should be loaded for a view, in order.

Invariants: pure; no chunk (of a slice) is wished twice; tiers never mix (overview, coverage,
ideal, ahead, prefetch); equal input gives an equal list; its length is bounded by a multiple of
the visible tiles. Whether a chunk is resident already is not asked: the list is also the working
set, and whoever loads leaves out what is there.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from itertools import repeat

import numpy as np

from napari_octree.octree.chunk_key import Tier, Wish, chunk_keys, make_wishes
from napari_octree.octree.cover.cells import project
from napari_octree.octree.cover.intersection import OctreeIntersection
from napari_octree.octree.level import IntArray, OctreeLevel
from napari_octree.octree.motion import AT_REST, Motion
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.prefetch import Candidates, prefetch_candidates, slices_ahead

logger = logging.getLogger("napari_octree.octree")


def wish_list(
    octree: Octree,
    intersection: OctreeIntersection,
    policy: Policy = EXPLORE,
    motion: Motion = AT_REST,
    room: int = sys.maxsize,
) -> tuple[Wish, ...]:
    """List the chunks to load for an intersection, most urgent first.

    Parameters
    ----------
    octree : Octree
        Of two displayed axes.
    intersection : OctreeIntersection
        Its view gives the focus; distances are measured in that view's framebuffer pixels.
    policy : Policy
    motion : Motion
        Directs what is loaded ahead.
    room : int
        Places for chunks of this slice, prefetch not counted. Where they are few, what is out of
        view is left out first, then the last of the coverage; ideal tiles never are.

    Returns
    -------
    tuple of Wish
        The overview (what is in view of the coarsest level, then the rest of it if it is
        small); coverage levels in the policy's order; the ideal tiles; the overview of slices
        ahead; prefetch by falling probability. Within a level from the focus outward.
    """
    ideal, overview = intersection.octree_level, octree.coarsest
    seen = intersection.row_bounds
    coverage = [
        (level, project(level, seen, octree.slack))
        for level in (
            octree.levels[ideal.index + above]
            for above in policy.coverage
            if ideal.index + above < overview.index
        )
    ]
    ideals = []
    if ideal is not overview:
        ideals = _around_focus(intersection, ideal, intersection.tiles, Tier.IDEAL)
    spare = max(room - len(ideals), 0)
    visible = project(overview, seen, octree.slack)
    visible_overview = _around_focus(intersection, overview, visible, Tier.OVERVIEW)[:spare]
    wishes = visible_overview
    spare -= len(wishes)
    covering: list[Wish] = []
    for level, tiles in coverage:
        covering += _around_focus(intersection, level, tiles, Tier.COVERAGE)
    del covering[spare:]
    spare -= len(covering)
    size = math.prod(overview.grid_shape)
    if len(visible) < size <= policy.max_overview_tiles and size - len(visible) <= spare:
        unseen = np.ones(overview.grid_shape, np.bool_)
        unseen[tuple(visible.T)] = False
        rest = np.argwhere(unseen)
        wishes = wishes + _around_focus(intersection, overview, rest, Tier.OVERVIEW)
    wishes = wishes + covering
    later: list[Wish] = []
    ahead = [
        wish._replace(tier=Tier.AHEAD, slice_offset=offset)
        for offset in (slices_ahead(policy, motion) if ideal is not overview else ())
        for wish in visible_overview
    ]
    candidates = list(prefetch_candidates(octree, intersection, coverage, policy, motion))
    if candidates:
        # No candidate of this slice is an ideal tile: only the coarser wishes can name it already.
        most = math.ceil(policy.prefetch * len(intersection.tiles))
        later = _most_probable(intersection, candidates, policy, most, [*wishes, *ahead])
    logger.debug(
        "level %d: %d ideal tiles, %d coarser ones, %d ahead",
        ideal.index,
        len(intersection.tiles),
        len(wishes),
        len(ahead) + len(later),
    )
    return (*wishes, *ideals, *ahead, *later)


def _around_focus(
    intersection: OctreeIntersection, level: OctreeLevel, tiles: IntArray, tier: Tier
) -> list[Wish]:
    known = tiles is intersection.tiles
    bounds = intersection.bounds if known else level.bounds(tiles)
    keys = intersection.chunks if known else chunk_keys(repeat(level.index), tiles)
    away = intersection.distances(bounds)
    # Tiles come row by row: a stable sort keeps that order among equals.
    order = np.argsort(away, kind="stable")
    return make_wishes(
        map(keys.__getitem__, order.tolist()),
        repeat(tier),
        repeat(level.index - intersection.level),
        away[order].tolist(),
    )


def _most_probable(
    intersection: OctreeIntersection,
    groups: Sequence[Candidates],
    policy: Policy,
    most: int,
    wished: Sequence[Wish],
) -> list[Wish]:
    """Return up to `most` wishes: surest first, then coarser first, then nearest first."""
    sizes = [len(g.tiles) for g in groups]
    probability = np.concatenate([g.probability for g in groups])
    level = np.repeat([g.level.index for g in groups], sizes)
    offset = np.repeat([g.slice_offset for g in groups], sizes)
    tiles = np.concatenate([g.tiles for g in groups])
    bounds = np.concatenate([g.level.bounds(g.tiles) for g in groups])
    distance = intersection.distances(bounds)
    # A stable sort of the same groups: equal input gives an equal list.
    order = np.lexsort((distance, -level, -probability))
    likely = np.count_nonzero(probability >= policy.probable)
    # Only what is wished already can be dropped below, so so many are enough.
    order = order[: min(likely, most + len(wished))]
    keys = chunk_keys(level[order].tolist(), tiles[order])
    ahead = make_wishes(
        keys,
        repeat(Tier.PREFETCH),
        (level[order] - intersection.level).tolist(),
        distance[order].tolist(),
        offset[order].tolist(),
    )
    known = {(wish.key, wish.slice_offset) for wish in wished}
    return [wish for wish in ahead if (wish.key, wish.slice_offset) not in known][:most]
