"""Volumes among other layers, with unusual limits and transforms, and with reads that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer, Points

from brick_scene import halved, smooth_volume
from napari_octree import OctreeConfig, OctreeImage
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.transform import LevelTransform

SIZE = 32
SMALL_BRICKS = OctreeConfig(octree={"brick_size": 16})
LIMITS = (0.1, 0.9)


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return smooth_volume(SIZE)


@pytest.fixture
def viewer(make_viewer: Callable[..., Any]) -> Any:
    return make_viewer((120, 120), ndisplay=3)


@pytest.fixture
def shoot(viewer: Any, pump: Any, screenshot: Any) -> Callable[..., np.ndarray]:
    """Show layers on top of what is there, settle, take the picture, remove them."""

    def run(*layers: Layer, prepare: Callable[[Any], None] = lambda layer: None) -> np.ndarray:
        for layer in layers:
            viewer.add_layer(layer)
            prepare(layer)
        camera = viewer.scene.camera
        camera.angles, camera.zoom, camera.center = (10, 35, 60), 2.3, (SIZE / 2,) * 3
        pump()
        for layer in layers:
            if isinstance(layer, OctreeImage):
                assert layer.wait_until_settled(30)
        picture = screenshot(viewer)[..., :3].astype(int)
        for layer in layers:
            viewer.layers.remove(layer)
        return picture

    return run


def assert_equal(stock: np.ndarray, ours: np.ndarray, outlines: float = 0.002) -> None:
    assert stock.std() > 5, "nothing to compare"
    difference = np.abs(stock - ours).max(axis=-1)
    assert (difference > 2).mean() <= outlines


def levels_of(volume: np.ndarray) -> list[np.ndarray]:
    return [volume, halved(volume)]


def others() -> list[Layer]:
    """Points in front, within and behind, and a slab of labels."""
    grid = np.stack(np.meshgrid(*[np.linspace(-8, SIZE + 8, 4)] * 3), axis=-1).reshape(-1, 3)
    labels = np.zeros((SIZE,) * 3, np.uint8)
    labels[14:18, 4:28, 10:12] = 3
    points = Points(grid, size=3, face_color="lime", border_width=0, antialiasing=0)
    return [points, Labels(labels, rendering="iso_categorical", opacity=1)]


@pytest.mark.parametrize("blending", ["opaque", "translucent", "additive", "minimum"])
def test_among_other_layers_as_stock(
    viewer: Any, shoot: Any, volume: np.ndarray, blending: str
) -> None:
    for layer in others():
        viewer.add_layer(layer)
    empty = shoot()
    for keywords in (
        {"rendering": "iso", "iso_threshold": 0.5},
        {"depiction": "plane", "plane": {"position": (16,) * 3, "normal": (1, 0.4, 0.2)}},
        {"rendering": "mip", "opacity": 0.6},
    ):
        if blending == "additive" and "plane" in keywords:
            continue  # without a depth test stock draws planes twice, for both sides of its box
        shared: dict[str, Any] = {"contrast_limits": LIMITS, "blending": blending, **keywords}
        stock = shoot(Image(volume, **shared))
        assert (stock != empty).any()
        assert_equal(stock, shoot(OctreeImage(levels_of(volume), SMALL_BRICKS, **shared)), 0.01)


def test_two_volumes_in_one_picture(shoot: Any, volume: np.ndarray) -> None:
    shared: dict[str, Any] = {"contrast_limits": LIMITS, "blending": "additive"}
    red, green = {**shared, "colormap": "red"}, {**shared, "colormap": "green"}
    stock = shoot(Image(volume, **red), Image(volume[::-1], **green))
    ours = shoot(
        OctreeImage(levels_of(volume), SMALL_BRICKS, **red),
        OctreeImage(levels_of(volume[::-1]), SMALL_BRICKS, **green),
    )
    assert_equal(stock, ours)


@pytest.mark.parametrize(
    ("scale", "dtype", "limits"),
    [
        (1e30, "float32", (1e29, 9e29)),
        (1e-30, "float32", (1e-31, 9e-31)),
        (1, "float32", (0.5, 0.5000001)),
        (1, "float32", (-1e6, 1e6)),
        (60000, "uint16", (30000, 30001)),
        (255, "uint8", (-1000, 1000)),
    ],
)
def test_extreme_limits_as_stock(
    shoot: Any, volume: np.ndarray, scale: float, dtype: str, limits: tuple[float, float]
) -> None:
    data = (volume * scale).astype(dtype)
    # Where one value more is the whole range, rounding decides: which side, is all that counts.
    steep = limits[1] - limits[0] < 1e-4 * scale
    shared: dict[str, Any] = {"contrast_limits": limits, "colormap": "viridis"}
    stock = shoot(Image(data, **shared))
    ours = shoot(OctreeImage(levels_of(data), SMALL_BRICKS, **shared))
    assert_equal(stock, ours, 0.02 if steep else 0.002)


def test_an_image_of_two_axes_among_volumes(viewer: Any, shoot: Any) -> None:
    flat = (np.add.outer(np.arange(SIZE), np.arange(SIZE)) * 4).astype(np.uint8)
    stock = shoot(Image(flat, contrast_limits=(0, 255)))
    assert_equal(stock, shoot(OctreeImage(flat, contrast_limits=(0, 255))))


def centre_of(picture: np.ndarray) -> np.ndarray:
    """(row, column) of the brightness' centre of mass."""
    grey = picture[..., :3].astype(float).sum(axis=-1)
    rows, columns = np.indices(grey.shape)
    return np.array([(grey * rows).sum(), (grey * columns).sum()]) / grey.sum()


