"""Volumes whose values lie anywhere in their type look like the same volume from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from brick_scene import BrickScene, brick_voxels, smooth_volume
from napari_octree import OctreeConfig, OctreeImage
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.gpu.texture_encoding import (
    LIT_SHADES,
    encoding_for_limits,
    texture_encoding,
)
from napari_octree.rendering.volume.brick_uploads import BrickUploads

SIZE = 40
CONFIG = OctreeConfig(octree={"brick_size": 16})
MODES = ("mip", "minip", "average", "additive", "translucent", "attenuated_mip", "iso")

RANGES: dict[str, tuple[str, float, float]] = {
    "far": ("float64", 1e9, 1e9 + 1),
    "steps": ("float64", 1e6, 1e6 + 1),
    "huge": ("float64", 0, 1e300),
    "tiny": ("float64", 1e-300, 2e-300),
    "whole": ("float64", -1.7e308, 1.7e308),
    "single": ("float32", 1e6, 1e6 + 64),
    "int64": ("int64", 2**40, 2**40 + 1000),
    "beyond 2^53": ("int64", 2**62, 2**62 + 4096),
    "least": ("int64", -(2**63), -(2**63) + 2**14),
    "largest": ("uint64", 2**64 - 2**14, 2**64),
    "uint32": ("uint32", 4e9, 4e9 + 1e6),
    "int32": ("int32", -(2**31), -(2**31) + 70000),
    "uint16": ("uint16", 0, 65535),
    "int16": ("int16", -32768, 32767),
    "float16": ("float16", 0, 1),
    "unit": ("float64", 0, 1),
}
"""Type, and the least and greatest value."""


@pytest.fixture
def scene(qapp: Any) -> Any:
    scene = BrickScene(100)
    yield scene
    scene.close()


def stretched(volume: np.ndarray, dtype: str, low: float, high: float) -> np.ndarray:
    """A volume in [0, 1] from `low` to `high`; integers exactly, beyond 2^53 too."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        half = high / 2 - low / 2  # the whole may be more than float64 holds
        return (low + volume * half + volume * half).astype(kind)
    steps = np.round(volume * (int(high) - int(low))).astype(np.uint64)
    top = np.iinfo(kind).max - int(low)
    steps = np.minimum(steps, np.uint64(top))
    return (np.uint64(int(low) % 2**64) + steps).astype(f"u{kind.itemsize}").view(kind)


