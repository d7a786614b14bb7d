"""Painting shows what stock's tools would, at once and at every level; data stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_octree import OctreeConfig, OctreeLabels
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D

SMALL_TILES = OctreeConfig(octree={"tile_size": 64})


def seeds(rows: int = 25, columns: int = 35) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 9, (rows, columns), dtype=np.int32)


def labels() -> np.ndarray:
    return np.kron(seeds(), np.ones((16, 16), np.int32))


def stroke(layer: Labels, label: int = 7) -> None:
    layer.brush_size = 41
    with layer.block_history():
        for step in range(8):
            layer.paint((150 + 7 * step, 200 + 11 * step), label)


ACTIONS: dict[str, Callable[[Labels], Any]] = {
    "brush": stroke,
    "brush at a tile's corner": lambda layer: layer.paint((192, 256), 3),
    "brush beyond the border": lambda layer: layer.paint((2, 3), 3),
    "erase": lambda layer: layer.paint((170, 230), 0),
    "outlines": lambda layer: setattr(layer, "contour", 2),
    "brush with outlines": lambda layer: layer.paint((210, 260), 8),
    "areas": lambda layer: setattr(layer, "contour", 0),
    "fill": lambda layer: layer.fill((200, 270), 9),
    "polygon": lambda layer: layer.paint_polygon([[100, 150], [220, 160], [140, 300]], 5),
    "pixels": lambda layer: layer.data_setitem(
        (np.array([201, 202, 203]), np.array([250, 250, 251])), [11, 12, 13]
    ),
    "preserve": lambda layer: setattr(layer, "preserve_labels", True),
    "brush what is free": lambda layer: layer.paint((170, 230), 12),
    "undo": Labels.undo,
    "undo pixels": Labels.undo,
    "undo polygon": Labels.undo,
    "redo": lambda layer: layer.redo(),
}


@pytest.fixture
def picture(screenshot: Any) -> Callable[[Any, Labels], np.ndarray]:
    def picture(viewer: Any, layer: Labels) -> np.ndarray:
        for other in viewer.layers:
            other.visible = other is layer
        return screenshot(viewer)

    return picture


@pytest.mark.parametrize("stored", [False, True], ids=["RAM", "store"])
def test_tools_paint_as_stock_s(
    viewer: Any, look_at: Any, picture: Any, recording_array: Any, read_log: Any, stored: bool
) -> None:
    data = labels()
    given = [recording_array(data, (64, 64))] if stored else data
    ours = OctreeLabels(given, config=SMALL_TILES, opacity=1)
    viewer.add_layer(ours)
    stock = viewer.add_labels(data.copy(), opacity=1)
    look_at(viewer, (200.3, 280.7), 0.7)
    ours.visible, stock.visible = True, False
    assert ours.wait_until_settled(30)
    for name, act in ACTIONS.items():
        for layer in (ours, stock):
            (layer.undo if act is Labels.undo else act)() if act is Labels.undo else act(layer)
        assert (picture(viewer, ours) != picture(viewer, stock)).sum() == 0, name
        assert len(ours._undo_history) == len(stock._undo_history), name
    np.testing.assert_array_equal(ours.data[:, :], stock.data)
    np.testing.assert_array_equal(data, labels())
    while ours._undo_history:
        ours.undo()
        stock.undo()
    assert (picture(viewer, ours) != picture(viewer, stock)).sum() == 0
    np.testing.assert_array_equal(ours.data[:, :], data)
    assert read_log.in_gui_thread == []


def test_coarser_levels_and_values_show_what_is_painted(
    viewer: Any, look_at: Any, picture: Any, recording_array: Any, monkeypatch: Any
) -> None:
    data = labels()
    levels = [recording_array(data[1 if n else 0 :: 2**n, 1 if n else 0 :: 2**n]) for n in (0, 1)]
    ours = OctreeLabels(levels, config=SMALL_TILES, opacity=1)
    viewer.add_layer(ours)
    for zoom in (0.4, 1.1):  # tiles of both levels are in the atlas
        look_at(viewer, (200.3, 280.7), zoom)
        assert ours.wait_until_settled(30)
    sent: list[tuple[int, ...]] = []
    patch = TextureAtlas2D.patch

    def counting(atlas: TextureAtlas2D, slot: Any, texels: np.ndarray, place: Any) -> None:
        sent.append(texels.shape)
        patch(atlas, slot, texels, place)

    monkeypatch.setattr(TextureAtlas2D, "patch", counting)
    stroke(ours)
    assert ours.wait_until_settled(30)
    picture(viewer, ours)
    assert ours.data_level == 0
    tiles = 4 * 4  # that the stroke touches, aprons included; eight dabs
    assert 0 < len(sent) <= 8 * tiles
    assert sum(shape[0] * shape[1] for shape in sent) <= 4 * 8 * 41**2
    look_at(viewer, (200.3, 280.7), 0.4, texel=(2, 2))
    assert ours.wait_until_settled(30)
    assert ours.data_level == 1
    shown = picture(viewer, ours)
    painted = data.copy()
    stock = viewer.add_labels(painted, opacity=1)
    stroke(stock)
    coarse = levels[1][:, :].copy()
    new = painted[::2, ::2] != data[::2, ::2]
    coarse[new[: coarse.shape[0], : coarse.shape[1]]] = 7
    viewer.layers.remove(stock)
    expected = viewer.add_labels(coarse, opacity=1, scale=(2, 2), translate=(0.5, 0.5))
    assert (picture(viewer, expected) != shown).sum() == 0
    ours.visible = True
    assert ours.get_value((150, 200)) == (0, 7)
    assert ours._slice.image.raw[75, 100] == 7


def test_a_stroke_waits_for_its_pixels_and_is_applied_in_order(
    viewer: Any, look_at: Any, picture: Any, recording_array: Any, read_log: Any, pump_until: Any
) -> None:
    data = labels()
    read_log.hold()
    ours = OctreeLabels([recording_array(data, (64, 64))], config=SMALL_TILES, opacity=1)
    viewer.add_layer(ours)
    look_at(viewer, (200.3, 280.7), 0.7)
    stroke(ours, 7)
    ours.preserve_labels = True
    ours.paint((170, 230), 12)
    ours.preserve_labels = False
    ours.fill((1, 1), 5)
    ours.paint((300, 400), 3)
    ours.undo()  # the last one, which waits too
    assert not ours.has_edits
    read_log.release()
    pump_until(lambda: ours.has_edits)
    assert ours.wait_until_settled(30)
    stock = viewer.add_labels(data.copy(), opacity=1)
    stroke(stock, 7)
    stock.preserve_labels = True
    stock.paint((170, 230), 12)
    stock.preserve_labels = False
    stock.fill((1, 1), 5)
    assert (picture(viewer, ours) != picture(viewer, stock)).sum() == 0
    assert len(ours._undo_history) == len(stock._undo_history)
    ours.undo()
    stock.undo()
    assert (picture(viewer, ours) != picture(viewer, stock)).sum() == 0
    assert read_log.in_gui_thread == []


def test_what_cannot_be_loaded_is_not_painted_by_half(
    viewer: Any, recording_array: Any, read_log: Any, pump_until: Any
) -> None:
    data = labels()
    read_log.failure = lambda read: PermissionError("no") if read.index[1].start else None
    ours = OctreeLabels([recording_array(data, (256, 256))])
    told: list[str] = []

    def listen(notification: Any) -> None:
        told.append(notification.message)

    from napari.utils.notifications import notification_manager

    notification_manager.notification_ready.connect(listen)
    try:
        with ours.block_history():
            ours.paint((100, 254), 7)  # across the border of what can be read
        pump_until(lambda: any("not painted" in message for message in told))
    finally:
        notification_manager.notification_ready.disconnect(listen)
    assert not ours.has_edits
    assert not ours._undo_history


def test_new_data_and_a_reload(viewer: Any, pump: Any) -> None:
    data = labels()
    ours = OctreeLabels(data)
    viewer.add_layer(ours)
    assert ours.wait_until_settled(30)
    ours.paint((100, 100), 7)
    ours.reload()
    assert ours.wait_until_settled(30)
    assert ours.data[100:101, 100:101] == 7
    ours.discard_edits()
    assert ours.wait_until_settled(30)
    assert ours.data[100:101, 100:101] == data[100, 100]
    ours.paint((100, 100), 7)
    ours.data = data[:200]
    assert ours.wait_until_settled(30)
    assert ours.data[100:101, 100:101] == data[100, 100]
    assert not ours.has_edits


def test_a_slice_that_was_painted_while_another_was_shown(
    viewer: Any, look_at: Any, picture: Any
) -> None:
    stack = np.stack([labels()] * 3)
    ours = OctreeLabels(stack, config=SMALL_TILES, opacity=1)
    viewer.add_layer(ours)
    stock = viewer.add_labels(stack.copy(), opacity=1)
    look_at(viewer, (200.3, 280.7), 0.7)
    for z in (0, 1):
        viewer.dims.set_point(0, z)
        ours.visible = True
        assert ours.wait_until_settled(30)
    for layer in (ours, stock):
        layer.n_edit_dimensions = 3
        layer.brush_size = 61
        layer.paint((1, 200, 280), 7)
    for z in (1, 0, 2):
        viewer.dims.set_point(0, z)
        ours.visible = True
        assert ours.wait_until_settled(30)
        assert (picture(viewer, ours) != picture(viewer, stock)).sum() == 0, z
