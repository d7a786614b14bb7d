"""Which pixels of each level a slice shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree import OctreeImage
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources import as_level_sources

DEPTHS = (23, 9, 4)


@settings(max_examples=100, deadline=None)
@given(
    factors=st.tuples(st.sampled_from([1.0, 2.0, 2.5, 3.0]), st.sampled_from([4.0, 5.0, 6.25])),
    shifts=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    first=st.integers(0, DEPTHS[0] - 1),
    thick=st.integers(1, 7),
)
def test_a_level_s_index_is_the_pixel_whose_area_holds_the_centre(
    factors: Any, shifts: Any, first: int, thick: int
) -> None:
    last = min(first + thick, DEPTHS[0]) - 1
    levels = [np.zeros((n, 64 >> k, 64 >> k), np.uint8) for k, n in enumerate(DEPTHS)]
    along = [(1.0, 0.0), *((f, 0.5 * t) for f, t in zip(factors, shifts, strict=True))]
    transforms = tuple(
        LevelTransform((f, 2.0**k, 2.0**k), (t, 0.0, 0.0)) for k, (f, t) in enumerate(along)
    )
    pyramid = ImagePyramid(as_level_sources(levels), transforms, False, 64)
    key = SliceKey(0, (1, 2), ((first, last + 1), None, None))
    octree_slice = OctreeSlice(pyramid, key)

    def holds(level: int, z: int) -> int:
        factor, shift = along[level]
        inside = [
            j
            for j in range(DEPTHS[level])
            if factor * j + shift <= z + 0.5 < factor * (j + 1) + shift
        ]
        return inside[0] if inside else (0 if z + 0.5 < shift else DEPTHS[level] - 1)

    for level in range(3):
        extent = octree_slice.ranges(level)
        assert extent == ((holds(level, first), holds(level, last) + 1), None, None)
        assert octree_slice.at(key).ranges(level) == extent


def test_each_level_is_shown_at_its_own_index(viewer, screenshot) -> None:
    levels = [
        np.broadcast_to(10 * np.arange(n, dtype=np.uint8)[:, None, None], (n, side, side)).copy()
        for n, side in ((12, 300), (4, 150))
    ]
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 255)))
    for z, seen in ((0, 0), (2, 0), (7, 20), (11, 30)):
        viewer.dims.set_point(0, z)
        for level, value in ((0, 10 * z), (1, seen)):
            layer.locked_data_level = level
            assert layer.wait_until_settled(30)
            assert screenshot(viewer)[150, 200, 0] == value
