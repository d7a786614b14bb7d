"""What should be loaded for a view, in order.

Invariants: pure; no chunk (of a slice) is wished twice; tiers never mix (overview, coverage,
ideal, prefetch); equal input gives an equal list; its length is bounded by a multiple of the
visible tiles. Whether a chunk is resident already is not asked: the list is also the
working set, and whoever loads leaves out what is there.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator

import numpy as np

from napari_octree.octree.cells import project
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish
from napari_octree.octree.intersection import OctreeIntersection
from napari_octree.octree.level import IntArray, OctreeLevel
from napari_octree.octree.motion import AT_REST, Motion
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.polygon import distance_to_tiles
from napari_octree.octree.prefetch import Candidates, prefetch_candidates


def wish_list(
    octree: Octree,
    intersection: OctreeIntersection,
    policy: Policy = EXPLORE,
    motion: Motion = AT_REST,
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

    Returns
    -------
    tuple of Wish
        The overview (what is in view of the coarsest level, then the rest of it if it is
        small); coverage levels in the policy's order; the ideal tiles; prefetch by falling
        probability. Within a level from the focus outward.
    """
    ideal = octree.levels[intersection.level]
    bounds = ideal.bounds(intersection.tiles)
    wishes: dict[ChunkKey, Wish] = {}

    def add(level: OctreeLevel, tiles: IntArray, tier: Tier) -> None:
        for wish in _by_distance(intersection, level, tiles, tier):
            wishes.setdefault(wish.key, wish)

    overview = octree.coarsest
    add(overview, project(overview, bounds, octree.slack), Tier.OVERVIEW)
    if math.prod(overview.grid_shape) <= policy.max_overview_tiles:
        whole = np.array(list(np.ndindex(*overview.grid_shape)), np.int64)
        add(overview, whole, Tier.OVERVIEW)
    covering = [
        octree.levels[ideal.index + above]
        for above in policy.coverage
        if ideal.index + above < overview.index
    ]
    coverage = [(level, project(level, bounds, octree.slack)) for level in covering]
    for level, tiles in coverage:
        add(level, tiles, Tier.COVERAGE)
    add(ideal, intersection.tiles, Tier.IDEAL)
    ahead = prefetch_candidates(octree, intersection, coverage, policy, motion)
    most = math.ceil(policy.prefetch * len(intersection.tiles))
    return (*wishes.values(), *_most_probable(intersection, ahead, policy, most, wishes))


def _by_distance(
    intersection: OctreeIntersection, level: OctreeLevel, tiles: IntArray, tier: Tier
) -> Iterator[Wish]:
    view = intersection.view
    distances = distance_to_tiles(level, tiles, view.focus_point, view.pixel_size)
    # Tiles come row by row: a stable sort keeps that order among equals.
    order = np.argsort(distances, kind="stable")
    index, relative = level.index, level.index - intersection.level
    for (r, c), distance in zip(tiles[order].tolist(), distances[order].tolist(), strict=True):
        yield Wish(ChunkKey(index, (r, c)), tier, relative, distance)


def _most_probable(
    intersection: OctreeIntersection,
    ahead: Iterable[Candidates],
    policy: Policy,
    most: int,
    wished: Container[ChunkKey],
) -> Iterator[Wish]:
    """Up to `most` prefetch wishes, by falling probability, then coarser first, then distance."""
    groups = list(ahead)
    if not groups:
        return
    view = intersection.view
    probability = np.concatenate([g.probability for g in groups])
    distance = np.concatenate(
        [distance_to_tiles(g.level, g.tiles, view.focus_point, view.pixel_size) for g in groups]
    )
    group = np.repeat(np.arange(len(groups)), [len(g.tiles) for g in groups])
    level = np.array([g.level.index for g in groups])[group]
    tiles = np.concatenate([g.tiles for g in groups])
    order = np.lexsort((tiles[:, 1], tiles[:, 0], distance, -level, -probability))
    order = order[probability[order] >= policy.probable]
    for i in order.tolist():
        if most <= 0:
            return
        key = ChunkKey(int(level[i]), (int(tiles[i, 0]), int(tiles[i, 1])))
        offset = groups[group[i]].slice_offset
        if offset == 0 and key in wished:
            continue
        most -= 1
        yield Wish(key, Tier.PREFETCH, key.level - intersection.level, float(distance[i]), offset)
