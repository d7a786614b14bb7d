"""Promise 1: whatever the user does, no pixel is read in the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeImage


def user_actions(viewer: Any, layer: Image, second: Any) -> dict[str, Callable[[], Any]]:
    """Everything a person does in a session, by name."""
    window = viewer.window._qt_viewer
    camera = viewer.scene.camera
    ndim = layer.ndim

    def pan(step: float = 40) -> None:
        z, y, x = camera.center
        camera.center = (z, y + step, x + 2 * step)

    def hover() -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtTest import QTest

        for i in range(5):
            QTest.mouseMove(window.canvas.native, QPoint(100 + 20 * i, 100 + 11 * i))
        layer.get_value((5.0,) * ndim)
        layer.get_status((5.0,) * ndim)

    def transpose(*order: int) -> Callable[[], None]:
        return lambda: setattr(viewer.dims, "order", order)

    def contrast_popup() -> None:
        controls = window.controls.widgets[layer]
        controls._contrast_limits_control.histogram_button.click()
        controls._contrast_limits_control.histogram_button.click()

    def duplicate() -> None:
        from napari.layers._layer_actions import _duplicate_layer

        viewer.layers.selection = {layer}
        _duplicate_layer(viewer.layers)

    def show_twice() -> None:
        second.add_layer(layer)
        second.scene.camera.zoom = 3

    actions: dict[str, Callable[[], Any]] = {
        "add": lambda: viewer.add_layer(layer),
        "zoom in": lambda: setattr(camera, "zoom", 2.0),
        "pan": pan,
        "zoom far in": lambda: setattr(camera, "zoom", 9.0),
        "pan far": lambda: pan(200),
        "zoom out": lambda: setattr(camera, "zoom", 0.2),
        "reset view": viewer.reset_view,
        "resize": lambda: window.canvas.native.setFixedSize(500, 350),
        "dims step": lambda: viewer.dims.set_point(0, 2),
        "dims scrub": lambda: [viewer.dims.set_point(0, i) for i in range(6)],
        "dims transpose": transpose(0, 2, 1),
        "dims roll": transpose(1, 0, 2),
        "dims back": transpose(0, 1, 2),
        "thick slice": lambda: setattr(viewer.dims, "thickness", (4.0, 0.0, 0.0)),
        "thin slice": lambda: setattr(viewer.dims, "thickness", (0.0, 0.0, 0.0)),
        "projection mode": lambda: setattr(layer, "projection_mode", "max"),
        "colour map": lambda: setattr(layer, "colormap", "viridis"),
        "contrast limits": lambda: setattr(layer, "contrast_limits", (100, 5000)),
        "contrast beyond the data": lambda: setattr(layer, "contrast_limits", (-5, 99999)),
        "gamma": lambda: setattr(layer, "gamma", 0.5),
        "opacity": lambda: setattr(layer, "opacity", 0.5),
        "blending": lambda: setattr(layer, "blending", "additive"),
        "interpolation": lambda: setattr(layer, "interpolation2d", "linear"),
        "thumbnail": layer._update_thumbnail,
        "refresh": layer.refresh,
        "extent": lambda: (layer._clear_extent(), layer.extent, viewer.layers.extent),
        "scale": lambda: setattr(layer, "scale", (2.0,) * ndim),
        "rotate": lambda: setattr(layer, "rotate", 10 if ndim == 2 else (10, 0, 0)),
        "auto contrast once": layer.reset_contrast_limits,
        "contrast of the data": lambda: layer.reset_contrast_limits(mode="data"),
        "contrast range": layer.reset_contrast_limits_range,
        "auto contrast": lambda: setattr(layer, "auto_contrast", True),
        "hover": hover,
        "hide": lambda: setattr(layer, "visible", False),
        "show": lambda: setattr(layer, "visible", True),
        "histogram": lambda: setattr(layer.histogram, "enabled", True),
        "full histogram": lambda: setattr(layer.histogram, "mode", "full"),
        "histogram counts": lambda: layer.histogram.counts,
        "histogram off": lambda: setattr(layer.histogram, "enabled", False),
        "contrast popup": contrast_popup,
        "lock level": lambda: setattr(layer, "locked_data_level", 1),
        "unlock level": lambda: setattr(layer, "locked_data_level", None),
        "bounding box": lambda: setattr(layer.bounding_box, "visible", True),
        "grid": lambda: setattr(viewer.canvas.grid, "enabled", True),
        "grid off": lambda: setattr(viewer.canvas.grid, "enabled", False),
        "screenshot": lambda: viewer.screenshot(flash=False),
        "export figure": lambda: viewer.export_figure(flash=False),
        "3-D": lambda: setattr(viewer.dims, "ndisplay", 3),
        "rendering": lambda: setattr(layer, "rendering", "minip"),
        "2-D": lambda: setattr(viewer.dims, "ndisplay", 2),
        "transform mode": lambda: setattr(layer, "mode", "transform"),
        "pan mode": lambda: setattr(layer, "mode", "pan_zoom"),
        "state": lambda: (layer._get_state(), layer.as_layer_data_tuple(), repr(layer.data)),
        # With a bounding box in two viewers stock napari raises a GL error on removal.
        "bounding box off": lambda: setattr(layer.bounding_box, "visible", False),
        "second viewer": show_twice,
        "duplicate": duplicate,
        "remove": lambda: viewer.layers.remove(layer),
        "add again": lambda: viewer.add_layer(layer),
        "remove again": lambda: viewer.layers.remove(layer),
    }
    if ndim == 2:
        for name in list(actions):
            if name.startswith("dims") or "slice" in name:
                del actions[name]
    return actions


@pytest.mark.parametrize("shape", [(700, 900), (8, 700, 900)], ids=["2-D", "3-D"])
@pytest.mark.parametrize("chunked", [True, False])
def test_user_actions(make_viewer, recording_pyramid, read_log, pump, shape, chunked) -> None:
    viewer, second = make_viewer(), make_viewer()
    chunks = ((1,) * (len(shape) - 2) + (256, 256)) if chunked else None
    with read_log.during("construct"):
        layer = OctreeImage(recording_pyramid(shape, dtype="uint16", chunks=chunks))
    actions = user_actions(viewer, layer, second)
    assert len(actions) >= 40
    for name, act in actions.items():
        with read_log.during(name):
            act()
            pump()
            if layer in viewer.layers and viewer.dims.ndisplay == 2 and layer.visible:
                assert layer.wait_until_settled(30), f"not settled after {name}"
    assert read_log.reads, "nothing was loaded at all"
    assert [(r.action, r.array) for r in read_log.in_gui_thread] == []


def test_the_test_sees_stock_reading(viewer, recording_pyramid, read_log, pump) -> None:
    viewer.add_layer(Image(recording_pyramid((300, 400)), multiscale=True))
    pump()
    assert read_log.in_gui_thread
    np.testing.assert_equal(read_log.in_gui_thread[0].in_gui_thread, True)
