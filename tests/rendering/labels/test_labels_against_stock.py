"""Settled, the canvas equals stock napari's labels, pixel by pixel, whatever the look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from napari.utils.colormaps import DirectLabelColormap, label_colormap
from scipy import ndimage

from napari_octree import OctreeConfig, OctreeLabels

DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
SHAPE = (200, 280)
SMALL_TILES = OctreeConfig(octree={"tile_size": 64})
"""So that a view has many borders."""


def labels_of(dtype: str, within: int = 64) -> np.ndarray:
    """Blocks of 8² labels of the whole range of a type, with its ends and 0, and single pixels.

    Parameters
    ----------
    dtype : str
    within : int
        Bits of the labels at most.
    """
    random = np.random.default_rng(1)
    if dtype == "bool":
        return np.kron(random.random((25, 35)) < 0.3, np.ones((8, 8), bool))
    limits = np.iinfo(dtype)
    low, high = max(int(limits.min), -(2**within)), min(int(limits.max), 2**within)
    seeds = random.integers(low, high, (25, 35), dtype, endpoint=True)
    seeds.flat[:8] = [0, 1, 2, low, high, high - 1, 49, 50]
    seeds[random.random(seeds.shape) < 0.2] = 0
    labels = np.kron(seeds, np.ones((8, 8), dtype))
    rows, columns = random.integers(0, SHAPE[0], 300), random.integers(0, SHAPE[1], 300)
    labels[rows, columns] = random.choice(seeds.ravel(), 300)
    return labels


@dataclass
class Pair:
    """Stock's layer and ours of the same labels in one viewer, looked at one at a time."""

    viewer: Any
    shoot: Any
    stock: Any
    ours: OctreeLabels

    def pictures(self) -> tuple[np.ndarray, np.ndarray]:
        self.stock.visible, self.ours.visible = True, False
        expected = self.shoot(self.viewer)
        self.stock.visible, self.ours.visible = False, True
        assert self.ours.wait_until_settled(30)
        return expected, self.shoot(self.viewer)

    def assert_equal(self, what: str) -> None:
        expected, picture = self.pictures()
        assert (expected[..., :3] > 0).any(), f"{what}: nothing to be seen"
        different = (expected != picture).any(axis=-1).sum()
        assert different == 0, f"{what}: {different} pixels differ"

    def both(self, **settings: Any) -> None:
        for name, value in settings.items():
            for layer in (self.stock, self.ours):
                setattr(layer, name, value)


@pytest.fixture
def pair(viewer: Any, look_at: Any, screenshot: Any) -> Iterator[Any]:
    def make(labels: np.ndarray, for_stock: np.ndarray | None = None, **keywords: Any) -> Pair:
        viewer.layers.clear()
        stock = viewer.add_labels(labels if for_stock is None else for_stock, opacity=1)
        ours = OctreeLabels(labels, config=SMALL_TILES, opacity=1, **keywords)
        viewer.add_layer(ours)
        look_at(viewer, (100.3, 140.7), 1.37)
        return Pair(viewer, screenshot, stock, ours)

    return make


@pytest.mark.parametrize("dtypes", [DTYPES[:5], DTYPES[5:]], ids=["small", "large"])
def test_cyclic_colours(pair: Any, dtypes: list[str]) -> None:
    for dtype in dtypes:
        cyclic_colours(pair, dtype)


