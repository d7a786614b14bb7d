"""Labels in 3-D: as stock napari's, whatever the look; another look uploads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap, label_colormap

from napari_octree import OctreeConfig, OctreeLabels

pytestmark = pytest.mark.usefixtures("fast_frames")  # it is looks that count here

SIZE = 40
CONFIG = OctreeConfig(octree={"brick_size": 16})
NUMBERS = {
    "uint8": (1, 2, 50, 255),
    "int8": (-128, -3, 49, 127),
    "uint16": (1, 300, 40000, 65535),
    "int32": (-(2**31), -7, 99, 2**31 - 1),
    "uint32": (3, 2**24 + 1, 12345678, 2**32 - 1),
    "int64": (-(2**62), -1, 2**53 + 1, 2**63 - 1),
    "uint64": (1, 2**40, 2**53 + 1, 2**64 - 2),
}
"""Types, and labels of them."""


def balls(dtype: str, numbers: tuple[int, ...]) -> np.ndarray:
    """Four balls that do not touch, one of them cut by the border of the volume."""
    labels = np.zeros((SIZE,) * 3, dtype)
    place = np.indices(labels.shape).transpose(1, 2, 3, 0)
    centres = ((10, 10, 10), (11, 29, 28), (28, 9, 30), (30, 30, 4))
    for number, centre in zip(numbers, centres, strict=True):
        labels[((place - centre) ** 2).sum(axis=-1) < 9.3**2] = number
    return labels


@pytest.fixture
def viewer(make_viewer: Callable[..., Any]) -> Any:
    return make_viewer((150, 150), ndisplay=3)


def look(viewer: Any, pump: Callable[[], None]) -> None:
    camera = viewer.scene.camera
    camera.angles, camera.zoom, camera.center = (10, 35, 60), 2.3, (SIZE / 2,) * 3
    pump()


@pytest.fixture
def pair(viewer: Any, pump: Any, screenshot: Any) -> Callable[..., Callable[[], None]]:
    """Stock's layer and ours: compares their pictures as they are set now."""

    def make(labels: np.ndarray, **settings: Any) -> Callable[..., None]:
        layers = [Labels(labels, **settings), OctreeLabels([labels], config=CONFIG, **settings)]
        for layer in layers:
            viewer.add_layer(layer)
        look(viewer, pump)

        def compare(what: str, **changes: Any) -> None:
            pictures = []
            for layer in layers:
                for name, value in changes.items():
                    setattr(layer, name, value)
                for other in layers:
                    other.visible = other is layer
                assert layer is layers[0] or layer.wait_until_settled(30)
                pictures.append(screenshot(viewer).astype(int)[..., :3])
            stock, ours = pictures
            hit = stock.any(axis=-1)
            assert hit.mean() > 0.02, f"{what}: nothing to compare"
            different = np.abs(stock - ours).max(axis=-1) > 2
            # Where a line of sight passes along the face of a voxel rounding decides.
            assert different.mean() <= 0.001, what
            assert (different & hit).sum() <= 0.01 * hit.sum(), what

        return compare

    return make


@pytest.mark.parametrize("dtype", NUMBERS)
def test_looks_as_stock_napari_s(pair: Any, dtype: str) -> None:
    numbers = NUMBERS[dtype]
    compare = pair(balls(dtype, numbers), opacity=1)
    compare("lit")
    compare("smoothly lit", iso_gradient_mode="smooth")
    compare("flat", rendering="translucent")
    compare("only one", selected_label=numbers[2], show_selected_label=True)
    compare("only one, lit", rendering="iso_categorical", iso_gradient_mode="fast")
    compare("all", show_selected_label=False, opacity=0.6)


def test_data_of_another_type_that_are_assigned(pair: Any) -> None:
    compare = pair(balls("uint8", NUMBERS["uint8"]), opacity=1)
    compare("uint8")
    for dtype in ("int64", "uint16"):
        numbers = NUMBERS[dtype]
        compare(dtype, data=balls(dtype, numbers))
        compare(dtype, selected_label=numbers[2], show_selected_label=True)
        compare(dtype, show_selected_label=False, selected_label=1)


