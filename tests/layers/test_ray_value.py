"""Values along a line of sight, against a plain walk through the array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.layers.values.ray_value import MAX_SAMPLES, PER_VOXEL, ray_values
from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.transform import infer_level_transforms
from napari_octree.sources import as_level_sources

RNG = np.random.default_rng(0)
FINE = RNG.integers(1, 60000, (2, 32, 40, 48)).astype(np.uint16)
LEVELS = [FINE, FINE[:, ::2, ::2, ::2].copy(), FINE[:, ::4, ::4, ::4].copy()]
CACHE: Any = ChunkCache(2**20)


def make_slice(levels: list[np.ndarray] = LEVELS, rgb: bool = False) -> OctreeSlice:
    shapes = [a.shape[:-1] if rgb else a.shape for a in levels]
    pyramid = ImagePyramid(
        as_level_sources(levels),
        tuple(infer_level_transforms(shapes)),
        rgb,
        256,
        brick_size=16,
    )
    return OctreeSlice(pyramid, SliceKey(0, (1, 2, 3), ((1, 2), None, None, None)))


def every_brick(octree_slice: OctreeSlice, finest: int = 0) -> set[ChunkKey]:
    return {
        ChunkKey(level.index, index)
        for level in octree_slice.octree.levels[finest:]
        for index in np.ndindex(*level.grid_shape)
    }


@pytest.mark.parametrize("level", [0, 1, 2])
def test_along_an_axis_every_voxel_of_the_level_shown(level: int) -> None:
    octree_slice = make_slice()
    shown = every_brick(octree_slice, level)
    values = ray_values(
        octree_slice, shown, CACHE, np.array([0.0, 13.2, 30.7]), np.array([32.0, 13.2, 30.7])
    )
    expected = LEVELS[level][1, :, 13 >> level, 30 >> level]
    assert list(dict.fromkeys(values.tolist())) == list(dict.fromkeys(expected.tolist()))
    assert len(values) <= len(expected) * PER_VOXEL + 2, "no more samples than the level needs"


@settings(max_examples=60, deadline=None)
@example(start=(0.0, 0.0, 43.0), stop=(0.0, 9.0625, 15.8125))
@given(
    start=st.tuples(st.floats(0, 32), st.floats(0, 40), st.floats(0, 48)),
    stop=st.tuples(st.floats(0, 32), st.floats(0, 40), st.floats(0, 48)),
)
def test_values_are_those_of_a_dense_walk(start: Any, stop: Any) -> None:
    octree_slice = make_slice()
    a, b = np.array(start), np.array(stop)
    length = np.linalg.norm(b - a)
    found = ray_values(octree_slice, every_brick(octree_slice), CACHE, a, b)
    if length == 0:
        assert not found.size
        return
    dense = a + (b - a) * np.linspace(0, 1, int(length * 40) + 2)[:, None]
    # Corners that the line cuts between two steps of the walk are passed too.
    near = np.array(list(np.ndindex(3, 3, 3))) * 0.03 - 0.03
    around = np.floor(dense[:, None] + near).astype(int).reshape(-1, 3)
    voxels = np.clip(around, 0, np.array(FINE.shape[1:]) - 1)
    passed = set(FINE[1][tuple(voxels.T)].tolist())
    assert set(found.tolist()) <= passed
    assert len(found) >= PER_VOXEL * length - 1


def test_nothing_shown_has_no_values() -> None:
    octree_slice = make_slice()
    values = ray_values(octree_slice, set(), CACHE, np.zeros(3), np.array([32.0, 40, 48]))
    assert values.shape == (0,)
    assert values.dtype == np.uint16


def test_colours() -> None:
    colour = RNG.integers(0, 255, (2, 16, 16, 16, 3)).astype(np.uint8)
    octree_slice = make_slice([colour], rgb=True)
    shown = every_brick(octree_slice)
    values = ray_values(
        octree_slice, shown, CACHE, np.array([0.0, 3.5, 4.5]), np.array([16.0, 3.5, 4.5])
    )
    assert (np.unique(values, axis=0) == np.unique(colour[1, :, 3, 4], axis=0)).all()


def test_what_is_not_in_ram_is_left_out_and_not_read(
    recording_pyramid: Any, read_log: Any
) -> None:
    levels = recording_pyramid((2, 32, 40, 48), levels=3, dtype="uint16", chunks=(1, 16, 16, 16))
    octree_slice = make_slice(levels)
    before = len(read_log.reads)
    values = ray_values(
        octree_slice,
        every_brick(octree_slice),
        CACHE,
        np.array([0.0, 3.5, 4.5]),
        np.array([32.0, 3.5, 4.5]),
    )
    assert not values.size
    assert len(read_log.reads) == before


def test_below_a_failed_brick_values_are_those_shown() -> None:
    levels = [np.full((2, *(32 >> k,) * 3), 10 - k, np.uint8) for k in range(2)]
    octree_slice = make_slice(levels)
    every = every_brick(octree_slice)
    lost = {key for key in every if key.level == 1}
    assert lost < set(every)
    line = np.array([0.0, 3.5, 4.5]), np.array([32.0, 3.5, 4.5])
    found = ray_values(octree_slice, set(every) - lost, CACHE, *line, lost)
    assert set(found.tolist()) == {10}
    assert not ray_values(octree_slice, set(every) - lost, CACHE, *line).size


def test_a_million_voxels_take_a_few_thousand_samples() -> None:
    huge = [np.broadcast_to(np.uint16(7), (2, *(2**20 >> k,) * 3)) for k in range(17)]
    octree_slice = make_slice(huge)
    roots = every_brick(octree_slice, len(octree_slice.octree.levels) - 1)
    values = ray_values(
        octree_slice, roots, CACHE, np.zeros(3), np.array([2.0**20, 2.0**20, 2.0**20])
    )
    assert 16 <= len(values) <= MAX_SAMPLES + 100
    assert set(values.tolist()) == {7}
