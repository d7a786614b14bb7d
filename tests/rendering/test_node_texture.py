"""Walking the entries of the node texture finds what a plain search finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.octree.transform import LevelTransform
from napari_octree.rendering.volume.nodes import node_geometry
from napari_octree.rendering.volume.nodes.node_entries import (
    ABSENT,
    BRANCH,
    FAILED,
    LEAF,
    PASSAGE,
    NodeEntries,
)
from napari_octree.rendering.volume.nodes.node_geometry import (
    MAX_LEVELS,
    TABLE_BRICKS,
    NodeGeometry,
)
from napari_octree.rendering.volume.nodes.node_table import FLAGS, OCTANT, WALK, node_table
from napari_octree.rendering.volume.nodes.node_texture import NodeTexture, node_texels
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


@dataclass
class Walk:
    """The shader's own descent to a place."""

    geometry: NodeGeometry
    texels: np.ndarray
    table: np.ndarray
    grid: tuple[int, int, int]
    place: np.ndarray
    found: int = 0
    level: int | None = None
    low: np.ndarray = field(default_factory=lambda: np.full(3, -np.inf))
    high: np.ndarray = field(default_factory=lambda: np.full(3, np.inf))

    def index(self, level: int) -> np.ndarray:
        geometry = self.geometry
        index = np.floor((self.place - geometry.translation[level]) / geometry.pitch[level])
        return np.clip(index, 0, geometry.last[level]).astype(np.int64)

    def narrow(self, index: np.ndarray, level: int) -> None:
        geometry = self.geometry
        low = geometry.translation[level] + index * geometry.pitch[level]
        high = low + geometry.pitch[level]
        self.low = np.maximum(self.low, np.where(index == 0, -np.inf, low))
        self.high = np.minimum(self.high, np.where(index == geometry.last[level], np.inf, high))

    def from_root(self) -> Walk:
        self.go_on(len(self.geometry.pitch) - 1, 0, np.zeros(3, np.int64))
        return self

    def from_table(self) -> Walk:
        geometry = self.geometry
        index = self.index(geometry.table_level)
        slot, code = self.table[tuple(index)][:2]
        level, flag = divmod(int(code), FLAGS)
        if flag == WALK:
            return self.from_root()
        if flag != ABSENT:
            self.found, self.level = int(slot), level
        part = level - 1 if flag == OCTANT else level
        self.narrow(self.index(part), part)
        if flag == BRANCH:
            self.go_on(geometry.table_level - 1, int(slot), index)
        return self

    def go_on(self, start: int, node: int, parent: np.ndarray) -> None:
        geometry = self.geometry
        for level in range(start, -1, -1):
            index = child = self.index(level)
            if level < len(geometry.pitch) - 1:
                first = geometry.first_child(level, parent)
                child = np.clip(index - first, 0, geometry.block - 1)
                index = first + child
            child = np.clip(child, 0, geometry.block - 1)
            self.narrow(index, level)
            z, y, x = np.array(np.unravel_index(node, self.grid)) * geometry.block + child
            slot, flag = self.texels[z, y, x, :2]
            if flag in (ABSENT, FAILED):
                break
            node, parent = int(slot), index
            if flag == PASSAGE:
                continue
            self.found, self.level = int(slot), level
            if flag == LEAF:
                break


