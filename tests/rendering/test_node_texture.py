"""Walking the entries of the node texture finds what a plain search finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.octree.transform import LevelTransform
from napari_octree.rendering.node_texture import (
    ABSENT,
    FAILED,
    LEAF,
    MAX_LEVELS,
    PASSAGE,
    NodeGeometry,
    node_entries,
)
from volume_reference import cell_at

BRICK = 8


@st.composite
def octrees(draw: Any) -> Octree:
    """Nesting and not, with any factors per axis and small translations."""
    shape = draw(st.tuples(*[st.integers(1, 70)] * 3))
    shapes, factor, transforms = [shape], (1.0, 1.0, 1.0), []
    transforms.append(LevelTransform(factor, (0.0,) * 3))
    for _ in range(draw(st.integers(0, 3))):
        step = draw(st.tuples(*[st.sampled_from([1, 1, 2, 2, 3, 4])] * 3))
        factor = tuple(f * s for f, s in zip(factor, step, strict=True))
        rounding = draw(st.sampled_from([0, 1]))
        shapes.append(
            tuple(
                max((n + rounding * (s - 1)) // s, 1)
                for n, s in zip(shapes[-1], step, strict=True)
            )
        )
        shift = draw(st.tuples(*[st.sampled_from([0.0, 0.0, 0.5, -0.5])] * 3))
        transforms.append(LevelTransform(factor, shift))
    return Octree.from_shapes(shapes, BRICK, transforms, max_overview=2**30)


def walk(
    geometry: NodeGeometry, entries: np.ndarray, grid: tuple[int, int, int], place: np.ndarray
) -> tuple[int, int | None]:
    """The slot found by the shader's own descent (0: none), and its level."""
    node, parent, found, found_level = 0, np.zeros(3, np.int64), 0, None
    for level in reversed(range(len(geometry.pitch))):
        index = np.floor((place - geometry.translation[level]) / geometry.pitch[level])
        index = np.clip(index, 0, geometry.last[level]).astype(np.int64)
        child = index
        if level < len(geometry.pitch) - 1:
            child = index - geometry.first_child(level, parent)
        child = np.clip(child, 0, geometry.block - 1)
        z, y, x = np.array(np.unravel_index(node, grid)) * geometry.block + child
        slot, flag = entries[z, y, x, :2]
        if flag in (ABSENT, FAILED):
            break
        node, parent = int(slot), index
        if flag == PASSAGE:
            continue
        found, found_level = int(slot), level
        if flag == LEAF:
            break
    return found, found_level


@settings(max_examples=150, deadline=None)
@given(octree=octrees(), seed=st.integers(0, 2**31), share=st.floats(0, 1))
def test_the_walk_finds_the_finest_brick_shown(octree: Octree, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    every = [
        ChunkKey(level.index, index)
        for level in octree.levels
        for index in np.ndindex(*level.grid_shape)
    ]
    keys = [key for key in every if rng.random() < share]
    failed = [key for key in every if key not in keys and rng.random() < 0.5]
    grid = ((len(keys) + len(failed)) // 12 + 1, 3, 5)
    numbers = rng.permutation(np.arange(1, np.prod(grid)))
    slots, failed_slots = np.split(numbers[: len(keys) + len(failed)], [len(keys)])
    failed_slots[rng.random(len(failed)) < 0.5] = 0
    passed = {key for key, slot in zip(failed, failed_slots, strict=True) if slot}
    geometry, ranges = NodeGeometry.of(octree), np.zeros((len(keys), 2))
    entries = node_entries(geometry, keys, slots, ranges, grid, failed, failed_slots)
    slot_of = dict(zip(keys, slots, strict=True))
    for place in rng.uniform(0, 1, (30, 3)) * octree.extent:
        slot, level = walk(geometry, entries, grid, place)
        expected, _, _ = cell_at(octree, set(keys), place, passed)
        assert level == expected
        if level is not None:
            pitch, last = geometry.pitch[level], geometry.last[level]
            index = np.clip(np.floor((place - geometry.translation[level]) / pitch), 0, last)
            assert slot == slot_of[ChunkKey(level, tuple(int(i) for i in index))]


def test_entries_carry_ranges() -> None:
    octree = Octree.from_shapes([(16,) * 3, (8,) * 3], BRICK, max_overview=8)
    keys = [ChunkKey(1, (0, 0, 0)), ChunkKey(0, (1, 0, 1))]
    ranges = np.array([[0.25, 0.5], [0.125, 1.0]])
    entries = node_entries(NodeGeometry.of(octree), keys, np.array([2, 1]), ranges, (1, 1, 3))
    assert entries[0, 0, 0].tolist() == [2, 2, 0.25, 0.5]
    assert entries[1, 0, 2 * 2 + 1].tolist() == [1, 1, 0.125, 1.0]
    assert np.count_nonzero(entries[..., 1]) == 2


def test_what_the_shader_cannot_walk_is_refused() -> None:
    flat = Octree.from_shapes([(16, 16)], BRICK)
    with pytest.raises(ValueError, match="3 axes"):
        NodeGeometry.of(flat)
    deep = Octree.from_shapes([(2**27 >> k,) * 3 for k in range(MAX_LEVELS + 1)], BRICK)
    with pytest.raises(ValueError, match="at most"):
        NodeGeometry.of(deep)
