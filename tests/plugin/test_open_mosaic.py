"""`open_mosaic`: placed images as one layer, in a viewer."""

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_octree
from napari_octree import open_mosaic
from napari_octree.sources import SourceError

RNG = np.random.default_rng(0)


def images(rows, columns, side=64):
    tiles = RNG.integers(0, 255, (rows, columns, side, side)).astype("u1")
    return tiles, [
        (tiles[row, column], (row * side * 0.5, column * side * 0.5))
        for row in range(rows)
        for column in range(columns)
    ]


def test_the_layer_says_where_the_mosaic_lies():
    _, placed = images(2, 3)
    moved = [(array, (y + 10, x - 4)) for array, (y, x) in placed]
    layer = open_mosaic(moved, scale=(0.5, 0.5), name="scan", colormap="magma", translate=(1, 0))
    assert layer.scale.tolist() == [0.5, 0.5]
    assert layer.translate.tolist() == [11, -4]
    assert layer.level_shapes[0].tolist() == [128, 192]
    assert layer.name == "scan"
    assert layer.colormap.name == "magma"
    assert layer.metadata["mosaic"]["images"] == 6


def test_what_is_drawn_is_the_pasted_picture(viewer, look_at, screenshot):
    tiles, placed = images(4, 5)
    whole = tiles.transpose(0, 2, 1, 3).reshape(256, 320)
    layer = viewer.add_layer(open_mosaic(placed, scale=(0.5, 0.5)))
    look_at(viewer, (64, 80), 4.0, texel=(0.5, 0.5), origin=(-0.25, -0.25))
    assert layer.wait_until_settled()
    mosaic = screenshot(viewer)
    viewer.layers.clear()
    viewer.add_image(whole, scale=(0.5, 0.5), interpolation2d="nearest", contrast_limits=(0, 255))
    look_at(viewer, (64, 80), 4.0, texel=(0.5, 0.5), origin=(-0.25, -0.25))
    np.testing.assert_array_equal(mosaic, screenshot(viewer))


def test_nothing_is_read_before_it_is_in_view(recording_array, read_log):
    _, placed = images(3, 3)
    placed = [(recording_array(array, (64, 64)), place) for array, place in placed]
    model = ViewerModel()
    model.add_layer(open_mosaic(placed))
    assert not any(read.in_gui_thread for read in read_log.reads)


def test_the_status_names_the_image_under_the_cursor():
    _, placed = images(2, 2)
    layer = open_mosaic(placed, scale=(0.5, 0.5))
    assert "image 3" in layer.get_status((40.0, 40.0), world=True)["value"]
    assert "image" not in layer.get_status((400.0, 40.0), world=True)["value"]


def test_a_copy_of_the_layer_shows_the_same():
    _, placed = images(2, 2)
    layer = open_mosaic(placed)
    twin = type(layer).create(*layer.as_layer_data_tuple())
    assert [a.key for a in twin.data] == [a.key for a in layer.data]


def test_it_is_public_and_refuses_in_words():
    assert "open_mosaic" in napari_octree.__all__
    with pytest.raises(SourceError, match="at least one image"):
        open_mosaic([])
