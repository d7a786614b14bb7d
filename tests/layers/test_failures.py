"""Promise 7, as a user sees it: told once, counted, nothing stops, and a reload tries again."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_octree import OctreeImage


@pytest.fixture
def failing(recording_array, read_log):
    """Two levels; the right half of level 0 cannot be read while `broken` holds True."""
    broken = [True]
    base = np.full((1024, 1024), 200, np.uint8)

    def failure(read):
        if read.array == "level 0" and broken[0] and read.index[-1].start >= 512:
            return PermissionError("403: not for you")
        return None

    read_log.failure = failure
    levels = [recording_array(base[:: 2**k, :: 2**k], (256, 256), f"level {k}") for k in (0, 1)]
    return levels, broken


def told(text: str) -> int:
    return sum(text in record.message for record in notification_manager.records)


def test_the_user_is_told_once_and_the_rest_is_shown(
    viewer, failing, screenshot, pump, pump_until
) -> None:
    levels, broken = failing
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 255)))
    layer.display.show_loading = False  # the dot, which appears after a while
    viewer.scene.camera.zoom = 0.9
    viewer.scene.camera.center = (0, 512, 512)
    before = told("403")
    assert not layer.wait_until_settled(30)
    assert not layer.settled
    progress = layer.progress
    assert progress.failed > 0
    assert progress.loading == 0
    assert progress.resident + progress.failed == progress.ideal
    pump_until(lambda: told("403") > before)
    pump()
    assert told("403") == before + 1
    # The coarser level stands in for what failed, and hatching tells it from the rest.
    shown = screenshot(viewer)[5:-5, 5:-5, 0]
    assert (shown >= 200).all()
    assert (shown[:, : shown.shape[1] // 3] == 200).all()

    broken[0] = False
    layer.reload()
    assert layer.wait_until_settled(30)
    assert layer.progress.failed == 0


def test_a_failed_overview_does_not_hide_the_rest(viewer, recording_array, read_log) -> None:
    base = np.full((1024, 1024), 200, np.uint8)
    read_log.failure = lambda read: PermissionError("403") if read.array == "level 1" else None
    levels = [recording_array(base[:: 2**k, :: 2**k], (256, 256), f"level {k}") for k in (0, 1)]
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 255)))
    viewer.scene.camera.zoom = 2
    assert not layer.wait_until_settled(30)
    assert layer.progress.resident == layer.progress.ideal > 0


def test_what_is_forbidden_after_settling_leaves_the_picture(
    viewer, recording_array, read_log, look_at, screenshot, pump, pump_until
) -> None:
    base = np.arange(2048 * 2048, dtype=np.uint32).reshape(2048, 2048).astype(np.uint8)
    levels = [recording_array(base[:: 2**k, :: 2**k], (256, 256), f"level {k}") for k in range(4)]
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 255)))
    layer.display.show_loading = False
    look_at(viewer, (256, 256), 1)
    assert layer.wait_until_settled(30)
    before_it_was_forbidden, before = screenshot(viewer), told("revoked")
    read_log.failure = lambda read: PermissionError("revoked")
    for place in ((1700, 1700), (1700, 300)):  # far from what was read ahead
        look_at(viewer, place, 1)
        assert not layer.wait_until_settled(30)
        assert layer.progress.failed > 0
        shown = screenshot(viewer)
        assert shown[..., :3].any(axis=-1).mean() > 0.9, "the coarser picture is there"
    pump_until(lambda: told("revoked") > before)
    pump()
    assert told("revoked") == before + 1
    look_at(viewer, (256, 256), 1)
    assert layer.wait_until_settled(30)
    np.testing.assert_array_equal(screenshot(viewer), before_it_was_forbidden)

    read_log.failure = None
    look_at(viewer, (1700, 300), 1)
    layer.reload()
    assert layer.wait_until_settled(30)
    assert layer.progress.failed == 0
