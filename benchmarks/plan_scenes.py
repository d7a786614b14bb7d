"""The situations whose plans are timed: the same views of images of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_octree.octree import (
    Cover,
    Octree,
    OctreeIntersection,
    View,
    VolumeView,
    Wish,
    by_level,
    cover,
    intersect,
    wish_list,
)
from napari_octree.octree.cover.cover import Resident

SIDES = {f"2^{e}": 2**e for e in (13, 20, 30, 40)}
STATES = ("settled", "opening", "panning", "zooming in", "zooming out")


@dataclass(frozen=True)
class Scene:
    """A 2-D view and what is resident when it is planned."""

    octree: Octree
    view: View
    resident: Resident


def image(side: int) -> Octree:
    """A square image with a whole pyramid of factor 2, tiles of 256²."""
    levels = max(1, side.bit_length() - 10)
    return Octree.from_shapes([(side >> k, side >> k) for k in range(levels)], 256)


def scene(side: int, state: str, tiles: int = 16) -> Scene:
    """A view of `tiles`² ideal tiles off the middle, in a state of loading."""
    octree = image(side)
    centre = side / 2 + 0.3
    half = (tiles - 1) * 128.0
    view = View.of_box((centre - half, centre - half), (centre + half, centre + half))
    found = intersect(octree, view)
    ideal = list(found.chunks)
    coarser = [w.key for w in wish_list(octree, found) if w.relative_level > 0]
    resident = {
        "settled": [*ideal, *coarser],
        "opening": [k for k in coarser if k.level == octree.coarsest.index],
        "panning": [*ideal[: len(ideal) // 2], *coarser],
        "zooming in": coarser,
        "zooming out": [*ideal, *(k for k in coarser if k.level == octree.coarsest.index)],
    }[state]
    if state == "zooming out":
        # Twice the region at twice the pixel size: level 1 is ideal, level 0 is what was there.
        low, high = centre - 2 * half, centre + 2 * half
        return Scene(octree, View.of_box((low, low), (high, high), 2.0), by_level(resident))
    return Scene(octree, view, by_level(resident))


def volume(side: int) -> Octree:
    """A cube with virtual levels down to one brick of 64³."""
    return Octree.from_shapes([(side,) * 3], 64, max_overview=64)


def camera(side: int, kind: str) -> VolumeView:
    """A perspective or orthographic camera that looks at the middle of a cube."""
    target = np.full(3, side / 2 + 1234.5)
    direction = np.array([0.5, 0.6, 0.62]) / np.linalg.norm([0.5, 0.6, 0.62])
    projection, distance = {
        "whole, perspective": (_lens(45.0), 2.2 * side),
        "near, perspective": (_lens(45.0), 3000.0),
        "inside, perspective": (_lens(45.0), 300.0),
        "whole, orthographic": (_box(1.8 * side), 2.0),
        "near, orthographic": (_box(4000.0), 2.0),
    }[kind]
    matrix = projection @ _look(target + distance * direction, target)
    rows = tuple(tuple(map(float, row)) for row in matrix)
    return VolumeView(rows, (800.0, 600.0), tuple(map(float, target)))  # type: ignore[arg-type]


CAMERAS = (
    "whole, perspective",
    "near, perspective",
    "inside, perspective",
    "whole, orthographic",
    "near, orthographic",
)


def _lens(fov: float) -> np.ndarray:
    t = 1 / np.tan(np.radians(fov) / 2)
    matrix = np.diag([t * 0.75, t, -1.0, 0.0])
    matrix[3, 2] = -1.0
    return matrix


def _box(width: float) -> np.ndarray:
    return np.diag([2 / width, 2 / (width * 0.75), 1e-9, 1.0])


def _look(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    forward = (target - eye) / np.linalg.norm(target - eye)
    side = np.cross(forward, (0.1, 1.0, 0.02))
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[0, :3], matrix[1, :3], matrix[2, :3] = side, np.cross(side, forward), -forward
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def plan(
    octree: Octree, view: View, resident: Resident
) -> tuple[OctreeIntersection, tuple[Wish, ...], Cover]:
    """Ask what a frame of a view that has changed asks: tiles, wish list, cover."""
    found = intersect(octree, view)
    wishes = wish_list(octree, found, motion=view.motion)
    return found, wishes, cover(octree, found, resident)
