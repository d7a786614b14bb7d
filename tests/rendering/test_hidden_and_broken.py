"""Who is not drawn loads nothing: hidden layers, and those whose drawing has stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.view import layer_view
from napari_octree.rendering.volume.quality.motion_quality import FULL

LOOK: dict[str, Any] = {"contrast_limits": (0, 255)}
CONFIG = OctreeConfig(octree={"tile_size": 64}, loader_defaults={"num_workers": 1})


@pytest.fixture
def loading(viewer, look_at, let_rest, recording_pyramid, read_log, pump_until) -> OctreeImage:
    """A layer that waits for one read at its finest level, and has many more on its list."""
    layer = OctreeImage(recording_pyramid((768, 768), 3, chunks=(64, 64)), CONFIG, **LOOK)
    viewer.add_layer(layer)
    look_at(viewer, (380.3, 380.3), 0.25)
    let_rest(layer)
    read_log.hold()
    look_at(viewer, (380.3, 380.3), 1.1)
    pump_until(lambda: read_log.waiting == 1 and layer.loader.statistics.pending)
    return layer


def test_a_hidden_layer_starts_nothing_and_goes_on_when_shown(
    loading, viewer, read_log, pump, pump_until, screenshot
) -> None:
    loading.visible = False
    pump()
    before = len(read_log.reads)
    read_log.release()
    pump_until(lambda: not loading.loader.statistics.reading)
    viewer.scene.camera.zoom = 1.4
    pump()
    assert len(read_log.reads) == before
    assert loading.settled, "nobody waits for it"
    loading.visible = True
    assert loading.wait_until_settled(30)
    assert len(read_log.reads) > before
    assert loading.data_level == 0


def test_a_hidden_layer_follows_no_slider(
    viewer, recording_pyramid, read_log, pump, let_rest
) -> None:
    layer = OctreeImage(recording_pyramid((9, 128, 128), 2, chunks=(1, 64, 64)), CONFIG, **LOOK)
    viewer.add_layer(layer)
    let_rest(layer)
    layer.visible = False
    before = len(read_log.reads)
    viewer.dims.set_current_step(0, 7)
    pump()
    assert not layer.loader.statistics.pending
    assert len(read_log.reads) == before
    layer.visible = True
    assert layer.wait_until_settled(30)
    assert {read.index[0].start for read in read_log.reads[before:]} >= {7}
    assert layer._views[0].tiles.frame.picture.quads is not None


def test_a_layer_added_hidden_reads_nothing_until_it_is_shown(
    viewer, recording_pyramid, read_log, pump
) -> None:
    layer = OctreeImage(recording_pyramid((256, 256), 2), CONFIG, visible=False)
    viewer.add_layer(layer)
    pump()
    assert not read_log.reads
    layer.visible = True
    assert layer.wait_until_settled(30)
    assert np.ptp(layer.thumbnail[..., :3]) > 0


def test_a_volume_that_is_hidden_starts_nothing(
    viewer, recording_pyramid, read_log, pump, pump_until
) -> None:
    viewer.dims.ndisplay = 3
    config = OctreeConfig(octree={"brick_size": 16}, loader_defaults={"num_workers": 1})
    layer = OctreeImage(recording_pyramid((48, 64, 64), 2, chunks=(16, 16, 16)), config, **LOOK)
    read_log.hold()
    viewer.add_layer(layer)
    pump_until(lambda: read_log.waiting == 1)
    layer.visible = False
    pump()
    before = len(read_log.reads)
    read_log.release()
    pump_until(lambda: not layer.loader.statistics.reading)
    pump()
    assert len(read_log.reads) <= before + 1, "but for what a worker had taken already"
    assert layer.settled
    layer.visible = True
    assert layer.wait_until_settled(30)
    assert len(read_log.reads) >= 12


def test_a_volume_that_was_hidden_while_it_moved_comes_to_rest_when_shown(
    viewer, pump, pump_until
) -> None:
    viewer.dims.ndisplay = 3
    layer = OctreeImage(np.eye(40, dtype=np.uint8)[None].repeat(40, 0) * 200, **LOOK)
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    volume = layer._views[0].volume
    frames = volume.frames
    volume.refinement.quality._wanted = 8.0  # as of a slow machine
    viewer.scene.camera.angles = (20, 30, 40)
    volume._rested = False
    pump_until(lambda: volume.frames > frames)
    layer._views[0]._rest.stop()  # hidden before the timer has run out
    volume._rested = False
    volume.refinement.quality.moved()
    layer.visible = False
    pump()
    layer.visible = True
    assert layer.wait_until_settled(30)
    assert volume.refinement.quality.current == FULL


def test_a_layer_whose_drawing_has_stopped_loads_and_holds_nothing(
    loading, viewer, read_log, pump_until, monkeypatch
) -> None:
    (view,) = loading._views
    backdrop = viewer.add_layer(Image(np.zeros((8, 8), np.uint8)))

    def fail(now: float) -> bool:
        raise ValueError("broken")

    monkeypatch.setattr(view.tiles, "prepare", fail)
    told: list[str] = []
    monkeypatch.setattr(layer_view, "_raise_later", lambda error, message: told.append(message))
    view.request_frame()
    pump_until(lambda: told)
    assert "drawing has stopped: ValueError: broken" in told[0]
    read_log.release()
    pump_until(lambda: not loading.loader.statistics.pending)
    assert not loading.loader.statistics.staged_bytes
    assert backdrop in viewer.layers
