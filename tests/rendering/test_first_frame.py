"""What a new layer asks of the loader before its first frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeImage, OctreeLabels
from napari_octree.rendering.tiles import tile_drawing
from napari_octree.rendering.tiles.tile_drawing import GATHER_MS, SOFTWARE_GATHER_MS


def read_places(read_log: Any) -> list[tuple[str, str]]:
    return [(read.array, repr(read.index)) for read in read_log.reads]


@pytest.mark.parametrize("layer_type", [OctreeImage, OctreeLabels])
def test_the_view_is_read_before_its_first_frame(
    viewer, recording_pyramid, read_log, layer_type, pump_until
) -> None:
    """The event loop does not run between `add_layer` and the look at the reads."""
    levels = recording_pyramid((2048, 2048), levels=4, chunks=(256, 256))
    read_log.hold()
    layer = viewer.add_layer(layer_type(levels))
    client = layer._views[0].tiles.client
    asked = client.pending
    assert asked > 1
    read_log.release()
    assert layer.wait_until_settled()
    places = read_places(read_log)
    assert len(places) == len(set(places))  # the frame has asked for the same
    assert not read_log.in_gui_thread


def test_a_hidden_layer_asks_for_nothing(viewer, recording_pyramid, read_log) -> None:
    levels = recording_pyramid((2048, 2048), levels=4, chunks=(256, 256))
    read_log.hold()
    layer = viewer.add_layer(OctreeImage(levels, visible=False))
    assert not layer._views[0].tiles.client.pending


def test_a_camera_set_at_once_is_what_counts(viewer, recording_pyramid, screenshot) -> None:
    levels = recording_pyramid((2048, 2048), levels=4, chunks=(256, 256))
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 255)))
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 1500, 1500), 1
    assert layer.wait_until_settled()
    view = layer._views[0]
    assert view.level == 0
    assert view.progress.loading == 0


def test_limits_that_change_the_texels_before_the_frame_count(viewer, screenshot) -> None:
    """What was made for other texels must not be shown."""
    pixels = np.linspace(0, 1, 1024**2).reshape(1024, 1024) + 2.0**40
    levels = [pixels, pixels[::2, ::2]]
    limits = (2.0**40, 2.0**40 + 1)
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 2.0**41)))
    layer.contrast_limits = limits
    assert layer.wait_until_settled()
    shown = screenshot(viewer)
    viewer.layers.remove(layer)
    other = viewer.add_layer(OctreeImage(levels, contrast_limits=limits))
    assert other.wait_until_settled()
    np.testing.assert_array_equal(shown, screenshot(viewer))
    assert len(np.unique(shown)) > 100  # the ramp is seen


@pytest.mark.parametrize("in_software", [True, False])
def test_what_arrives_waits_a_moment_for_the_rest(
    viewer, recording_pyramid, read_log, look_at, monkeypatch, in_software
) -> None:
    """Longer where the processor draws: a frame more takes longer there."""
    monkeypatch.setattr(tile_drawing, "draws_in_software", lambda: in_software)
    most_ms = SOFTWARE_GATHER_MS if in_software else GATHER_MS
    levels = recording_pyramid((2048, 2048), levels=4, chunks=(256, 256))
    layer = viewer.add_layer(OctreeImage(levels))
    assert layer.wait_until_settled()
    read_log.hold()
    look_at(viewer, (1500, 1500), 1.0)
    drawing = layer._views[0].tiles
    assert drawing.client.pending
    drawing._gathers_until = None  # as if nothing had arrived since the frame
    assert drawing.refine(-1e6) == pytest.approx(most_ms, abs=1)
    assert drawing.refine(1e12) == 0  # it has waited long enough
    read_log.release()
    assert layer.wait_until_settled()
    assert drawing.refine(-1e6) == 0  # nothing else is to come
