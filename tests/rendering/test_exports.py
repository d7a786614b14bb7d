"""Exported pictures are those of the finest level, whatever the view had loaded before."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeConfig, OctreeImage
from recording_array import random_pixels

LOOK: dict[str, Any] = {"contrast_limits": (0, 255)}
TILES = {"octree": {"tile_size": 64}}
LARGEST = 16_777_215
"""Qt's widest widget."""


@pytest.fixture
def viewer(make_viewer) -> Any:
    """A viewer whose canvas may take any size, as a user's."""
    viewer = make_viewer()
    native = viewer.window._qt_viewer.canvas.native
    native.setMinimumSize(1, 1)
    native.setMaximumSize(LARGEST, LARGEST)
    return viewer


@pytest.fixture
def slow_pyramid(recording_pyramid, read_log) -> Callable[..., list]:
    """A pyramid whose reads are held; those waiting are let through every few milliseconds."""
    ended = threading.Event()

    def let_through() -> None:
        while not ended.wait(0.02):
            read_log.release(read_log.waiting)

    thread = threading.Thread(target=let_through)

    def make(*args: Any, **keywords: Any) -> list:
        levels = recording_pyramid(*args, **keywords)
        read_log.hold()
        thread.start()
        return levels

    yield make
    ended.set()
    if thread.ident is not None:
        thread.join()


def far_away(viewer: Any, *layers: Any) -> None:
    """Show layers from so far that only coarse levels are loaded."""
    viewer.layers.clear()
    for layer in layers:
        layer.visible = False  # the view that napari gives to the first one is loaded at once
        viewer.add_layer(layer)
    viewer.reset_view()
    viewer.scene.camera.zoom = 0.1
    for layer in layers:
        layer.visible = True
    for layer in layers:
        assert not isinstance(layer, OctreeImage) or layer.wait_until_settled(30)


def rois(viewer: Any) -> list[np.ndarray]:
    square = np.array([[0, 0], [0, 150], [150, 150], [150, 0]])
    places = np.array([[10.27, 10.31], [300.27, 500.31]])
    return viewer.export_rois([square + place for place in places])


def test_figures_and_regions_are_those_of_the_finest_level(viewer, slow_pyramid) -> None:
    data = random_pixels((700, 900), "uint8")
    far_away(viewer, Image(data, **LOOK))
    right = [viewer.export_figure(), *rois(viewer)]
    far_away(viewer, OctreeImage(slow_pyramid((700, 900), 4, chunks=(64, 64)), **LOOK))
    for stock, ours in zip(right, [viewer.export_figure(), *rois(viewer)], strict=True):
        assert stock.shape == ours.shape
        assert stock[..., :3].std() > 20
        assert np.abs(stock.astype(int) - ours).max() <= 1


def test_layers_of_one_export_load_at_the_same_time(viewer, recording_pyramid, read_log) -> None:
    levels = recording_pyramid((512, 512), 3, chunks=(256, 256))
    data = [random_pixels((512, 512), "uint8"), random_pixels((400, 512), "uint8", 1)]
    look = LOOK | {"blending": "additive"}
    colours = ("magenta", "green")
    far_away(viewer, *(Image(d, colormap=c, **look) for d, c in zip(data, colours, strict=True)))
    right = viewer.export_figure()
    other = [data[1][:: 2**k, :: 2**k] for k in range(3)]
    pairs = zip((levels, other), colours, strict=True)
    layers = [OctreeImage(d, colormap=c, **look) for d, c in pairs]
    far_away(viewer, *layers)
    read_log.hold()
    timer = threading.Timer(0.3, read_log.release)
    timer.start()
    ours = viewer.export_figure()
    timer.join()
    assert np.abs(right.astype(int) - ours).max() <= 1
    assert layers[1].statistics.views[0].resident >= 4  # came while the first waited


