"""What 3-D costs: frames against napari's own volume, selections, node entries, encoding.

Times are processor times of this process, which a software renderer spends in it: other programs
do not count. `python -m pytest benchmarks/test_volume.py --benchmark-only`, on a display.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from brick_scene import BrickScene, pyramid, smooth_volume
from napari_octree.octree.bricks.selection import BrickSelection, select_bricks
from napari_octree.octree.octree import Octree
from napari_octree.octree.view import VolumeView
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.nodes.node_entries import NodeEntries
from napari_octree.rendering.volume.nodes.node_geometry import NodeGeometry
from napari_octree.rendering.volume.nodes.node_table import node_table
from napari_octree.rendering.volume.nodes.node_texture import node_texels
from napari_octree.rendering.volume.volume_shaders import MODES

SIZE = 256
BRICK = 64
CANVAS = 300
HUGE = 2**20


@pytest.fixture(scope="module", params=["dense", "two thirds empty"])
def pair(request: Any, qapp: Any) -> Iterator[tuple[BrickScene, Any, Any]]:
    """A canvas with stock's and our node of the same volume, all of it resident at level 0."""
    volume = smooth_volume(SIZE, empty=request.param != "dense")
    if request.param != "dense":
        assert (volume == 0).mean() > 0.66
    scene = BrickScene(CANVAS)
    stock = scene.add_stock(volume, (0.1, 0.9))
    ours = scene.add_bricks(pyramid(volume, BRICK), (0.1, 0.9), brick=BRICK)
    scene.look((SIZE / 2,) * 3, 1.3 * SIZE)
    yield scene, stock, ours
    scene.close()


@pytest.mark.parametrize("which", ["stock", "ours"])
@pytest.mark.parametrize("mode", MODES)
def test_frame(benchmark: Any, pair: Any, mode: str, which: str, request: Any) -> None:
    """One frame, stock's and ours."""
    scene, stock, ours = pair
    kind = request.node.callspec.params["pair"]
    benchmark.group = f"frame, {SIZE}³ {kind}, {mode}"
    benchmark._timer = time.process_time
    node = stock if which == "stock" else ours
    node.method, node.threshold, node.attenuation = mode, 0.5, 0.05
    scene.picture(node)
    benchmark.pedantic(scene.picture, args=(node,), rounds=5)


def huge_octree() -> Octree:
    """2^20 voxels a side."""
    return Octree.from_shapes([(HUGE >> k,) * 3 for k in range(15)], BRICK, max_overview=BRICK)


def look(distance: float) -> VolumeView:
    """A perspective look along z from a distance to the middle."""
    f, d = 2.4, distance
    middle = HUGE / 2
    matrix = (
        (0, 0, f, -f * middle),
        (0, f, 0, -f * middle),
        (1.0, 0, 0, -middle + d - 1e-3 * d),
        (1.0, 0, 0, -middle + d),
    )
    return VolumeView(matrix, (800.0, 600.0), (middle,) * 3)


def selection(distance: float, nodes: int = 1000) -> BrickSelection:
    """What `look` shows."""
    return select_bricks(huge_octree(), look(distance), nodes)


@pytest.mark.parametrize("distance", [2e6, 1e5, 3e3])
def test_select_1000_bricks(benchmark: Any, distance: float) -> None:
    """From far, from a tenth, from near."""
    octree, view = huge_octree(), look(distance)
    benchmark.group = "selection of at most 1000 bricks of 2^20 voxels a side"
    chosen = benchmark(select_bricks, octree, view, 1000)
    benchmark.extra_info["bricks"] = len(chosen)


def test_node_textures_of_1000_bricks(benchmark: Any) -> None:
    """Composed anew whenever bricks come or go."""
    chosen = selection(1e5)
    keys = [*chosen.ancestors, *chosen.leaves]
    slots, ranges = np.arange(1, len(keys) + 1), np.zeros((len(keys), 2))
    geometry = NodeGeometry.of(huge_octree())
    benchmark.group = "node texture"

    def compose() -> None:
        nodes = NodeEntries.of(geometry, keys, slots, ranges)
        node_texels(nodes, (11, 10, 10))
        node_table(nodes)

    benchmark(compose)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_encode_a_brick(benchmark: Any, dtype: str) -> None:
    """Padding and ranges."""
    encoding = BrickEncoding(texture_encoding(np.dtype(dtype)), (BRICK,) * 3)
    voxels = (np.random.default_rng(0).random(encoding.slot_shape) * 255).astype(dtype)
    benchmark.group = "encoding a brick, in a worker"
    benchmark(encoding.encode, voxels)