@pytest.mark.parametrize("table_bricks", [8, TABLE_BRICKS], ids=["small table", "large table"])
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(octree=octrees(), seed=st.integers(0, 2**31), share=st.floats(0, 1))
def test_the_walk_finds_the_finest_brick_shown(
    monkeypatch: Any, table_bricks: int, octree: Octree, seed: int, share: float
) -> None:
    monkeypatch.setattr(node_geometry, "TABLE_BRICKS", table_bricks)
    rng = np.random.default_rng(seed)
    every = [
        ChunkKey(level.index, index)
        for level in octree.levels
        for index in np.ndindex(*level.grid_shape)
    ]
    keys = [key for key in every if rng.random() < share]
    failed = [key for key in every if key not in keys and rng.random() < 0.5 * (seed % 2)]
    grid = ((len(keys) + len(failed)) // 12 + 1, 3, 5)
    numbers = rng.permutation(np.arange(1, np.prod(grid)))
    slots, failed_slots = np.split(numbers[: len(keys) + len(failed)], [len(keys)])
    failed_slots[rng.random(len(failed)) < 0.5] = 0
    passed = {key for key, slot in zip(failed, failed_slots, strict=True) if slot}
    geometry, ranges = NodeGeometry.of(octree), np.zeros((len(keys), 2))
    nodes = NodeEntries.of(geometry, keys, slots, ranges, failed, failed_slots)
    texels, table = node_texels(nodes, grid), node_table(nodes)
    assert len(table) == geometry.last[geometry.table_level][0] + 1
    slot_of = dict(zip(keys, slots, strict=True))
    for place in rng.uniform(0, 1, (30, 3)) * octree.extent:
        expected, _, _ = cell_at(octree, set(keys), place, passed)
        plain = Walk(geometry, texels, table, grid, place).from_root()
        short = Walk(geometry, texels, table, grid, place).from_table()
        for walk in (plain, short):
            assert walk.level == expected
            assert (walk.low == plain.low).all()
            assert (walk.high == plain.high).all()
            if expected is not None:
                index = tuple(int(i) for i in walk.index(expected))
                assert walk.found == slot_of[ChunkKey(expected, index)]


def test_the_table_reaches_as_far_down_as_levels_nest() -> None:
    def table_level(shapes: list[int], shift: float = 0.0) -> int:
        transforms = [
            LevelTransform((shapes[0] / n,) * 3, (shift * (k > 0),) * 3)
            for k, n in enumerate(shapes)
        ]
        cubes = [(n,) * 3 for n in shapes]
        return NodeGeometry.of(
            Octree.from_shapes(cubes, BRICK, transforms, max_overview=2**30)
        ).table_level

    assert table_level([128, 64, 32, 16, 8]) == 0  # 16 bricks a side
    assert table_level([512, 256, 128, 64, 32, 16, 8]) == 2
    assert table_level([96, 64, 32, 16, 8]) == 1  # bricks of 1.5
    assert table_level([64, 32, 16], shift=0.5) == 1


def test_entries_carry_ranges() -> None:
    octree = Octree.from_shapes([(16,) * 3, (8,) * 3], BRICK, max_overview=8)
    keys = [ChunkKey(1, (0, 0, 0)), ChunkKey(0, (1, 0, 1))]
    ranges = np.array([[0.25, 0.5], [0.125, 1.0]])
    nodes = NodeEntries.of(NodeGeometry.of(octree), keys, np.array([2, 1]), ranges)
    texels = node_texels(nodes, (1, 1, 3))
    assert texels[0, 0, 0].tolist() == [2, 2, 0.25, 0.5]
    assert texels[1, 0, 2 * 2 + 1].tolist() == [1, 1, 0.125, 1.0]
    assert np.count_nonzero(texels[..., 1]) == 2
    table = node_table(nodes)
    assert table[1, 0, 1].tolist() == [1, LEAF, 0.125, 1.0]
    assert table[0, 0, 0].tolist() == [2, OCTANT + FLAGS, 0.25, 0.5]


def test_both_textures_count() -> None:
    octree = Octree.from_shapes([(16,) * 3, (8,) * 3], BRICK, max_overview=8)
    nodes = NodeTexture(NodeGeometry.of(octree), (1, 1, 3))
    children, table = (2, 2, 2 * 3), (2, 2, 2)
    assert [texture.shape for texture in nodes.textures] == [(*children, 4), (*table, 4)]
    assert nodes.nbytes == 16 * (np.prod(children) + np.prod(table))


def test_what_the_shader_cannot_walk_is_refused() -> None:
    flat = Octree.from_shapes([(16, 16)], BRICK)
    with pytest.raises(ValueError, match="3 axes"):
        NodeGeometry.of(flat)
    deep = Octree.from_shapes([(2**27 >> k,) * 3 for k in range(MAX_LEVELS + 1)], BRICK)
    with pytest.raises(ValueError, match="at most"):
        NodeGeometry.of(deep)
