"""The public contract of the layer: construction, keywords, data, waiting, events, values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer

from counted_calls import calls_of
from napari_octree import OctreeConfig, OctreeImage
from napari_octree.layers.views.statistics import OctreeStatistics
from napari_octree.octree.view import View


def pyramid(shape: tuple[int, ...] = (600, 800), dtype: Any = np.uint16) -> list[np.ndarray]:
    base = np.arange(np.prod(shape)).reshape(shape) % 60000
    base = base.astype(dtype)
    return [base[..., :: 2**k, :: 2**k] for k in range(3)]


@pytest.mark.parametrize(
    "keywords",
    [
        {"name": "cells", "opacity": 0.3, "blending": "additive", "visible": False},
        {"colormap": "viridis", "contrast_limits": (5, 500), "gamma": 0.7},
        {"scale": (2, 0.5), "translate": (3, 4), "rotate": 12, "units": ("um", "um")},
        {"shear": [0.2], "affine": np.eye(3), "axis_labels": ("y", "x")},
        {"interpolation2d": "linear", "interpolation3d": "nearest", "rendering": "iso"},
        {"attenuation": 0.2, "iso_threshold": 50, "depiction": "plane"},
        {"custom_interpolation_kernel_2d": np.ones((3, 3)), "projection_mode": "max"},
        {"plane": {"position": (1, 1, 1)}, "experimental_clipping_planes": []},
        {"metadata": {"a": 1}, "locked_data_level": 1, "auto_contrast": False},
        {"multiscale": True, "cache": True, "rgb": False},
    ],
    ids=lambda keywords: "-".join(keywords)[:40],
)
def test_every_keyword_of_image(qapp, keywords) -> None:
    stock = Image(pyramid(), **{**keywords, "multiscale": True})
    ours = OctreeImage(pyramid(), **keywords)
    for name in keywords:
        if name in ("multiscale", "cache", "plane", "experimental_clipping_planes"):
            continue
        expected, found = getattr(stock, name), getattr(ours, name)
        if hasattr(expected, "affine_matrix"):
            expected, found = expected.affine_matrix, found.affine_matrix
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected, name


def test_the_variable_gives_the_name(qapp) -> None:
    nuclei = pyramid()
    assert OctreeImage(nuclei).name == "nuclei"


def test_unknown_keywords_are_refused(qapp) -> None:
    with pytest.raises(TypeError, match="colour"):
        OctreeImage(pyramid(), colour="red")


def test_settles_in_a_viewer_and_tells(viewer) -> None:
    layer = OctreeImage(pyramid())
    told: list[tuple[str, Any]] = []
    layer.events.settled.connect(lambda e: told.append(("settled", e.value)))
    layer.events.progress.connect(lambda e: told.append(("progress", e.value)))
    viewer.add_layer(layer)
    assert not layer.settled
    assert layer.wait_until_settled(30)
    assert layer.settled
    assert ("settled", True) in told
    progress = layer.progress
    assert progress.ideal == progress.resident > 0
    assert progress.loading == progress.failed == 0
    assert told[-1][1] in (True, progress)


def test_a_moved_camera_is_not_settled_before_it_is_drawn(viewer) -> None:
    layer = OctreeImage(pyramid())
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    viewer.scene.camera.zoom *= 5
    assert not layer.settled
    assert layer.wait_until_settled(30)


def test_statistics_are_json(viewer) -> None:
    layer = OctreeImage(pyramid())
    viewer.add_layer(layer)
    layer.wait_until_settled(30)
    snapshot = json.loads(json.dumps(layer.statistics.as_dict()))
    assert snapshot["views"][0]["uploads"] > 0
    assert snapshot["loader"]["limit_bytes"] > 0


def test_before_a_window_exists(qapp, make_napari_viewer) -> None:
    layer = OctreeImage(pyramid())
    model = ViewerModel()
    model.add_layer(layer)
    assert layer.wait_until_settled(30)
    model.layers.clear()
    viewer = make_napari_viewer(show=True)
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    assert layer.progress.resident > 0


def test_with_a_bare_viewer_model(qapp) -> None:
    model = ViewerModel()
    layer = model.add_layer(OctreeImage(pyramid((5, 600, 800)), name="bare"))
    assert layer.wait_until_settled(30)
    assert layer.thumbnail.any()
    model.dims.set_point(0, 3)
    assert layer.wait_until_settled(30)
    np.testing.assert_array_equal(layer._slice.image.raw, layer.data[-1][3])


def test_contrast_limits_follow_the_overview(viewer) -> None:
    layer = OctreeImage([np.full((300, 300), 7.0, np.float32) + np.eye(300, dtype=np.float32)])
    viewer.add_layer(layer)
    layer.wait_until_settled(30)
    assert tuple(layer.contrast_limits) == (7.0, 8.0)


def test_contrast_limits_that_somebody_chose_stay(viewer) -> None:
    layer = OctreeImage([np.random.default_rng(0).random((300, 300), np.float32)])
    layer.contrast_limits = (0.25, 0.5)  # before the overview has arrived
    viewer.add_layer(layer)
    layer.wait_until_settled(30)
    assert tuple(layer.contrast_limits) == (0.25, 0.5)


def test_new_data_is_shown(viewer, screenshot) -> None:
    layer = viewer.add_layer(OctreeImage([np.zeros((300, 400), np.uint8)]))
    layer.wait_until_settled(30)
    layer.data = [np.full((300, 400), 255, np.uint8)]
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, 0] == 255


def test_reload_reads_changed_pixels(viewer, screenshot) -> None:
    data = np.zeros((300, 400), np.uint8)
    layer = viewer.add_layer(OctreeImage([data]))
    layer.wait_until_settled(30)
    data[:] = 255
    layer.reload()
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, 0] == 255


def test_values_under_the_cursor_come_from_memory(
    viewer, recording_array, read_log, let_rest
) -> None:
    data = np.arange(600 * 800, dtype=np.uint32).reshape(600, 800)
    layer = OctreeImage([recording_array(data, (256, 256))])
    assert layer.get_value((100, 100))[1] in (None, data[100, 100])  # loading has begun
    viewer.add_layer(layer)
    viewer.scene.camera.zoom = 2
    viewer.scene.camera.center = (0, 300, 400)
    let_rest(layer)
    before = len(read_log.reads)
    assert layer.get_value((301, 402)) == (0, data[301, 402])
    assert layer.get_value((-3, 402))[1] is None
    assert len(read_log.reads) == before


def test_duplicates_are_octree_images_of_the_same_arrays(viewer) -> None:
    from napari.layers._layer_actions import _duplicate_layer

    layer = viewer.add_layer(OctreeImage(pyramid(), name="one", colormap="magma"))
    _duplicate_layer(viewer.layers)
    twin = viewer.layers[-1]
    assert isinstance(twin, OctreeImage)
    assert twin.name == "one copy"
    assert twin.colormap.name == "magma"
    assert twin.data[0] is layer.data[0]


def test_layer_data_tuples(qapp) -> None:
    layer = OctreeImage(pyramid(), name="one", config=OctreeConfig())
    twin = Layer.create(*layer.as_layer_data_tuple())
    assert isinstance(twin, OctreeImage)
    assert twin.config == layer.config


def test_viewers_take_layer_data_tuples(qapp) -> None:
    model = ViewerModel()
    (layer,) = model._add_layer_from_data(pyramid(), {"name": "tuple"}, "octreeimage")
    assert isinstance(layer, OctreeImage)
    assert model.add_octreeimage(pyramid(), name="method").name == "method"


def test_the_layer_controls_show_the_level(viewer, pump) -> None:
    layer = viewer.add_layer(OctreeImage(pyramid()))
    viewer.scene.camera.zoom = 0.3
    assert layer.wait_until_settled(30)
    controls = viewer.window._qt_viewer.controls.widgets[layer]
    box = controls._multiscale_level_control.level_combobox
    pump()
    assert box.itemText(0) == "Auto (1)"
    viewer.scene.camera.zoom = 5
    assert layer.wait_until_settled(30)
    pump()
    assert box.itemText(0) == "Auto (0)"


def test_chunks_by_view(qapp) -> None:
    layer = OctreeImage(pyramid())
    view = View.of_box((0, 0), (300, 300), 1.0)
    assert layer.get_intersection(view).level == 0
    assert {c.index for c in layer.get_drawable_chunks(view)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_the_data_are_not_read_as_a_whole(qapp) -> None:
    with pytest.raises(TypeError, match="index one level"):
        np.asarray(OctreeImage(pyramid()).data)


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        ([np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint16)], "level 1"),
        ([np.zeros((4, 4)), np.zeros((8, 8))], "level 1"),
        ([np.zeros((0, 8))], "no pixels|empty|zero"),
        ([np.zeros((8, 8), complex)], "complex"),
        ([np.zeros((8, 8)), np.zeros((2, 4, 4))], "level 1"),
        ([np.zeros(8)], "axes|dimension"),
        ([], "level"),
        (np.broadcast_to(np.uint8(0), (10**9, 4, 4)), "10|axis"),
    ],
    ids=["dtype", "order", "zero-size", "complex", "rank", "1-D", "none", "huge axis"],
)
def test_bad_levels_are_refused_at_once(viewer, levels, problem) -> None:
    with pytest.raises((ValueError, TypeError), match=problem):
        viewer.add_layer(OctreeImage(levels))
    assert len(viewer.layers) == 0


def test_bad_new_data_leaves_the_old(viewer) -> None:
    levels = pyramid()
    layer = viewer.add_layer(OctreeImage(levels))
    with pytest.raises((ValueError, TypeError)):
        layer.data = [np.zeros((8, 8), complex)]
    assert layer.data[0] is levels[0]
    assert layer.wait_until_settled(30)


def test_a_snapshot_as_dicts_does_not_cost_by_the_source():
    loader = {"sources": {f"source {n}": {"reads": n} for n in range(1000)}}
    assert calls_of(OctreeStatistics(loader=loader).as_dict) < 20
