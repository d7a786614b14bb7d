"""What a frame costs before GL, in calls of Python functions: the same on every machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from counted_calls import calls_of
from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.gpu import node_matrices
from napari_octree.rendering.view import view_motion


@pytest.fixture
def prepare(viewer, let_rest, pump_until, look_at, monkeypatch) -> Callable[[], int]:
    """Calls of a frame over 48 tiles that are all there.

    What is wished ahead of a move depends on its speed, which a slow machine measures otherwise.
    """
    monkeypatch.setattr(view_motion, "observe", lambda motion, *seen: motion)
    data = np.random.default_rng(0).integers(0, 255, (1024, 1024), np.uint8)
    config = OctreeConfig(octree={"tile_size": 64})
    layer = viewer.add_layer(OctreeImage([data], config=config, contrast_limits=(0, 255)))
    look_at(viewer, (512, 512), 1.0)
    let_rest(layer)
    tiles = layer._views[0].tiles
    pump_until(lambda: not (tiles.moving or tiles.lease.opening or tiles.frame.picture.stand_in))
    layer._views[0]._exports = None  # else a draw that is no paint event is an export
    node = layer._views[0].node
    return lambda: min(calls_of(lambda: node._prepare_draw(node)) for _ in range(3))


def test_a_frame_in_which_nothing_has_changed(prepare) -> None:
    assert prepare() <= 115


def test_a_frame_that_shows_the_same_tiles_elsewhere(viewer, prepare) -> None:
    y, x = viewer.scene.camera.center[-2:]
    (layer,) = viewer.layers
    node = layer._views[0].node
    costs = []
    for step in (0.25, 0.5, 0.75):
        viewer.scene.camera.center = (0, y, x + step)
        costs.append(calls_of(lambda: node._prepare_draw(node)))
    assert prepare() < min(costs) <= 340


def test_a_frame_does_not_cost_by_the_tile(viewer, prepare, look_at, pump) -> None:
    few = prepare()
    look_at(viewer, (512, 512), 0.6)
    (layer,) = viewer.layers
    assert layer.wait_until_settled(30)
    pump()
    assert prepare() <= few + 5


def test_a_frame_of_many_layers_looks_once_at_the_view(viewer, pump, look_at, monkeypatch) -> None:
    monkeypatch.setattr(view_motion, "observe", lambda motion, *seen: motion)
    pixels = np.ones((64, 64), np.uint8)
    layers = [
        viewer.add_layer(OctreeImage([pixels], translate=(0, 70 * n), contrast_limits=(0, 255)))
        for n in range(6)
    ]
    look_at(viewer, (32, 200), 1.0)
    assert all(layer.wait_until_settled(30) for layer in layers)
    pump()
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    for layer in layers:
        layer._views[0]._exports = None  # else a draw that is no paint event is an export
    looks, costs = [], []
    look = node_matrices._scene_matrices
    monkeypatch.setattr(
        node_matrices, "_scene_matrices", lambda *of: looks.append(of) or look(*of)
    )
    for step in (1, 2, 3):
        viewer.scene.camera.center = (0, 32, 200 + step)
        looks.clear()
        costs.append(calls_of(canvas._draw_scene) / len(layers))
        assert len(looks) == 1
    assert min(costs) <= 420
