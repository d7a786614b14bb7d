"""Whatever is changed of a layer that is shown, the canvas is what napari's own layer shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeImage
from recording_array import random_pixels

DATA = random_pixels((3, 120, 160), "uint16")
COLOURS = random_pixels((3, 120, 160, 3), "uint8")

CHANGES: list[dict[str, Any]] = [
    {"scale": (1, 2, 0.7)},
    {"translate": (1, 30, -20)},
    {"affine": np.array([[1, 0, 0, 0], [0, 0.9, 0.2, 5], [0, -0.1, 1.2, 9], [0, 0, 0, 1]])},
    {"contrast_limits": (9000, 30_000)},
    {"gamma": 0.5},
    {"colormap": "viridis"},
    {"opacity": 0.4},
    {"blending": "additive", "colormap": "red"},
    {"visible": False},
    {"contrast_limits": (9000, 30_000), "scale": (2, 1, 1), "gamma": 2.0, "opacity": 0.7},
]
NEW_DATA: list[dict[str, Any]] = [
    {"data": random_pixels((5, 90, 200), "uint16", seed=1)},
    {"data": random_pixels((2, 150, 80), "float32", seed=2), "contrast_limits": (0.2, 0.9)},
    {"data": random_pixels((70, 90), "uint8", seed=3), "contrast_limits": (0, 99)},
]
NEW_COLOURS = [{"data": random_pixels((2, 90, 100, 3), "uint8", seed=4)}]


@pytest.mark.parametrize("data", [DATA, COLOURS], ids=["values", "colours"])
def test_a_change_shows_as_it_does_in_napari(viewer, data) -> None:
    """One after the other, each after the one before was undone."""
    pair = shown(viewer, data)
    for change in CHANGES:
        if data is DATA or "contrast_limits" not in change:
            before = [{name: getattr(layer, name) for name in change} for layer in pair]
            check(viewer, pair, change)
            for layer, values in zip(pair, before, strict=True):
                apply(layer, values)


@pytest.mark.parametrize(
    ("data", "changes"), [(DATA, NEW_DATA), (COLOURS, NEW_COLOURS)], ids=["values", "colours"]
)
def test_other_data_show_as_they_do_in_napari(viewer, data, changes) -> None:
    for change in changes:
        check(viewer, shown(viewer, data), change)
        viewer.layers.clear()


def shown(viewer: Any, data: np.ndarray) -> list[Image]:
    return [viewer.add_layer(make(data, rgb=data is COLOURS)) for make in (OctreeImage, Image)]


def check(viewer: Any, pair: list[Image], change: dict[str, Any]) -> None:
    for layer in pair:
        settle(layer)
        apply(layer, change)
    viewer.dims.set_point(0, viewer.dims.range[0].start)
    viewer.scene.camera.zoom = 1.37
    viewer.scene.camera.center = (0.0, 61.27, 79.31)
    ours, stock = (picture_alone(layer, pair, viewer) for layer in pair)
    assert bool(ours.any()) is ("visible" not in change)
    off = np.abs(ours - stock).max(axis=-1) > 2
    assert off.mean() < 0.002, f"{change}: more than the ties of texels"


def apply(layer: Image, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(layer, name, value)
        settle(layer)


def picture_alone(layer: Image, pair: list[Image], viewer: Any) -> np.ndarray:
    others = [other for other in pair if other is not layer and other.visible]
    for other in others:
        other.visible = False
    settle(layer)
    picture = viewer.screenshot(canvas_only=True, flash=False).astype(int)[..., :3]
    for other in others:
        other.visible = True
    return picture


def settle(layer: Any) -> None:
    if isinstance(layer, OctreeImage):
        assert layer.wait_until_settled(30)