def test_levels_agree_with_each_other_and_with_2d(
    viewer: Any, look_at: Any, pump: Any, screenshot: Any
) -> None:
    z, y, x = np.indices((SIZE,) * 3)
    blob = np.exp(-((z - 16) ** 2 + (y - 17.3) ** 2 + (x - 12.6) ** 2) / 40).astype(np.float32)
    # Every second voxel in y, the mean of two in x: one level lies off, the other does not.
    coarse = (blob[:, 1::2, ::2] + blob[:, 1::2, 1::2]) / 2
    layer = OctreeImage(
        [blob, coarse],
        SMALL_BRICKS,
        level_transforms=[
            LevelTransform((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
            LevelTransform((1.0, 2.0, 2.0), (0.0, 0.5, 0.0)),
        ],
        contrast_limits=(0, 1),
        interpolation2d="linear",
    )
    viewer.add_layer(layer)
    viewer.dims.set_current_step(0, 16)
    zoom, centres = 3.0, []
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
        for level in (0, 1):
            layer.locked_data_level = level
            viewer.scene.camera.set_view_direction((-1, 0, 0), up_direction=(0, -1, 0))
            viewer.scene.camera.zoom = zoom
            viewer.scene.camera.center = (16, 15.5, 15.5)
            pump()
            assert layer.wait_until_settled(30)
            centres.append(centre_of(screenshot(viewer)) / zoom)
    assert np.ptp(centres, axis=0).max() < 0.2


def test_hovering_reads_nothing(
    viewer: Any, let_rest: Any, recording_array: Any, read_log: Any, volume: np.ndarray
) -> None:
    data = (volume * 255).astype(np.uint8)
    layer = OctreeImage(
        [recording_array(data, (16,) * 3), recording_array(halved(data), (16,) * 3)],
        SMALL_BRICKS,
        contrast_limits=(0, 255),
    )
    viewer.add_layer(layer)
    let_rest(layer)
    before = len(read_log.reads)
    direction = np.array([0.48, 0.6, 0.64])
    for place in np.random.default_rng(0).uniform(0, SIZE, (30, 3)):
        layer.get_value(place, view_direction=direction, dims_displayed=[0, 1, 2], world=True)
    assert len(read_log.reads) == before


def test_failed_bricks_are_stood_in_for_and_hold_up_nothing_else(
    viewer: Any, pump: Any, pump_until: Any, recording_array: Any, read_log: Any, screenshot: Any
) -> None:
    levels = [
        recording_array(np.full((64 >> k,) * 3, 200 - 50 * k, np.uint8), (16,) * 3, f"level {k}")
        for k in range(3)
    ]

    def failure(read: Any) -> Exception | None:
        """One brick of the middle level, and one of the eight below it on the finest one."""
        lost = read.array != "level 2" and all(s.start < 16 for s in read.index)
        return PermissionError("no") if lost else None

    read_log.failure = failure
    layer = OctreeImage(levels, SMALL_BRICKS, contrast_limits=(0, 255))
    viewer.add_layer(layer)
    camera = viewer.scene.camera
    camera.angles, camera.zoom, camera.center = (0, 0, 90), 1.5, (32,) * 3
    pump_until(lambda: layer._stuck)
    (view,) = layer._views
    pump_until(lambda: view.volume._rested)  # until then it may be drawn in larger pixels
    shown = set(view.volume.frame.shown.keys)
    assert ChunkKey(1, (0, 0, 0)) not in shown
    assert {k for k in shown if k.level == 1} == {
        ChunkKey(1, index) for index in np.ndindex(2, 2, 2) if index != (0, 0, 0)
    }
    assert sum(key.level == 0 for key in shown) == 63
    assert not layer.settled

    def hatched() -> list[float]:
        """How much of each quarter of the square that is seen along z."""
        picture = screenshot(viewer)[..., :3].astype(int)
        marked = (picture[..., 0] > picture[..., 1] + 50) & (picture[..., 0] > 150)
        halves = (slice(16, 56), slice(64, 104))
        return [marked[rows, columns].mean() for rows in halves for columns in halves]

    # Below the brick that is missing only one is: through that one rays are hatched.
    assert sorted(share > 0.02 for share in hatched()) == [False, False, False, True]
    assert max(hatched()) < 0.1
    read_log.failure = None
    layer.reload()
    assert layer.wait_until_settled(30)