def test_colours_of_their_own_are_the_same_for_all_types(
    viewer: Any, pump: Any, screenshot: Any
) -> None:
    # Stock's outlines of 32 bits with colours of their own are not those of 8.
    numbers = (1, 2, 50, 255)
    colours = dict(zip(numbers, ("red", "lime", "transparent", "yellow"), strict=True))
    direct = DirectLabelColormap(color_dict={**colours, None: "blue", 0: "transparent"})
    pictures = []
    for dtype in ("uint8", "uint32", "uint64"):
        layer = OctreeLabels([balls(dtype, numbers)], config=CONFIG, colormap=direct)
        viewer.add_layer(layer)
        look(viewer, pump)
        assert layer.wait_until_settled(30)
        pictures.append(screenshot(viewer))
        viewer.layers.remove(layer)
    assert pictures[0].std() > 5
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] == pictures[2]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_as_stock_napari_s(pair: Any, dtype: str) -> None:
    numbers = (1, 2, 50, 255)
    compare = pair(balls(dtype, numbers), opacity=1, rendering="translucent")
    compare("other colours", colormap=label_colormap(20, seed=0.3))
    colours = dict(zip(numbers, ("red", "lime", "transparent", "yellow"), strict=True))
    direct = DirectLabelColormap(color_dict={**colours, None: "blue", 0: "transparent"})
    compare("colours of their own, one of them clear", colormap=direct)


def test_another_look_reads_and_uploads_nothing(
    viewer: Any, pump: Any, screenshot: Any, recording_array: Any, read_log: Any, let_rest: Any
) -> None:
    labels = recording_array(balls("uint32", NUMBERS["uint32"]), (16, 16, 16))
    layer = OctreeLabels([labels], config=CONFIG)
    viewer.add_layer(layer)
    look(viewer, pump)
    let_rest(layer)
    former = screenshot(viewer)
    reads, before = len(read_log.reads), layer.statistics.views[0]
    looks: dict[str, Callable[[], Any]] = {
        "select": lambda: setattr(layer, "selected_label", 12345678),
        "only selected": lambda: setattr(layer, "show_selected_label", True),
        "select another": lambda: setattr(layer, "selected_label", 3),
        "all": lambda: setattr(layer, "show_selected_label", False),
        "smooth": lambda: setattr(layer, "iso_gradient_mode", "smooth"),
        "flat": lambda: setattr(layer, "rendering", "translucent"),
        "shuffle": lambda: layer.new_colormap(seed=3),
        "opacity": lambda: setattr(layer, "opacity", 0.3),
    }
    for name, change in looks.items():
        change()
        assert layer.wait_until_settled(30)
        picture = screenshot(viewer)
        assert (picture != former).any() == (name != "select"), name
        former = picture
    (after,) = layer.statistics.views
    assert after.uploads == before.uploads
    assert after.plans == before.plans
    assert len(read_log.reads) == reads
    assert read_log.in_gui_thread == []


def test_coarser_levels_are_shown_and_picked(viewer: Any, pump: Any, screenshot: Any) -> None:
    fine = balls("uint32", NUMBERS["uint32"])
    levels = [fine, fine[::2, ::2, ::2].copy()]
    ours = OctreeLabels(levels, config=CONFIG, opacity=1)
    viewer.add_layer(ours)
    look(viewer, pump)
    pictures = []
    for level in (0, 1):
        ours.locked_data_level = level
        assert ours.wait_until_settled(30)
        pictures.append(screenshot(viewer)[..., :3].any(axis=-1))
    # Outlines of a coarse level lie a voxel of it further in at most; there is no hole.
    shifts = range(-5, 6)
    inside = np.all([np.roll(pictures[0], s, a) for s in shifts for a in (0, 1)], axis=0)
    assert inside.mean() > 0.01
    assert pictures[1][inside].all()
    where = {"view_direction": np.array([1.0, 0, 0]), "dims_displayed": [0, 1, 2], "world": True}
    for centre, number in zip(((10, 10), (29, 28), (9, 30)), NUMBERS["uint32"], strict=False):
        assert ours.get_value((0, *centre), **where) == (1, number)
    assert ours.get_value((0, 20, 20), **where) in (None, (1, 0), (1, None))
