"""Random pyramids, views and resident sets for the tests of this room."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from napari_octree.octree import ChunkKey, LevelTransform, Octree, View, by_level


@st.composite
def pyramids(draw, max_side=900):
    """Octrees of two axes with any factors, roundings, translations and tile sizes."""
    shape = tuple(draw(st.integers(1, max_side)) for _ in range(2))
    shapes, factor = [shape], (1.0, 1.0)
    transforms = [LevelTransform((1.0, 1.0), (0.0, 0.0))]
    for _ in range(draw(st.integers(0, 4))):
        step = draw(
            st.sampled_from(
                [(2, 2), (3, 3), (4, 4), (1, 2), (2, 1), (3, 2), (1.5, 1.5), (2.7, 1.3)]
            )
        )
        rounding = draw(st.sampled_from([math.floor, math.ceil]))
        shapes.append(
            tuple(max(1, rounding(n / f)) for n, f in zip(shapes[-1], step, strict=True))
        )
        factor = tuple(f * s for f, s in zip(factor, step, strict=True))
        shift = draw(st.sampled_from([(0.0, 0.0), (0.5, 0.5), (-0.5, 1.0), (3.25, -7.1)]))
        transforms.append(LevelTransform(factor, shift))
    tile = draw(st.sampled_from([16, 50, 64, (32, 48), 256]))
    return Octree.from_shapes(shapes, tile, transforms, max_overview=draw(st.integers(20, 300)))


@st.composite
def views(draw, octree):
    """Views that lie anywhere: rotated, sheared, flipped, partly or wholly outside."""
    height, width = octree.extent
    centre = draw(st.floats(-0.3, 1.3)) * height, draw(st.floats(-0.3, 1.3)) * width
    size = draw(st.floats(1.0, 1.5 * max(height, width)))
    aspect = draw(st.floats(0.2, 5.0))
    angle = draw(st.sampled_from([0.0, math.pi / 2, 0.3, 1.0, 2.2]))
    shear = draw(st.sampled_from([0.0, 0.0, 0.5]))
    flip = draw(st.sampled_from([1, -1]))
    corners = []
    for v, u in ((-1, -1), (-1, 1), (1, 1), (1, -1)):
        y, x = v * size / 2, flip * (u + shear * v) * size * aspect / 2
        corners.append(
            (
                centre[0] + y * math.cos(angle) - x * math.sin(angle),
                centre[1] + y * math.sin(angle) + x * math.cos(angle),
            )
        )
    pixel = draw(st.floats(0.05, 40.0))
    focus = draw(st.sampled_from([None, (height / 3, width / 4)]))
    return View(tuple(corners), (pixel, pixel * draw(st.sampled_from([1.0, 2.0]))), focus)


@st.composite
def resident_sets(draw, octree):
    """A random part of the chunks of every level."""
    random = draw(st.randoms(use_true_random=False))
    keys = []
    for level in octree.levels:
        share = draw(st.sampled_from([0.0, 0.0, 0.3, 0.7, 1.0]))
        rows, columns = level.grid_shape
        keys.extend(
            ChunkKey(level.index, (r, c))
            for r in range(rows)
            for c in range(columns)
            if random.random() < share
        )
    return by_level(keys)
