"""Colours of labels are napari's, also where napari's own raise."""

import numpy as np
import pytest
from napari.utils.colormaps import DirectLabelColormap, label_colormap

from napari_octree.layers.labels.label_colours import direct_colours, label_colours
from napari_octree.layers.labels.thumbnail import label_thumbnail

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


def labels_of(dtype: str) -> np.ndarray:
    """Labels of the whole range of a type, with its ends and 0."""
    limits = np.iinfo(dtype)
    random = np.random.default_rng(0)
    labels = random.integers(limits.min, limits.max, (40, 50), dtype=dtype, endpoint=True)
    labels.flat[:6] = [0, 1, limits.min, limits.max, limits.max - 1, 49]
    return labels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [49, 200, 60_000])
@pytest.mark.parametrize("background", [0, 1])
@pytest.mark.parametrize("only_selected", [False, True])
def test_cyclic_colours_are_napari_s(dtype, number, background, only_selected):
    labels = labels_of(dtype)
    colormap = label_colormap(number, 0.5, background_value=background)
    colormap.selection, colormap.use_selection = int(labels[3, 3]), only_selected
    np.testing.assert_array_equal(label_colours(labels, colormap), colormap.map(labels))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("only_selected", [False, True])
def test_direct_colours_are_napari_s_label_by_label(dtype, only_selected):
    labels = labels_of(dtype)
    random = np.random.default_rng(1)
    known = {int(label): random.random(4) for label in labels.flat[:300]}
    others = {None: (0.1, 0.2, 0.3, 1), 0: "transparent"}
    colormap = DirectLabelColormap(color_dict={**known, **others})
    colormap.selection, colormap.use_selection = int(labels[0, 5]), only_selected
    expected = np.array([colormap.map(int(label)) for label in labels.flat], np.float32)
    np.testing.assert_array_equal(label_colours(labels, colormap).reshape(-1, 4), expected)


def test_labels_that_the_type_cannot_hold_have_no_colour():
    colours = {None: "black", 0: "transparent", 300: "red", 7: "blue"}
    colormap = DirectLabelColormap(color_dict=colours)
    keys, colours = direct_colours(colormap, np.dtype(np.uint8))
    assert keys.tolist() == [0, 7]
    assert colours[1].tolist() == [0, 0, 1, 1]


def test_a_thumbnail_shows_what_is_seen_first():
    volume = np.zeros((3, 8, 16), np.int32)
    volume[1, 2:4], volume[2, 2:6] = 5, 9
    colormap = label_colormap(49, 0.5, background_value=0)
    thumbnail = label_thumbnail(volume, colormap, 0.5, (32, 32, 4))
    assert thumbnail.shape == (16, 32, 4)
    for row, label in ((0, 0), (5, 5), (9, 9), (15, 0)):
        expected = label_colours(np.array([label]), colormap)[0] * [1, 1, 1, 0.5]
        np.testing.assert_allclose(thumbnail[row, 7], expected)


def test_a_long_image_has_a_thumbnail():
    image = np.ones((2, 4000), np.uint8)
    thumbnail = label_thumbnail(image, label_colormap(49), 1.0, (32, 32, 4))
    assert thumbnail.shape == (1, 32, 4)
