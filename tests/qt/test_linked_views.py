"""Linked views share a point, looks and chunks, and let go of what they held."""

from contextlib import suppress

import numpy as np
import pytest
from napari.layers import Points

from napari_octree import OctreeImage
from napari_octree.plugin.commands.linked import open_linked_views
from napari_octree.rendering.gpu.vram import VRAM

VOLUME = np.random.default_rng(3).integers(0, 255, (40, 48, 56)).astype(np.uint8)


@pytest.fixture
def layer(viewer, recording_array):
    levels = [recording_array(VOLUME[::n, ::n, ::n], (16, 16, 16), f"level {n}") for n in (1, 2)]
    layer = viewer.add_layer(OctreeImage(levels, contrast_limits=(0, 255), name="cube"))
    assert layer.wait_until_settled(20)
    return layer


@pytest.fixture
def views(viewer, layer, qtbot, pump_until):
    views = open_linked_views(viewer)
    pump_until(lambda: all(pane.viewer.layers[0].settled for pane in views.panes))
    yield views
    with suppress(RuntimeError):  # it is gone already
        views.close()


def test_they_share_point_looks_and_chunks_and_free_what_they_held(
    viewer, layer, views, read_log, pump, pump_until, qtbot
):
    # One window for all of this: each takes a second.
    xy, yz, xz, volume = views.panes
    assert [pane.title for pane in views.panes] == ["xy", "yz", "xz", "3-D"]
    assert [tuple(p.viewer.dims.displayed) for p in views.panes] == [
        (1, 2), (1, 0), (0, 2), (0, 1, 2),
    ]  # fmt: skip
    read = [(r.array, str(r.index)) for r in read_log.reads]
    assert len(read) == len(set(read))  # each storage chunk once, in five views
    assert len({array for array, _ in read}) == 2

    # The point is that of all sliders; a slice shows what numpy says.
    viewer.dims.set_point(0, 12)
    assert views.point.point == (12, *views.point.point[1:])
    yz.viewer.dims.set_point(2, 30)
    assert xy.viewer.dims.point == (12, views.point.point[1], 30)
    assert viewer.dims.point[2] == 30
    pump_until(lambda: all(p.viewer.layers[0].settled for p in views.panes))
    copied = yz.viewer.layers[0]
    assert copied.get_value((7, 9, 30), world=True)[1] == VOLUME[7, 9, 30]

    # Zoom is one for all slices, looks follow the original.
    xy.viewer.scene.camera.zoom = 3
    assert xz.viewer.scene.camera.zoom == yz.viewer.scene.camera.zoom == 3
    layer.contrast_limits, layer.colormap, layer.visible = (10, 20), "magma", False
    for pane in views.panes:
        other = pane.viewer.layers[0]
        assert tuple(other.contrast_limits) == (10, 20)
        assert other.colormap.name == "magma"
        assert not other.visible
    layer.visible = True
    viewer.theme = "light"
    assert xy.viewer.theme == "light"
    viewer.theme = "dark"
    pump()

    # One that is closed holds nothing; the others go on.
    clients, vram = layer.loader.statistics.clients, VRAM.held_bytes
    volume._button.click()
    pump_until(lambda: layer.loader.statistics.clients <= clients - 2)
    assert VRAM.held_bytes < vram
    assert views.panes == [xy, yz, xz]
    viewer.dims.set_point(0, 5)
    assert yz.viewer.dims.point[0] == 5

    # And all of them nothing.
    views.close()
    del xy, yz, xz, volume, pane, other, copied
    pump_until(lambda: layer.loader.statistics.clients <= clients - 4 * 2)
    layer.gamma = 0.5
    viewer.dims.set_point(0, 6)
    assert views.point.point[0] == 5


def test_a_click_moves_the_crosshair_and_a_drag_does_not(views, pump):
    xy = views.panes[0]
    xy.viewer.cursor.position = (20, 11, 22)

    class Event:
        type = "mouse_press"

    event = Event()
    press = xy._on_press(xy.viewer, event)
    next(press)
    event.type = "mouse_release"
    assert next(press, None) is None
    assert views.point.point == (20, 11, 22)
    assert views.panes[2].viewer.dims.point[1] == 11
    xy.viewer.cursor.position = (20, 1, 2)
    event.type = "mouse_press"
    press = xy._on_press(xy.viewer, event)
    next(press)
    event.type = "mouse_move"
    next(press)
    event.type = "mouse_release"
    assert next(press, None) is None
    assert views.point.point == (20, 11, 22)


def test_what_has_no_third_axis_is_refused(viewer):
    viewer.add_layer(OctreeImage(VOLUME[0]))
    assert open_linked_views(viewer) is None
    viewer.add_layer(Points(np.zeros((1, 2))))
    assert open_linked_views(viewer) is None
