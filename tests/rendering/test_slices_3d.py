"""Volumes that a slider moves through: what stays, what is read ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from brick_scene import smooth_volume
from napari_octree import OctreeConfig, OctreeImage

SIZE = 32
SMALL_BRICKS = OctreeConfig(octree={"brick_size": 16})


@pytest.fixture
def viewer(make_viewer: Callable[..., Any]) -> Any:
    return make_viewer((200, 200), ndisplay=3)


@pytest.fixture
def look(viewer: Any, pump: Callable[[], None]) -> Callable[[], None]:
    def at() -> None:
        camera = viewer.scene.camera
        camera.angles, camera.zoom, camera.center = (10, 35, 60), 4.0, (SIZE / 2,) * 3
        pump()

    return at


def test_a_former_time_point_is_marked_until_the_new_one_is_there(
    viewer: Any,
    look: Any,
    pump_until: Any,
    recording_array: Any,
    read_log: Any,
    screenshot: Any,
    fast_frames: None,
) -> None:
    volume = (smooth_volume(SIZE) * 255).astype(np.uint8)
    movie = np.stack([volume, volume[::-1]])
    layer = OctreeImage(
        [recording_array(movie, (1, 16, 16, 16))], config=SMALL_BRICKS, contrast_limits=(0, 255)
    )
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)
    settled = screenshot(viewer)[..., :3].astype(float)
    read_log.hold()
    (view,) = layer._views
    frames = view.statistics.frames
    viewer.dims.set_current_step(0, 1)
    pump_until(lambda: view.statistics.frames > frames and view.volume._rested)
    waiting = screenshot(viewer)[..., :3].astype(float)
    assert not layer.settled
    bright = settled.max(axis=-1) > 100
    assert np.allclose(waiting[bright], settled[bright] / 2, atol=2)
    read_log.release()
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[..., :3].astype(float).max() > 240


def test_the_next_time_point_is_read_before_the_slider_gets_there(
    viewer: Any, look: Any, pump_until: Any, recording_array: Any, read_log: Any
) -> None:
    movie = np.stack([(smooth_volume(SIZE, seed) * 255).astype(np.uint8) for seed in range(5)])
    layer = OctreeImage(
        [recording_array(movie, (1, 16, 16, 16))], config=SMALL_BRICKS, contrast_limits=(0, 255)
    )
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)

    def chunks(time: int) -> int:
        return sum(read.index[0] == slice(time, time + 1) for read in read_log.reads)

    assert viewer.dims.current_step[0] == 2
    assert chunks(2) == 8
    assert len(read_log.reads) == 8, "before a slider moves no other slice is likely"
    viewer.dims.set_current_step(0, 3)
    assert layer.wait_until_settled(30)
    pump_until(lambda: chunks(4) == 8)
    read_log.hold()
    reads = chunks(4)
    viewer.dims.set_current_step(0, 4)
    assert layer.wait_until_settled(30)
    assert chunks(4) == reads


@pytest.mark.parametrize(
    ("mode", "values", "limits"), [("mean", (10, 11), (10, 11)), ("sum", (200, 215), (400, 430))]
)
def test_thick_slices_hold_values_that_no_time_point_holds(
    viewer: Any, look: Any, screenshot: Any, mode: str, values: Any, limits: Any
) -> None:
    movie = np.stack([np.full((SIZE,) * 3, value, np.uint8) for value in values])
    layer = OctreeImage([movie], config=SMALL_BRICKS, contrast_limits=limits, projection_mode=mode)
    viewer.add_layer(layer)
    viewer.dims.thickness = (2, 0, 0, 0)
    look()
    assert layer.wait_until_settled(30)
    assert abs(int(screenshot(viewer)[100, 100, 0]) - 128) <= 1
    viewer.dims.thickness = (0, 0, 0, 0)
    layer.contrast_limits = (0, 2 * values[layer.octree_slice.key.position(0)])
    assert layer.wait_until_settled(30)
    assert abs(int(screenshot(viewer)[100, 100, 0]) - 128) <= 1
