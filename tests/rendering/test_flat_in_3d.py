"""A 2-D pyramid in a 3-D view: as sharp as the screen can show, or as the level asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeConfig, OctreeImage

CONFIG = OctreeConfig(octree={"brick_size": 32})


def picture(viewer: Any, layer: Any, zoom: float, pump: Any) -> np.ndarray:
    viewer.layers.clear()
    viewer.add_layer(layer)
    viewer.reset_view()
    camera = viewer.scene.camera
    camera.angles = (12, 25, 33)
    camera.zoom *= zoom
    camera.center = tuple(np.add(camera.center, (0, 0.137, 0.219)))
    pump()
    assert not isinstance(layer, OctreeImage) or layer.wait_until_settled(30)
    return viewer.screenshot(flash=False)[..., :3].astype(int)


@pytest.fixture
def levels() -> list[np.ndarray]:
    y, x = np.mgrid[:300, :380]
    image = ((np.sin(x / 4) + np.sin(y / 5) + 2) / 4 * 255).astype(np.uint8)
    return [image, image[::2, ::2], image[::4, ::4]]


@pytest.mark.parametrize("rendering", ["mip", "translucent", "average"])
def test_it_is_stock_s_picture_of_the_finest_level(viewer, pump, levels, rendering) -> None:
    viewer.dims.ndisplay = 3
    look: dict[str, Any] = {"contrast_limits": (0, 255), "rendering": rendering}
    stock = picture(viewer, Image(levels[0], **look), 1.8, pump)
    ours = picture(viewer, OctreeImage(levels, CONFIG, **look), 1.8, pump)
    assert stock.std() > 20
    assert (np.abs(stock - ours).max(axis=-1) > 8).mean() < 0.002


def test_it_honours_the_locked_level(viewer, pump, levels) -> None:
    viewer.dims.ndisplay = 3
    marked = [np.full_like(level, 60 * (k + 1)) for k, level in enumerate(levels)]
    layer = OctreeImage(marked, CONFIG, contrast_limits=(0, 255))
    assert picture(viewer, layer, 1.8, pump).max() == 60
    for level in (2, 1, 0):
        layer.locked_data_level = level
        assert layer.wait_until_settled(30)
        assert viewer.screenshot(flash=False)[..., 0].max() == 60 * (level + 1)
        assert layer.data_level == level


def test_there_and_back(viewer, pump, levels) -> None:
    layer = OctreeImage(levels, CONFIG, contrast_limits=(0, 255))
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    flat = viewer.screenshot(flash=False)
    viewer.dims.ndisplay = 3
    assert layer.wait_until_settled(30)
    assert viewer.screenshot(flash=False)[..., :3].std() > 20
    viewer.dims.ndisplay = 2
    assert layer.wait_until_settled(30)
    assert (viewer.screenshot(flash=False) == flat).all()


def test_the_value_under_the_cursor_is_that_of_the_locked_level(viewer, levels) -> None:
    marked = [np.full_like(level, 60 * (k + 1)) for k, level in enumerate(levels)]
    layer = OctreeImage(marked, CONFIG, contrast_limits=(0, 255))
    viewer.add_layer(layer)
    viewer.scene.camera.zoom = 1.3
    assert layer.wait_until_settled(30)
    assert layer.get_value((150, 190)) == (0, 60)
    layer.locked_data_level = 1
    assert layer.wait_until_settled(30)
    assert layer.get_value((150, 190)) == (1, 120)
    layer.locked_data_level = None
    assert layer.wait_until_settled(30)
    assert layer.get_value((150, 190)) == (0, 60)


def test_bricks_are_no_thicker_than_the_plane(viewer, levels) -> None:
    viewer.dims.ndisplay = 3
    layer = viewer.add_layer(OctreeImage(levels, CONFIG, contrast_limits=(0, 255)))
    assert layer.wait_until_settled(30)
    assert layer._views[0].volume.lease.atlas.encoding.brick_shape == (1, 32, 32)


def test_the_value_is_that_of_the_pixel_on_the_line_of_sight(viewer, pump) -> None:
    data = np.arange(60 * 80, dtype=np.uint16).reshape(60, 80)
    layer = OctreeImage(data, CONFIG, scale=(2, 1), contrast_limits=(0, 4800))
    picture(viewer, layer, 0.9, pump)
    viewer.dims.ndisplay = 3
    assert layer.wait_until_settled(30)
    view_direction = np.array(viewer.scene.camera.view_direction)
    for away in (0, 30, -20):
        position = np.array([0, 2 * 17.2, 33.4]) + away * view_direction
        looked = {"view_direction": view_direction, "dims_displayed": [0, 1, 2], "world": True}
        assert layer.get_value(position, **looked) == data[17, 33]
        assert layer.get_status(position, **looked)["value"] == str(data[17, 33])
