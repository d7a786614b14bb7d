"""n-D images on the canvas: thick slices, colours and any order of axes, as napari shows them."""

from __future__ import annotations

from itertools import product
from typing import Any

import napari
import numpy as np
import pytest
from napari.layers import Image
from packaging.version import Version

from napari_octree import OctreeImage
from recording_array import random_pixels

SHAPE = (4, 5, 150, 200)
DATA = random_pixels(SHAPE, "uint8")


def shown(viewer: Any, screenshot: Any, zoom: float = 1.0) -> np.ndarray:
    """The canvas, off texel ties."""
    viewer.scene.camera.zoom = zoom
    viewer.scene.camera.center = (0.0, 70.27, 90.31)
    return screenshot(viewer)


@pytest.mark.parametrize("mode", ["none", "mean", "sum", "max", "min"])
def test_thick_slices_are_napari_s(viewer, screenshot, recording_array, read_log, mode) -> None:
    limits = (0, 600) if mode == "sum" else (100, 160)  # means are no integers
    keywords = {"contrast_limits": limits, "projection_mode": mode}
    layer = viewer.add_layer(OctreeImage([recording_array(DATA, (1, 1, 64, 64))], **keywords))
    viewer.dims.thickness = (0, 3, 0, 0)
    viewer.dims.set_point((0, 1), (2, 2))
    assert layer.wait_until_settled(30)
    shown(viewer, screenshot)
    assert layer.wait_until_settled(30)
    ours = shown(viewer, screenshot)
    planes = {read.index[1].start for read in read_log.reads if read.index[0].start == 2}
    assert planes >= ({1, 2, 3} if mode != "none" else {2})
    assert read_log.in_gui_thread == []
    place = (2, 2, 70, 90)
    level, value = layer.get_value(place)
    viewer.layers.clear()
    stock = viewer.add_image(DATA, **keywords)
    viewer.dims.thickness = (0, 3, 0, 0)
    viewer.dims.set_point((0, 1), (2, 2))
    assert (level, value) == (0, pytest.approx(stock.get_value(place), rel=1e-6))
    theirs = shown(viewer, screenshot)
    assert ours[..., :3].any()
    np.testing.assert_array_equal(ours, theirs)


THICK: list[tuple[float, float, float]] = [
    (6, 6, 21),  # before, after, point in the world, where planes are 3 apart
    (6, 6, 30),
    (3, 9, 27),
    (9, 0, 27),
    (4, 0, 27.9),
    (0, 5, 1),
    (1.4, 1.4, 3.2),
    (100, 100, 10),
    (7, 0, 64),  # the last plane lies at 57: what its margin reaches
    (0, 8, -5),
]


@pytest.mark.parametrize("kind", ["flat", "volume", "levels"])
def test_thick_slices_of_axes_that_run_backwards(make_viewer, kind) -> None:
    """They are napari's own, of which 0.9 has none: there, those of the planes in reverse."""
    viewer = make_viewer((60, 80))
    shape = {"flat": (20, 6, 8), "volume": (20, 4, 6, 8), "levels": (20, 6, 8)}[kind]
    planes = random_pixels(shape, "uint8")
    limits = {"contrast_limits": (0, 255)}
    rest = (1,) * (len(shape) - 1)
    levels = [planes, planes[:, ::2, ::2]] if kind == "levels" else [planes]
    backwards = {"scale": (-3, *rest), "translate": (57, *(0 for _ in rest))}
    ours = OctreeImage(levels, **backwards, **limits)
    if Version(napari.__version__) < Version("0.10rc0"):
        stock = Image(planes[::-1].copy(), scale=(3, *rest), **limits)
    else:
        stock = Image(planes, **backwards, **limits)
    for layer in (ours, stock):
        viewer.add_layer(layer)
    viewer.dims.ndisplay = 3 if kind == "volume" else 2
    zeros = (0,) * len(rest)
    seen = 0
    for (left, right, point), mode in product(THICK, ("none", "mean", "sum", "max", "min")):
        viewer.dims.margin_left, viewer.dims.margin_right = (left, *zeros), (right, *zeros)
        viewer.dims.set_point(0, point)
        ours.projection_mode = stock.projection_mode = mode
        octree_slice = ours.octree_slice
        assert (octree_slice is None) == stock._slice.empty
        if octree_slice is None:
            continue
        seen += 1
        (start, stop) = octree_slice.key.ranges[0]
        projected = octree_slice.to_display(planes[start:stop])
        np.testing.assert_allclose(projected, stock._slice.image.raw, rtol=1e-6)
        if kind == "levels":
            assert octree_slice.ranges(1)[0] == (start, stop)
    assert seen > 40


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_colours_of_any_slice(viewer, screenshot, order) -> None:
    colours = random_pixels((40, 60, 80, 3), "uint8")
    layer = viewer.add_layer(OctreeImage([colours], rgb=True))
    viewer.dims.order = order
    viewer.dims.set_point(order[0], 17)
    shown(viewer, screenshot, 3.0)
    assert layer.wait_until_settled(30)
    ours = shown(viewer, screenshot, 3.0)
    viewer.layers.clear()
    viewer.add_image(colours, rgb=True)
    viewer.dims.order = order
    viewer.dims.set_point(order[0], 17)
    theirs = shown(viewer, screenshot, 3.0)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("order", [(1, 0, 3, 2), (3, 2, 0, 1)])
