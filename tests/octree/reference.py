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


def corners_of(bounds):
    """The 8 corners of a box, homogeneous."""
    return np.array([(z, y, x, 1.0) for z in bounds[0] for y in bounds[1] for x in bounds[2]])


def brick_in_view(octree, view, key):
    """Not empty, and not all corners beyond one side of the view, behind the eye or cut away."""
    bounds = octree.levels[key[0]].tile_bounds(key[1])
    if any(start >= stop for start, stop in bounds):
        return False
    corners = corners_of(bounds)
    x, y, _, w = np.array(view.matrix) @ corners.T
    sides = [w + x, w - x, w + y, w - y, w]
    for position, normal in view.clipping_planes:
        sides.append((corners[:, :3] - position) @ normal)
    return all((side >= 0).any() for side in sides)


def brick_scores(octree, view, key):
    """Pixels per voxel at the nearest corner, and the same weighted to the focus."""
    level = octree.levels[key[0]]
    bounds = level.tile_bounds(key[1])
    matrix, half = np.array(view.matrix), np.array(view.canvas_size) / 2
    nearest = np.abs(matrix[3, :3]).sum() / 2 or np.finfo(float).tiny
    w = max((corners_of(bounds) @ matrix[3]).min(), nearest)
    spans = [np.hypot(matrix[0, a] * half[0], matrix[1, a] * half[1]) for a in range(3)]
    pixels = max(f * s for f, s in zip(level.transform.factor, spans, strict=True)) / w
    focus_w = max(matrix[3] @ (*view.focus, 1.0), nearest)
    gaps = [
        max(lo - f, f - hi, 0.0) * s / focus_w
        for (lo, hi), f, s in zip(bounds, view.focus, spans, strict=True)
    ]
    return pixels, pixels / (1 + np.linalg.norm(gaps) / np.hypot(*half))


def brick_children(octree, key):
    """The tiles one level finer whose centre lies in a tile (beyond the border: in the last)."""
    level, finer = octree.levels[key[0]], octree.levels[key[0] - 1]
    bounds = level.tile_bounds(key[1])
    ranges = []
    for axis in range(3):
        lo, hi = bounds[axis]
        inside = []
        for i in range(finer.grid_shape[axis]):
            centre = finer.pitch[axis] * (i + 0.5) + finer.transform.translation[axis]
            centre = min(max(centre, 1e-9), octree.extent[axis] - 1e-9)
            if lo <= centre < hi:
                inside.append(i)
        ranges.append(inside)
    return [(key[0] - 1, (z, y, x)) for z in ranges[0] for y in ranges[1] for x in ranges[2]]


def best_first(octree, view, budget):
    """Refine one brick at a time, always the most important; stop when one does not fit."""
    top = octree.levels[-1]
    leaves = {
        (top.index, t)
        for t in np.ndindex(*top.grid_shape)
        if brick_in_view(octree, view, (top.index, t))
    }
    ancestors, barren = set(), set()
    while True:
        coarse = [k for k in leaves - barren if k[0] > 0 and brick_scores(octree, view, k)[0] > 1]
        if not coarse:
            return leaves, ancestors, True
        best = max(coarse, key=lambda k: brick_scores(octree, view, k)[1])
        children = [c for c in brick_children(octree, best) if brick_in_view(octree, view, c)]
        if len(leaves) + len(ancestors) + len(children) > budget:
            return leaves, ancestors, False
        if not children:
            barren.add(best)
            continue
        leaves.remove(best)
        leaves.update(children)
        ancestors.add(best)
