"""Another look reads nothing and uploads nothing; the GUI thread never reads; what tiles cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.utils.colormaps import DirectLabelColormap, label_colormap

from napari_octree import OctreeConfig, OctreeLabels
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.labels.label_tiles import REACH


def blocks(shape: tuple[int, ...], dtype: str = "int32") -> np.ndarray:
    """A label of its own for each block of 20² pixels, every fifth of them background."""
    rows, columns = shape[-2] // 20 + 1, shape[-1] // 20 + 1
    seeds = np.arange(rows * columns, dtype=dtype).reshape(rows, columns) * 7
    seeds[seeds % 5 == 0] = 0
    plane = np.kron(seeds, np.ones((20, 20), dtype))[: shape[-2], : shape[-1]]
    return np.broadcast_to(plane, shape).copy()


def pyramid(recording_array: Any, shape: tuple[int, ...], **keywords: Any) -> list[Any]:
    data = blocks(shape)
    chunks = (1,) * (len(shape) - 2) + (128, 128)
    return [
        recording_array(data[..., :: 2**level, :: 2**level], chunks, f"level {level}")
        for level in range(3)
    ]


def test_another_look_reads_and_uploads_nothing(
    viewer: Any, recording_array: Any, read_log: Any, let_rest: Any, look_at: Any, screenshot: Any
) -> None:
    layer = OctreeLabels(pyramid(recording_array, (700, 900)))
    viewer.add_layer(layer)
    look_at(viewer, (300, 400), 1.3)
    let_rest(layer)
    colours = {label: np.random.default_rng(label).random(4) for label in range(0, 7000, 7)}
    direct = DirectLabelColormap(color_dict={**colours, None: "red", 0: "transparent"})
    looks: dict[str, Callable[[], Any]] = {
        "select": lambda: setattr(layer, "selected_label", 4977),
        "only selected": lambda: setattr(layer, "show_selected_label", True),
        "select another": lambda: setattr(layer, "selected_label", 4984),
        "all": lambda: setattr(layer, "show_selected_label", False),
        "contour 1": lambda: setattr(layer, "contour", 1),
        "contour 3": lambda: setattr(layer, "contour", 3),
        "contour 7": lambda: setattr(layer, "contour", 7),
        "contour 30": lambda: setattr(layer, "contour", 30),
        "areas": lambda: setattr(layer, "contour", 0),
        "shuffle": lambda: layer.new_colormap(seed=3),
        "60000 colours": lambda: setattr(layer, "colormap", label_colormap(60_000)),
        "background": lambda: setattr(layer, "colormap", label_colormap(49, background_value=7)),
        "direct": lambda: setattr(layer, "colormap", direct),
        "opacity": lambda: setattr(layer, "opacity", 0.3),
        "blending": lambda: setattr(layer, "blending", "additive"),
        "features": lambda: setattr(layer, "features", {"index": [7], "name": ["a"]}),
    }
    reads, before = len(read_log.reads), layer.statistics.views[0]
    former = screenshot(viewer)
    for name, change in looks.items():
        change()
        picture = screenshot(viewer)
        if name not in ("select", "features", "blending"):
            assert (picture != former).any(), f"{name} shows nothing new"
        former = picture
    let_rest(layer)
    after = layer.statistics.views[0]
    assert len(read_log.reads) == reads
    assert (after.uploads, after.upload_bytes) == (before.uploads, before.upload_bytes)
    assert read_log.in_gui_thread == []


def test_outlines_take_no_memory_that_is_not_theirs(
    viewer: Any, let_rest: Any, look_at: Any, screenshot: Any, pump_until: Any
) -> None:
    limit, other = 4 * 2**20, object()
    config = OctreeConfig(memory={"vram_bytes": limit}, octree={"tile_size": 64})
    layer = OctreeLabels(blocks((600, 600)), config=config)
    layer.contour = 3
    viewer.add_layer(layer)
    look_at(viewer, (300.3, 300.7), 2.3)

    def atlas_bytes() -> int:
        let_rest(layer)
        return layer.statistics.views[0].vram_bytes

    assert atlas_bytes() < VRAM.held_bytes
    picture = screenshot(viewer)
    try:
        for share in (0.5, 0.9, 1.0):
            wanted = int(share * (limit - atlas_bytes()))
            VRAM.need(other, wanted)
            # They give way in their next frame, which may come late on a slow machine.
            pump_until(lambda: VRAM.held_bytes <= limit - wanted)  # noqa: B023
            assert atlas_bytes() <= VRAM.held_bytes <= limit - wanted
        assert VRAM.held_bytes == atlas_bytes()
        VRAM.take(other, wanted)
        for contour in (1, 7, 3):
            layer.contour = contour
            assert (screenshot(viewer) == picture).all() == (contour == 3)
        assert VRAM.held_bytes == atlas_bytes() + wanted
    finally:
        VRAM.release(other)
    assert (screenshot(viewer) == picture).all()
    pump_until(lambda: atlas_bytes() < VRAM.held_bytes)


@pytest.mark.parametrize(
    ("dtype", "texel_bytes"), [("uint8", 1), ("int16", 2), ("uint32", 4), ("int64", 8)]
)
def test_a_tile_takes_the_labels_own_bytes(
    viewer: Any, let_rest: Any, dtype: str, texel_bytes: int
) -> None:
    config = OctreeConfig(octree={"tile_size": 64})
    layer = OctreeLabels(np.ones((64, 64), dtype), config=config)
    viewer.add_layer(layer)
    let_rest(layer)
    assert layer.statistics.views[0].upload_bytes == texel_bytes * (64 + 2 * REACH) ** 2


def user_actions(viewer: Any, layer: OctreeLabels) -> dict[str, Callable[[], Any]]:
    """What a person does with labels, besides what all layers are tested with."""
    window = viewer.window._qt_viewer
    camera = viewer.scene.camera
    ndim = layer.ndim

    def hover() -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtTest import QTest

        for i in range(5):
            QTest.mouseMove(window.canvas.native, QPoint(100 + 20 * i, 100 + 11 * i))
        layer.get_value((5.0,) * ndim)
        layer.get_status((5.0,) * ndim)

    def click() -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseClick(window.canvas.native, Qt.MouseButton.LeftButton)

    def duplicate() -> None:
        from napari.layers._layer_actions import _duplicate_layer

        viewer.layers.selection = {layer}
        _duplicate_layer(viewer.layers)

    actions: dict[str, Callable[[], Any]] = {
        "add": lambda: viewer.add_layer(layer),
        "zoom in": lambda: setattr(camera, "zoom", 2.0),
        "zoom out": lambda: setattr(camera, "zoom", 0.2),
        "reset view": viewer.reset_view,
        "dims step": lambda: viewer.dims.set_point(0, 2),
        "dims transpose": lambda: setattr(viewer.dims, "order", (1, 0, 2)),
        "dims back": lambda: setattr(viewer.dims, "order", (0, 1, 2)),
        "thick slice": lambda: setattr(viewer.dims, "thickness", (4.0, 0.0, 0.0)),
        "thin slice": lambda: setattr(viewer.dims, "thickness", (0.0, 0.0, 0.0)),
        "contour": lambda: setattr(layer, "contour", 2),
        "selection": lambda: setattr(layer, "selected_label", 14),
        "only selected": lambda: setattr(layer, "show_selected_label", True),
        "all": lambda: setattr(layer, "show_selected_label", False),
        "colours": layer.new_colormap,
        "features": lambda: setattr(layer, "features", {"index": [7], "name": ["a"]}),
        "hover": hover,
        "pick mode": lambda: setattr(layer, "mode", "pick"),
        "pick": click,
        "pan mode": lambda: setattr(layer, "mode", "pan_zoom"),
        "thumbnail": layer._update_thumbnail,
        "refresh": layer.refresh,
        "extent": lambda: (layer._clear_extent(), layer.extent, viewer.layers.extent),
        "lock level": lambda: setattr(layer, "locked_data_level", 1),
        "unlock level": lambda: setattr(layer, "locked_data_level", None),
        "bounding box": lambda: setattr(layer.bounding_box, "visible", True),
        "screenshot": lambda: viewer.screenshot(flash=False),
        "3-D": lambda: setattr(viewer.dims, "ndisplay", 3),
        "rendering": lambda: setattr(layer, "rendering", "translucent"),
        "gradient": lambda: setattr(layer, "iso_gradient_mode", "smooth"),
        "selection in 3-D": lambda: setattr(layer, "show_selected_label", True),
        "2-D": lambda: setattr(viewer.dims, "ndisplay", 2),
        "state": lambda: (layer._get_state(), layer.as_layer_data_tuple(), repr(layer.data)),
        "duplicate": duplicate,
        "remove": lambda: viewer.layers.remove(layer),
        "add again": lambda: viewer.add_layer(layer),
    }
    if ndim == 2:
        actions = {n: a for n, a in actions.items() if "dims" not in n and "slice" not in n}
    return actions


@pytest.mark.parametrize("shape", [(700, 900), (8, 300, 400)], ids=["2-D", "3-D"])
def test_no_action_reads_in_the_gui_thread(
    viewer: Any, recording_array: Any, read_log: Any, pump: Any, shape: tuple[int, ...]
) -> None:
    with read_log.during("construct"):
        layer = OctreeLabels(pyramid(recording_array, shape))
    for name, act in user_actions(viewer, layer).items():
        with read_log.during(name):
            act()
            pump()
            if layer in viewer.layers and viewer.dims.ndisplay == 2 and layer.visible:
                assert layer.wait_until_settled(30), f"not settled after {name}"
    assert read_log.reads, "nothing was loaded at all"
    assert [(r.action, r.array) for r in read_log.in_gui_thread] == []


def test_outlines_are_found_once_for_each_tile(
    viewer: Any, recording_array: Any, let_rest: Any, look_at: Any, monkeypatch: Any
) -> None:
    from napari_octree.rendering.labels import outline_atlas

    found: list[int] = []
    filling = outline_atlas.filling

    def counted(canvas: Any, target: Any) -> Any:
        found.append(1)
        return filling(canvas, target)

    monkeypatch.setattr(outline_atlas, "filling", counted)
    layer = OctreeLabels(blocks((600, 600)), config=OctreeConfig(octree={"tile_size": 64}))
    viewer.add_layer(layer)
    look_at(viewer, (300, 300), 1.3)
    let_rest(layer)
    assert not found
    layer.contour = 2
    let_rest(layer)
    assert len(found) == 1
    for step in range(3):
        look_at(viewer, (300 + step, 300), 1.3)
        layer.opacity = 0.5 + step / 10
        let_rest(layer)
    layer.new_colormap(seed=4)
    let_rest(layer)
    assert len(found) == 1
    before = layer.statistics.views[0].uploads
    layer.contour = 3
    let_rest(layer)
    assert len(found) == 2
    assert layer.statistics.views[0].uploads == before
    layer.paint((300, 300), 5)
    let_rest(layer)
    assert len(found) == 3
    layer.contour = 0
    let_rest(layer)
    assert len(found) == 3


def test_large_colour_maps_are_made_by_a_worker(
    viewer: Any, let_rest: Any, look_at: Any, screenshot: Any, monkeypatch: Any
) -> None:
    import threading

    from napari_octree.rendering.labels import label_kind

    threads: list[bool] = []
    made = label_kind.colours_of

    def noted(colormap: Any, encoding: Any) -> Any:
        if len(getattr(colormap, "color_dict", ())) > 50:
            threads.append(threading.current_thread() is threading.main_thread())
        return made(colormap, encoding)

    monkeypatch.setattr(label_kind, "MOST_AT_ONCE", 100)
    monkeypatch.setattr(label_kind, "colours_of", noted)
    random = np.random.default_rng(0)

    def colours() -> DirectLabelColormap:
        table = {n: random.random(4) for n in range(0, 2000, 7)}
        return DirectLabelColormap(color_dict={**table, None: "red", 0: "transparent"})

    data, first, second = blocks((300, 300)), colours(), colours()
    layer = OctreeLabels(data, colormap=first)
    viewer.add_layer(layer)
    stock = viewer.add_labels(data, colormap=first)
    look_at(viewer, (150.3, 150.7), 1.3)
    for colormap in (first, second):
        stock.colormap = layer.colormap = colormap
        pictures = []
        for shown, hidden in ((layer, stock), (stock, layer)):
            shown.visible, hidden.visible = True, False
            assert layer.wait_until_settled(30)
            pictures.append(screenshot(viewer))
        assert (pictures[0] != pictures[1]).sum() == 0
    assert threads
    assert not any(threads)
