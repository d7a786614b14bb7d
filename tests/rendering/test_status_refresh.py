"""What the status bar says of a resting cursor is true once the picture has changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_octree import OctreeImage


def test_a_resting_cursor_is_told_what_has_loaded_under_it(
    viewer, recording_array, read_log, pump_until
) -> None:
    base = np.full((600, 800), 20, np.uint8)
    levels = [base, base[::2, ::2] + 1]
    arrays = [recording_array(data, (256, 256), f"level {k}") for k, data in enumerate(levels)]
    layer = viewer.add_layer(OctreeImage(arrays, contrast_limits=(0, 60)))
    viewer.scene.camera.zoom = 0.4  # level 1 is ideal
    assert layer.wait_until_settled(30)
    viewer.cursor.position = (300, 400)
    told: list[str] = []

    def look(event: Any = None) -> None:
        told.append(layer.get_status(viewer.cursor.position)["value"])

    viewer.cursor.events.position.connect(look)
    read_log.hold()
    viewer.scene.camera.zoom = 2
    pump_until(lambda: told and "loaded" in told[-1])
    assert told[-1] == "1, 21 (coarser) [0% loaded]"
    read_log.release()
    pump_until(lambda: told[-1] == "0, 20")


def test_it_leaves_alone_who_looks_at_another_layer(viewer, pump_until) -> None:
    layer = viewer.add_layer(OctreeImage(np.zeros((64, 64), np.uint8)))
    refresh = layer._views[0]._status
    assert layer.wait_until_settled(30)
    pump_until(lambda: not refresh.due)
    looks: list[Any] = []
    viewer.cursor.events.position.connect(looks.append)
    viewer.layers.selection.clear()
    layer.events.progress(value=layer.progress)
    assert refresh.due
    pump_until(lambda: not refresh.due)
    assert not looks
    viewer.layers.selection.active = layer
    looks.clear()
    layer.events.progress(value=layer.progress)
    pump_until(lambda: looks)
    assert not refresh.due  # nothing changes any more: nothing is asked
    viewer.layers.remove(layer)
    layer.events.progress(value=layer.progress)
    assert not refresh.due