def test_any_two_of_four_axes(viewer, screenshot, order) -> None:
    layer = viewer.add_layer(OctreeImage([DATA, DATA[:, :, ::2, ::2]], contrast_limits=(0, 255)))
    viewer.dims.order = order
    for axis in order[:2]:
        viewer.dims.set_point(axis, 2)
    shown(viewer, screenshot, 2.0)
    assert layer.wait_until_settled(30)
    ours = shown(viewer, screenshot, 2.0)
    viewer.layers.clear()
    viewer.add_image(DATA, contrast_limits=(0, 255))
    viewer.dims.order = order
    for axis in order[:2]:
        viewer.dims.set_point(axis, 2)
    np.testing.assert_array_equal(ours, shown(viewer, screenshot, 2.0))


def test_beyond_its_data_a_layer_shows_nothing(viewer, screenshot) -> None:
    deep, shallow = (np.full((n, 150, 200), value, np.uint8) for n, value in ((20, 50), (5, 100)))
    below = viewer.add_layer(OctreeImage([deep], contrast_limits=(0, 255)))
    above = viewer.add_layer(
        OctreeImage([shallow], contrast_limits=(0, 255), blending="additive", translate=(2, 0, 0))
    )
    for z, seen in ((3, 150), (10, 50), (1, 50), (6, 150), (7, 50)):
        viewer.dims.set_point(0, z)
        assert all(layer.wait_until_settled(30) for layer in (below, above))
        assert screenshot(viewer)[150, 200, 0] == seen
        assert (above.get_value((z, 70, 70))[1] is None) is (seen == 50)


@pytest.mark.parametrize(
    "change",
    [
        {"scale": (2, 1, 1)},
        {"translate": (-3, 0, 0)},
        {"affine": np.diag([0.5, 1, 1, 1])},
        {"units": ("mm", "mm", "mm")},
        {"projection_mode": "max"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_slice_follows_whatever_places_it(viewer, change) -> None:
    data = np.zeros((40, 64, 64), np.uint8)
    ours = OctreeImage([data], units=("um", "um", "um"))
    viewer.add_layer(ours)
    viewer.dims.set_point(0, 12)
    assert ours.octree_slice.key.position(0) == 12
    for name, value in change.items():
        setattr(ours, name, value)
    slicing = ours._slicing_state
    asked = (ours.octree_slice.key.version, (40, 64, 64), str(ours.projection_mode))

    def found() -> Any:
        return slicing._find_slice_key(slicing._slice_input, slicing._units, *asked)

    assert slicing.slice_key(*asked) == found()
    viewer.dims.set_point(0, 9)
    assert slicing.slice_key(*asked) == found()


def test_a_slider_moved_while_a_thread_asks_does_not_mix_two_slices(viewer, monkeypatch) -> None:
    layer = OctreeImage([np.zeros((40, 64, 64), np.uint8)])
    viewer.add_layer(layer)
    slicing = layer._slicing_state
    asked = (layer.octree_slice.key.version, (40, 64, 64), "none")
    inputs = []
    for point in (7, 31):
        viewer.dims.set_point(0, point)
        inputs.append(slicing._slice_input)
    assert slicing.slice_key(*asked).position(0) == 31

    class Moving:
        """What another thread sees: the slider moves as soon as it has looked."""

        def __get__(self, owner: Any, owner_type: Any = None) -> Any:
            return inputs.pop(0) if len(inputs) > 1 else inputs[0]

        def __set__(self, owner: Any, value: Any) -> None:
            raise AssertionError("nobody moves it here")

    monkeypatch.setattr(type(slicing), "_slice_input", Moving(), raising=False)
    assert slicing.slice_key(*asked).position(0) == 7
    assert slicing.slice_key(*asked).position(0) == 31
