"""The plan of a frame: what to load, what to draw.

Invariant: a pure function of values. The same octree, view and resident chunks give the same
plan; no clock is read, nothing is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_octree.octree.chunk_key import Wish
from napari_octree.octree.cover.cover import Cover, Resident, cover
from napari_octree.octree.cover.intersection import OctreeIntersection, intersect
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.view import View
from napari_octree.octree.wish_list import wish_list


@dataclass(frozen=True, eq=False)
class Plan:
    """What one view of one layer needs.

    Attributes
    ----------
    intersection : OctreeIntersection
        The ideal tiles. If it equals that of the frame before, the wishes may be kept; if the
        resident chunks are the same too, so may the cover.
    wishes : tuple of Wish
        What to load, most urgent first; also what must not be evicted.
    cover : Cover
        What to draw from what is resident.
    """

    intersection: OctreeIntersection
    wishes: tuple[Wish, ...]
    cover: Cover


def plan(
    octree: Octree,
    view: View,
    resident: Resident,
    policy: Policy = EXPLORE,
    previous_level: int | None = None,
    max_tiles: int | None = None,
    locked_level: int | None = None,
    level_bias: float = 0.0,
    margin_texels: float = 0.0,
) -> Plan:
    """Make the plan for a view; see `intersect`, `wish_list` and `cover` for the parameters."""
    intersection = intersect(
        octree,
        view,
        policy,
        previous_level=previous_level,
        max_tiles=max_tiles,
        locked_level=locked_level,
        level_bias=level_bias,
        margin_texels=margin_texels,
    )
    return Plan(
        intersection,
        wish_list(octree, intersection, policy, view.motion),
        cover(octree, intersection, resident, policy.finer_levels),
    )
