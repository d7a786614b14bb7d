"""What the next move of the user is likely to show.

Invariants: pure; candidates are groups of tiles with a probability each; their number is bounded
by a multiple of the visible tiles; a slice is a candidate only after slices have been moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.cover.cells import boxes_of, cells_of
from napari_octree.octree.cover.intersection import OctreeIntersection
from napari_octree.octree.cover.polygons import cells_of_rows
from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel
from napari_octree.octree.motion import Motion
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import Policy
from napari_octree.octree.view import View

SPREAD_PIXELS = 128.0
SPREAD_OCTAVES = 0.1
SPREAD_SLICES = 0.5
"""Standard deviations of what a user at rest does within the horizon: a little of everything."""


BEYOND_OCTAVES = 0.25
"""A zoom must be likely to go so far past a threshold before the level there is worth loading."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Tiles of one level and slice that may be wanted soon.

    Attributes
    ----------
    level : OctreeLevel
    tiles : (N, 2) int64
    probability : (N,) float64
    slice_offset : int
    """

    level: OctreeLevel
    tiles: IntArray
    probability: FloatArray
    slice_offset: int = 0


def prefetch_candidates(
    octree: Octree,
    intersection: OctreeIntersection,
    coverage: Sequence[tuple[OctreeLevel, IntArray]],
    policy: Policy,
    motion: Motion,
) -> Iterator[Candidates]:
    """Everything that may be worth loading ahead, in no particular order.

    Parameters
    ----------
    octree : Octree
    intersection : OctreeIntersection
    coverage : sequence of (level, tiles)
        Coarser tiles that cover the view; of neighbouring slices they are loaded first.
    policy : Policy
    motion : Motion
    """
    if not len(intersection.tiles) or policy.prefetch <= 0:
        return
    if policy.ring > 0:
        yield _ring(octree, intersection, policy, motion)
    if policy.neighbour_levels:
        yield from _neighbour_levels(octree, intersection, policy, motion)
    yield from _slices(intersection, coverage, policy, motion)


def _hull(view: View) -> tuple[FloatArray, FloatArray]:
    corners = np.array(view.corners)
    return corners.min(axis=0), corners.max(axis=0)


def _ring(
    octree: Octree, intersection: OctreeIntersection, policy: Policy, motion: Motion
) -> Candidates:
    """Tiles of the ideal level next to those in view, by the probability to pan there."""
    level, view, ring = intersection.octree_level, intersection.view, policy.ring
    columns = np.array(intersection.columns, np.int64)
    rows, last_column = level.grid_shape[0], level.grid_shape[1]
    first_row = max(0, intersection.first_row - ring)
    last_row = min(rows, intersection.first_row + len(columns) + ring)
    # Dilate by a square: each row takes the widest of the rows within reach.
    outer = np.arange(first_row, last_row) - intersection.first_row
    near = np.clip(outer[:, np.newaxis] + np.arange(-ring, ring + 1), 0, len(columns) - 1)
    start = np.maximum(columns[near, 0].min(axis=1) - ring, 0)
    stop = np.minimum(columns[near, 1].max(axis=1) + ring, last_column)
    inner_start, inner_stop = start.copy(), start.copy()
    own = (outer >= 0) & (outer < len(columns))
    inner_start[own], inner_stop[own] = columns[outer[own]].T
    span = (first_row, last_row)
    tiles = np.concatenate(
        [cells_of_rows(span, start, inner_start), cells_of_rows(span, inner_stop, stop)]
    )
    probability = np.ones(len(tiles))
    spans = (span, (int(start.min()), int(stop.max())))
    for axis, (low, high) in enumerate(zip(*_hull(view), strict=True)):
        first, last = spans[axis]
        edges = level.edges(axis, np.arange(first, last + 1))
        # Signed gap from the view to the tile; a tile beside the view needs no move on this axis.
        gap = np.maximum(edges[:-1] - high, 0.0) + np.minimum(edges[1:] - low, 0.0)
        reach = [
            motion.pan[axis].reach(g, policy.horizon_s, SPREAD_PIXELS) if g else 1.0
            for g in (gap / view.pixel_size[axis]).tolist()
        ]
        probability *= np.array(reach)[tiles[:, axis] - first]
    return Candidates(level, tiles, probability)


def _neighbour_levels(
    octree: Octree, intersection: OctreeIntersection, policy: Policy, motion: Motion
) -> Iterator[Candidates]:
    """Yield the tiles that a zoom about the focus to the next level would show."""
    view = intersection.view
    focus = np.array(view.focus_point)
    low, high = _hull(view)
    pixel_size = np.array(view.pixel_size)
    for step in (-1, 1):
        if not 0 <= intersection.level + step < len(octree.levels):
            continue
        level = octree.levels[intersection.level + step]
        # The view at which this level would become ideal: finer once texels of the present level
        # exceed a pixel, coarser once its own texels do not.
        threshold = octree.levels[intersection.level + (step > 0)].transform.factor
        octaves = float(np.log2(np.array(threshold) / pixel_size).max())
        octaves = step * max(step * octaves, 0.0) + step * BEYOND_OCTAVES
        probability = motion.zoom.reach(octaves, policy.horizon_s, SPREAD_OCTAVES)
        if probability < policy.probable:
            continue
        zoomed = np.concatenate(
            [focus + (low - focus) * 2**octaves, focus + (high - focus) * 2**octaves]
        )[np.newaxis]
        _, tiles = cells_of(boxes_of(level, zoomed, octree.slack))
        yield Candidates(level, tiles, np.full(len(tiles), probability))


def likely_slices(policy: Policy, motion: Motion) -> list[tuple[int, float]]:
    """List the neighbouring slices worth loading ahead, with their probabilities, surest first."""
    if not motion.scrolled:
        return []
    # A slice is reached when half of the way to it is done: indices are rounded.
    likely = [
        (sign * n, motion.scroll.reach(sign * (n - 0.5), policy.horizon_s, SPREAD_SLICES))
        for n in range(1, policy.slices + 1)
        for sign in (1, -1)
    ]
    likely = [(offset, p) for offset, p in likely if p >= policy.probable]
    return sorted(likely, key=lambda pair: -pair[1])


def slices_ahead(policy: Policy, motion: Motion) -> list[int]:
    """List the slices whose overview is to be there when the slider comes, the next one first.

    While it moves those that it passes soon; while it rests those that the first steps of the next
    move may show: how fast it goes is not known before some have been made.
    """
    if not (motion.scrolled and policy.slices):
        return []
    way = motion.scroll.mean * policy.ahead_s
    if way:
        number = min(round(abs(way)), policy.most_ahead)
        return [n if way > 0 else -n for n in range(1, number + 1)]
    return [sign * n for n in range(1, policy.slices + 1) for sign in (1, -1)][: policy.most_ahead]


def _slices(
    intersection: OctreeIntersection,
    coverage: Sequence[tuple[OctreeLevel, IntArray]],
    policy: Policy,
    motion: Motion,
) -> Iterator[Candidates]:
    """Yield the same places in neighbouring slices, coarser chunks first."""
    for offset, probability in likely_slices(policy, motion):
        for level, tiles in (*coverage, (intersection.octree_level, intersection.tiles)):
            yield Candidates(level, tiles, np.full(len(tiles), probability), offset)
