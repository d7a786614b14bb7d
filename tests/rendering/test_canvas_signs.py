"""What is done to a canvas besides the picture: the loading sign, and where the mouse is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.canvas.loading_sign import INSET, LoadingNotice

LOOK: dict[str, Any] = {"contrast_limits": (0, 255)}
CONFIG = OctreeConfig(octree={"tile_size": 64}, loader_defaults={"num_workers": 1})


@pytest.fixture
def late(viewer, look_at, let_rest, recording_pyramid, read_log, pump_until) -> OctreeImage:
    """A layer that has been loading for so long that the sign is drawn."""
    layer = OctreeImage(recording_pyramid((768, 768), 3, chunks=(64, 64)), CONFIG, **LOOK)
    viewer.add_layer(layer)
    look_at(viewer, (380.3, 380.3), 0.25)
    let_rest(layer)
    read_log.hold()
    look_at(viewer, (380.3, 380.3), 1.1)
    pump_until(lambda: layer._views[0]._notice._sign is not None)
    return layer


def place_of_sign(layer: OctreeImage) -> float:
    """Its distance from the upper border, as drawn last."""
    return float(layer._views[0]._notice._sign._data["a_position"][0, 1])


def test_the_sign_stays_in_the_corner_when_the_canvas_is_resized(late, viewer, pump_until) -> None:
    pump_until(lambda: place_of_sign(late) == 300 - INSET)
    viewer.window._qt_viewer.canvas.native.setFixedSize(400, 200)
    pump_until(lambda: place_of_sign(late) == 200 - INSET)


def test_no_screenshot_shows_the_sign(late, viewer, screenshot, pump_until) -> None:
    pump_until(lambda: place_of_sign(late) == 300 - INSET)
    corner = screenshot(viewer)[-2 * INSET :, : 2 * INSET, :3].astype(int)
    assert np.ptp(corner, axis=-1).max() == 0, "the image is grey, the sign is not"


def test_no_sign_is_made_while_the_view_moves(viewer, let_rest, pump_until) -> None:
    """To compile its program takes as long as a stutter."""
    layer = viewer.add_layer(OctreeImage([np.ones((64, 64), np.uint8)], CONFIG, **LOOK))
    let_rest(layer)
    node, notice = layer._views[0].node, LoadingNotice(lambda: None)
    notice.report(node, True, False, moving=True)
    pump_until(lambda: notice.late)
    assert notice._sign is None
    notice.report(node, True, False, moving=False)
    pump_until(lambda: notice._sign is not None)
    notice.close()


def test_tiles_are_loaded_from_under_the_mouse_outward(
    viewer, look_at, let_rest, recording_pyramid, read_log, pump_until, qtbot
) -> None:
    layer = OctreeImage(recording_pyramid((1024, 1024), 4, chunks=(64, 64)), CONFIG, **LOOK)
    viewer.add_layer(layer)
    look_at(viewer, (512.3, 512.3), 0.2)
    let_rest(layer)
    before = len(read_log.reads)
    read_log.hold()
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.mouseMove(canvas, QPoint(40, 250))
    pump_until(lambda: layer._views[0].tiles._cursor() is not None)
    look_at(viewer, (512.3, 512.3), 1.1)
    y, x = 512.3 + (250 - 150) / 1.1, 512.3 + (40 - 200) / 1.1
    view = layer._views[0].tiles.tracked.view
    assert view.focus == pytest.approx((y + 0.5, x + 0.5), abs=1)
    read_log.release()
    assert layer.wait_until_settled(30)
    first = next(read for read in read_log.reads[before:] if read.array == "level 0")
    rows, columns = first.index
    assert rows.start <= y < rows.stop
    assert columns.start <= x < columns.stop