def shown_as(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """What the values are between the limits, 0 to 1: in float32, calculated in more."""
    exact = values.astype(np.longdouble)
    return ((exact - low) / (np.longdouble(high) - low)).astype(np.float32)


def assert_alike(stock: np.ndarray, ours: np.ndarray, what: str) -> None:
    assert stock.std() > 5, "nothing to compare"
    difference = np.abs(stock - ours).max(axis=-1)
    assert (difference > 4).mean() <= 0.002, what


@pytest.mark.parametrize("mode", [*MODES, "plane"])
def test_looks_like_the_same_volume_from_0_to_1(scene: Any, mode: str) -> None:
    volume = smooth_volume(SIZE).astype(float)
    stock = scene.add_stock(volume.astype(np.float32), (0, 1), threshold=0.5, attenuation=0.05)
    ours = scene.add_bricks([volume], (0, 1), attenuation=0.05)
    for node in (stock, ours):
        if mode == "plane":
            node.raycasting_mode = "plane"
            node.plane_position, node.plane_normal = (SIZE / 2,) * 3, (1, 0.4, 0.2)
            node.plane_thickness = 6
        else:
            node.method = mode
    scene.look((SIZE / 2,) * 3, 1.5 * SIZE)
    octree = ours.geometry.octree
    keys = [ChunkKey(0, index) for index in np.ndindex(*octree.levels[0].grid_shape)]
    for name, (dtype, low, high) in RANGES.items():
        values = stretched(volume, dtype, low, high)
        stock.set_data(shown_as(values, low, high), clim=(0, 1))
        plain = texture_encoding(np.dtype(dtype))
        texels = encoding_for_limits(plain, (low, high), shades=LIT_SHADES)
        scene.fill(ours, keys, lambda key: brick_voxels(values, key.index), texels)  # noqa: B023
        ours.clim = texels.texel_limits((low, high))
        ours.threshold = ours.atlas.texture_value(low / 2 + high / 2)
        assert_alike(scene.picture(stock), scene.picture(ours), name)


@pytest.fixture
def viewer(make_viewer: Callable[..., Any]) -> Any:
    return make_viewer((100, 100), ndisplay=3)


def look(viewer: Any, pump: Callable[[], None]) -> None:
    camera = viewer.scene.camera
    camera.angles, camera.zoom, camera.center = (10, 35, 60), 1.6, (SIZE / 2,) * 3
    pump()


def test_a_layer_is_encoded_by_its_limits(viewer: Any, pump: Any, screenshot: Any) -> None:
    volume = smooth_volume(SIZE).astype(float)
    stock = Image(volume, contrast_limits=(0, 1), iso_threshold=0.5)
    limits = (1e9, 1e9 + 1)
    ours = OctreeImage(volume + 1e9, config=CONFIG, contrast_limits=limits)
    ours.iso_threshold = 1e9 + 0.5
    pictures: dict[str, list[np.ndarray]] = {}
    for layer in (stock, ours):
        viewer.add_layer(layer)
        look(viewer, pump)
        for mode in ("mip", "iso", "translucent"):
            layer.rendering = mode
            assert layer is stock or layer.wait_until_settled(30)
            pictures.setdefault(mode, []).append(screenshot(viewer).astype(int))
        viewer.layers.remove(layer)
    for mode, (theirs, mine) in pictures.items():
        assert_alike(theirs, mine, mode)


def test_limits_beyond_what_is_encoded_encode_anew_and_never_blank(
    viewer: Any, pump: Any, screenshot: Any, monkeypatch: Any
) -> None:
    volume = smooth_volume(SIZE).astype(float)
    levels = [volume + 1e9, volume[::2, ::2, ::2] + 1e9]
    config = OctreeConfig(octree={"brick_size": 16}, render={"export_timeout_s": 0.2})
    layer = OctreeImage(levels, config=config, contrast_limits=(0, 1.1e9), blending="additive")
    viewer.add_layer(layer)
    look(viewer, pump)
    assert layer.wait_until_settled(30)
    (view,) = layer._views
    node = view.node
    wide = screenshot(viewer)[..., 0]
    box = wide > 200  # all the same to float32
    assert box.mean() > 0.2
    former = node.atlas
    monkeypatch.setattr(BrickUploads, "_begin", lambda *_: False)  # nothing arrives
    layer.contrast_limits = (1e9 - 700, 1e9 + 300)
    assert not layer.settled
    with pytest.warns(match="coarser"):
        assert screenshot(viewer)[..., 0][box].min() > 150, "what was there stays"
    assert not layer.settled
    assert node.atlas is former
    monkeypatch.undo()
    layer.contrast_limits = (1e9, 1e9 + 1)
    assert layer.wait_until_settled(30)
    assert node.atlas is not former
    narrow = screenshot(viewer)[..., 0]
    assert narrow[box].std() > 20
    uploads = layer.statistics.views[0].uploads
    for low in np.linspace(0, 0.4, 5):
        layer.contrast_limits = (1e9 + low, 1e9 + 0.9)
        pump()
    assert layer.wait_until_settled(30)
    assert layer.statistics.views[0].uploads == uploads, "small moves change uniforms only"
    layer.contrast_limits = (0, 1.1e9)
    assert layer.wait_until_settled(30)
    assert (screenshot(viewer)[..., 0] == wide).all()


def test_surfaces_of_signed_numbers_are_lit_as_stock_ones(
    viewer: Any, pump: Any, screenshot: Any
) -> None:
    volume = 100 * smooth_volume(SIZE)
    for dtype in ("int16", "int8"):
        pictures = []
        for kind in (Image, OctreeImage):
            layer = viewer.add_layer(kind(volume.astype(dtype), rendering="mip"))
            look(viewer, pump)
            if kind is OctreeImage:
                assert layer.wait_until_settled(30)  # in texels of 8 or 16 bits
            layer.rendering = "iso"
            assert kind is Image or layer.wait_until_settled(30)
            pictures.append(screenshot(viewer).astype(int))
            viewer.layers.remove(layer)
        assert_alike(*pictures, dtype)