def cyclic_colours(pair: Any, dtype: str) -> None:
    labels = labels_of(dtype)
    both = pair(labels)
    both.assert_equal("as it is")
    for number, background in ((49, 1), (200, 0), (60_000, 0), (63, 0), (64, 0)):
        colours = label_colormap(number, 0.3, background_value=background)
        both.both(colormap=colours)
        both.assert_equal(f"{number} colours, background {background}")
    both.both(colormap=label_colormap(49, 0.7, background_value=0))
    both.stock.opacity = both.ours.opacity = 0.6
    both.assert_equal("opacity")
    picked = int(np.asarray(labels, "O").ravel()[labels.size // 2 + 40])
    both.both(selected_label=picked or 1, show_selected_label=True)
    if dtype != "int16":  # stock's selection of 16 bits is rounded down, and shows other labels
        both.assert_equal("only one label")


def test_data_of_another_type_that_are_assigned(pair: Any) -> None:
    both = pair(labels_of("int8", within=50))
    for dtype in ("uint16", "int64", "uint32", "uint8", "uint64", "bool", "int16"):
        labels = labels_of(dtype, within=50)
        both.both(data=labels)
        both.assert_equal(dtype)
        both.both(contour=1)
        both.assert_equal(f"{dtype}, outlines")
        both.both(contour=0)
        direct = DirectLabelColormap(
            color_dict={None: "red", int(labels.max()): "lime", 1: "blue"}
        )
        both.both(colormap=direct)
        both.ours.wait_until_settled(30)
        both.both(colormap=label_colormap(49, 0.5, background_value=0))


def test_outlines(pair: Any) -> None:
    for dtype in DTYPES:
        both = pair(labels_of(dtype, within=50))  # stock's filters are exact to 53 bits
        for contour in (1, 3, 6):
            both.both(contour=contour)
            both.assert_equal(f"contour {contour}")
        both.both(contour=2, colormap=label_colormap(49, 0.5, background_value=1))
        both.assert_equal("another background")


def test_outlines_between_the_largest_labels(pair: Any) -> None:
    for dtype in ("int64", "uint64"):
        outlines_between_the_largest_labels(pair, dtype)


def outlines_between_the_largest_labels(pair: Any, dtype: str) -> None:
    limits = np.iinfo(dtype)
    labels = np.full(SHAPE, limits.max, dtype)
    labels[:, 70:] -= labels.dtype.type(1)
    labels[:, 140:] = limits.min
    labels[60:, 200:] = 7
    # What stock's filters come to, in integers.
    cross = ndimage.generate_binary_structure(2, 1)
    order = np.searchsorted(np.unique(labels), labels)
    diamond = ndimage.iterate_structure(cross, 2)
    edge = ndimage.grey_dilation(order, footprint=cross) != ndimage.grey_erosion(
        order, footprint=diamond
    )
    both = pair(labels, np.where(edge, labels, 0).astype(dtype))
    both.ours.contour = 2
    both.assert_equal("contour 2")


def test_colours_by_label(pair: Any) -> None:
    for dtype in DTYPES[1:]:
        colours_by_label(pair, dtype)


def colours_by_label(pair: Any, dtype: str) -> None:
    labels = labels_of(dtype)
    random = np.random.default_rng(2)
    known = [int(label) for label in np.unique(labels)[::3] if label != 0][:100]
    colours = dict(zip(known, random.random((100, 4)), strict=False))
    colours[known[3]][3] = 0  # a label may be transparent
    others = {None: (0.2, 0.3, 0.4, 1), 0: (0, 0, 0, 0)}
    # Stock cannot show colours by label for large labels (without numba): it gets small ones.
    small = np.zeros(labels.shape, np.uint8)
    small[labels != 0] = 255
    for number, label in enumerate(known):
        small[labels == label] = number + 1
    both = pair(labels, small)
    both.stock.colormap = DirectLabelColormap(
        color_dict={number + 1: colours[label] for number, label in enumerate(known)} | others
    )
    both.ours.colormap = DirectLabelColormap(color_dict={**colours, **others})
    both.assert_equal("colours by label")
    both.stock.selected_label, both.ours.selected_label = 6, known[5]
    both.both(show_selected_label=True)
    both.assert_equal("only one label")
    both.ours.selected_label, both.stock.selected_label = 0, 0
    expected, picture = both.pictures()
    np.testing.assert_array_equal(expected, picture)


def test_labels_of_16_bits_are_all_selected(viewer: Any, look_at: Any, screenshot: Any) -> None:
    """Stock shows nothing of some of them."""
    labels = np.arange(-32, 32, dtype=np.int16).reshape(8, 8) * 1000
    layer = OctreeLabels(labels, opacity=1)
    viewer.add_layer(layer)
    layer.show_selected_label = True
    look_at(viewer, (3.5, 3.5), 30)
    assert layer.wait_until_settled(30)
    for label in labels.ravel():
        if label:
            layer.selected_label = int(label)
            shown = screenshot(viewer)[..., :3].any(axis=-1)
            assert 800 <= shown.sum() <= 961


def test_coarser_levels_are_stock_s_of_that_level(pair: Any, look_at: Any) -> None:
    labels = labels_of("uint32")
    both = pair(labels, labels[::2, ::2].copy())
    both.ours.data = [labels, labels[::2, ::2].copy()]
    both.stock.scale, both.stock.translate = (2, 2), (0.5, 0.5)
    look_at(both.viewer, (100.3, 140.7), 0.45, texel=(2, 2))
    for contour in (0, 1, 3):
        both.both(contour=contour)
        both.assert_equal(f"contour {contour}")
    assert both.ours.data_level == 1


def test_data_of_two_axes_in_three_dimensions(pair: Any, pump: Any) -> None:
    both = pair(labels_of("int32"))
    both.viewer.dims.ndisplay = 3
    pump()
    for rendering in ("translucent", "iso_categorical"):
        both.both(rendering=rendering)
        both.assert_equal(rendering)
    both.both(show_selected_label=True, selected_label=int(both.stock.data[100, 141]))
    both.assert_equal("only one label")
