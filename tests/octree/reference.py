"""Slow, obvious versions of what the octree computes: the tests compare with these."""

from __future__ import annotations

import numpy as np


def convex_overlap(polygon, box):
    """Whether a convex polygon and a box share more than a border (separating axes)."""
    y0, x0, y1, x1 = box
    rectangle = np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)])
    polygon = np.array(polygon)
    sides = np.concatenate([np.roll(polygon, -1, 0) - polygon, [(0, 1), (1, 0)]])
    depth = np.inf
    for side in sides:
        length = np.hypot(*side)
        if length == 0:
            continue
        normal = np.array([-side[1], side[0]]) / length
        a, b = polygon @ normal, rectangle @ normal
        depth = min(depth, a.max() - b.min(), b.max() - a.min())
    return depth


def ideal_level(octree, pixel_size):
    """The coarsest level none of whose texels exceeds a pixel."""
    fitting = [
        level.index
        for level in octree.levels
        if all(f <= p for f, p in zip(level.transform.factor, pixel_size, strict=True))
    ]
    return max(fitting, default=0)


def tile_at(level, point):
    """The tile of a level that stands for a point."""
    index = []
    for axis, p in enumerate(point):
        for i in range(level.grid_shape[axis]):
            start, stop = level.tile_bounds((0,) * axis + (i,) + (0,) * (1 - axis))[axis]
            if start <= p < stop:
                index.append(i)
                break
    return tuple(index)


def source_at(octree, level, point, resident, finer_levels):
    """The chunk that a place must show: ideal, else finer, else nearest coarser, else None."""
    order = [level]
    order += range(level - 1, max(0, level - finer_levels) - 1, -1)
    order += range(level + 1, len(octree.levels))
    for candidate in order:
        key = (candidate, tile_at(octree.levels[candidate], point))
        if key in resident.get(candidate, ()):
            return key
    return None