@pytest.mark.parametrize("turn", [0, 30])
def test_what_is_larger_than_the_atlas_is_drawn_in_parts(viewer, turn) -> None:
    data = np.maximum(random_pixels((1100, 1300), "uint8"), 40)
    look = LOOK | {
        "opacity": 0.6,
        "rotate": turn,
        "interpolation2d": "linear" if turn else "nearest",
    }
    far_away(viewer, Image(data, **look))
    right = viewer.export_figure()
    config = OctreeConfig(memory={"vram_bytes": 2**20}, **TILES)
    layer = OctreeImage([data[:: 2**k, :: 2**k] for k in range(4)], config, **look)
    far_away(viewer, layer)
    ours = viewer.export_figure()
    assert layer.statistics.views[0].vram_bytes <= 2**20
    assert layer.statistics.views[0].slots < 18 * 21, "or it fits"
    difference = np.abs(right.astype(int) - ours).max(axis=-1)
    assert (difference > 1).mean() <= (0.001 if turn else 0)
    assert layer.wait_until_settled(30)  # the view goes on as it was
    assert layer.data_level > 0


@pytest.mark.parametrize("size", [None, (500, 600)])
def test_a_picture_of_a_view_that_is_not_on_the_screen_waits_for_it(
    viewer, slow_pyramid, size
) -> None:
    """As napari-animation and scripts take them: the camera or a slider is set, then a picture."""
    if size is None:
        viewer.window._qt_viewer.canvas.native.setFixedSize(400, 300)
    data = random_pixels((600, 700), "uint8")
    ours = OctreeImage(slow_pyramid((600, 700), 3, chunks=(64, 64)), **LOOK)
    pictures = []
    for layer in (Image(data, **LOOK), ours):
        far_away(viewer, layer)
        viewer.scene.camera.center = (0, 300.27, 200.31)
        viewer.scene.camera.zoom = 1.53
        pictures.append(viewer.screenshot(flash=False, size=size))
    assert pictures[0][..., :3].std() > 20
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1


def test_a_picture_of_what_is_on_the_screen_waits_for_nothing(
    viewer, recording_pyramid, read_log, look_at
) -> None:
    layer = OctreeImage(recording_pyramid((512, 512), 3, chunks=(64, 64)), **LOOK)
    far_away(viewer, layer)
    read_log.hold()
    look_at(viewer, (200.3, 200.3), 1.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        viewer.screenshot(flash=False)
    assert not layer.settled


def test_an_export_that_takes_too_long_warns(viewer, recording_pyramid, read_log) -> None:
    config = OctreeConfig(render={"export_timeout_s": 0.2}, **TILES)
    layer = OctreeImage(recording_pyramid((512, 512), 3, chunks=(64, 64)), config, **LOOK)
    far_away(viewer, layer)
    read_log.hold()
    with pytest.warns(RuntimeWarning, match="export_timeout_s"):
        picture = viewer.export_figure()
    assert picture.shape[:2] == (512, 512)
    assert picture[..., :3].max() > 0


def test_what_cannot_be_read_does_not_hold_an_export_up(
    viewer, recording_pyramid, read_log
) -> None:
    layer = OctreeImage(recording_pyramid((512, 512), 3, chunks=(64, 64)), **LOOK)
    far_away(viewer, layer)
    read_log.failure = lambda read: ValueError("broken") if read.array == "level 0" else None
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert viewer.export_figure().shape[:2] == (512, 512)
    assert layer.settled or not layer.progress.loading


def test_a_volume_is_exported_as_it_would_settle(viewer, slow_pyramid) -> None:
    viewer.dims.ndisplay = 3
    layer = OctreeImage(slow_pyramid((32, 128, 128), 2, chunks=(32, 32, 32)), **LOOK)
    far_away(viewer, layer)
    viewer.scene.camera.angles = (5, 20, 30)
    viewer.scene.camera.zoom = 2.3
    at_once = viewer.screenshot(flash=False, size=(420, 440))
    native = viewer.window._qt_viewer.canvas.native
    native.setFixedSize(440, 420)
    assert layer.wait_until_settled(30)
    settled = viewer.screenshot(flash=False)
    assert at_once[..., :3].std() > 10
    assert np.abs(at_once.astype(int) - settled).max() <= 1


def test_force_synchronous_draws_everything_in_one_frame(viewer) -> None:
    data = random_pixels((600, 700), "uint8")
    config = OctreeConfig(loader_defaults={"force_synchronous": True}, **TILES)
    pictures = []
    for layer in (Image(data, **LOOK), OctreeImage([data, data[::2, ::2]], config, **LOOK)):
        viewer.layers.clear()
        viewer.add_layer(layer)
        viewer.scene.camera.center = (0, 300.27, 200.31)
        viewer.scene.camera.zoom = 1.53
        pictures.append(viewer.screenshot(flash=False))
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1
