"""The octree: which chunks a view wants, what stands in for them, what comes next.

Pure functions over frozen values; numpy only. In order of a frame: `View` →
`intersect` → `wish_list` and `cover`. In 3-D: `VolumeView` → `select_bricks`.
"""

from napari_octree.octree.bricks.selection import BrickSelection, in_other_slices, select_bricks
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish
from napari_octree.octree.cover.cover import Cover, Resident, by_level, cover
from napari_octree.octree.cover.intersection import OctreeIntersection, choose_level, intersect
from napari_octree.octree.level import OctreeLevel
from napari_octree.octree.motion import AT_REST, Motion, Velocity, observe
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import EXPLORE, PLAY, POLICIES, QUALITY, Policy
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.octree.view import View, VolumeView
from napari_octree.octree.wish_list import wish_list

__all__ = [
    "AT_REST",
    "EXPLORE",
    "PLAY",
    "POLICIES",
    "QUALITY",
    "BrickSelection",
    "ChunkKey",
    "Cover",
    "LevelTransform",
    "Motion",
    "Octree",
    "OctreeIntersection",
    "OctreeLevel",
    "Policy",
    "Resident",
    "Tier",
    "Velocity",
    "View",
    "VolumeView",
    "Wish",
    "by_level",
    "choose_level",
    "cover",
    "in_other_slices",
    "infer_level_transforms",
    "intersect",
    "observe",
    "select_bricks",
    "wish_list",
]
