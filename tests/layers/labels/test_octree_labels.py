"""OctreeLabels is napari's Labels where that matters, on an octree."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Labels, Layer

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.layers._napari import OctreeLevels

LABELS = np.kron(np.arange(12, dtype=np.int64).reshape(3, 4) * 2**40, np.ones((30, 30), np.int64))


def test_it_is_a_labels_layer_with_all_its_keywords() -> None:
    keywords: dict[str, Any] = {
        "name": "cells",
        "opacity": 0.3,
        "blending": "additive",
        "features": {"index": [2**40], "kind": ["first"]},
        "rendering": "translucent",
        "iso_gradient_mode": "smooth",
        "scale": (2, 3),
        "translate": (5, 7),
        "metadata": {"a": 1},
        "visible": False,
    }
    ours, stock = OctreeLabels(LABELS, **keywords), Labels(LABELS, **keywords)
    assert isinstance(ours, Labels)
    for name in keywords:
        if name == "features":
            assert ours.features.equals(stock.features)
        else:
            np.testing.assert_array_equal(getattr(ours, name), getattr(stock, name))
    np.testing.assert_array_equal(ours.extent.world, stock.extent.world)
    assert ours.dtype == np.int64


def test_the_variable_s_name_is_the_layer_s() -> None:
    cells = LABELS
    assert OctreeLabels(cells).name == "cells"
    assert OctreeLabels([cells, cells[::2, ::2]]).name == "OctreeLabels"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_floats_are_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match=f"Only integer types .* contains {dtype}"):
        OctreeLabels(np.zeros((10, 10), dtype))
    layer = OctreeLabels(LABELS)
    with pytest.raises(TypeError, match="Only integer types"):
        layer.data = np.zeros((10, 10), dtype)
    assert layer.dtype == np.int64


def test_bool_becomes_uint8() -> None:
    layer = OctreeLabels(LABELS > 0)
    assert layer.wait_until_settled(30)
    assert layer.dtype == np.uint8
    assert layer.get_value((1, 31)) == 1  # one array was given: as of a stock layer
    layer.selected_label = 1


def test_layer_data_tuples_make_them() -> None:
    levels = [LABELS, LABELS[::2, ::2]]  # a single array in RAM is handed on as it is
    layer = OctreeLabels(levels, name="cells", config=OctreeConfig(octree={"tile_size": 64}))
    data, state, kind = layer.as_layer_data_tuple()
    copy = Layer.create(data, state, kind)
    assert isinstance(copy, OctreeLabels)
    assert copy.config == layer.config
    assert copy.data[0] is LABELS
    assert copy.name == "cells"
    assert "octreelabels" in napari.layers.NAMES
    (added,) = ViewerModel()._add_layer_from_data(LABELS, {"name": "x"}, "octreelabels")
    assert isinstance(added, OctreeLabels)
    assert added._type_string == "labels"


def test_values_and_features_are_known_from_memory(recording_array: Any, read_log: Any) -> None:
    features = {"index": [2**40, 5 * 2**40], "kind": ["nerve", "muscle"]}
    layer = OctreeLabels([recording_array(LABELS, (16, 16))], features=features)
    read_log.hold()
    unknown = layer.get_status((1, 31), world=True)
    assert "No Properties" not in unknown["value"]
    read_log.release()
    assert layer.wait_until_settled(30)
    assert layer.get_value((1, 31), world=True) == (0, 2**40)
    status = layer.get_status((1, 31), world=True)
    assert status["value"] == f"0, {2**40}; kind: nerve"
    assert status["coordinates"].endswith(f"0, {2**40}; kind: nerve")
    assert "kind: muscle" in layer.get_status((31, 31), world=True)["value"]
    assert "No Properties" in layer.get_status((31, 61), world=True)["value"]
    assert read_log.in_gui_thread == []


def test_pick_selects_the_label(viewer: Any) -> None:
    layer = OctreeLabels(LABELS)
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    pick = layer._drag_modes[layer._modeclass.PICK]

    class Click:
        position, view_direction, dims_displayed = (1.0, 31.0), None, [0, 1]

    pick(layer, Click())
    assert layer.selected_label == 2**40
    Click.position = (-9.0, 31.0)
    pick(layer, Click())
    assert layer.selected_label == 0


@pytest.mark.parametrize("reduction", ["mean", "nearest", "mode"])
def test_coarser_levels_hold_labels_of_the_image_only(reduction: str, viewer: Any) -> None:
    config = OctreeConfig(octree={"tile_size": 64, "reduction": reduction})
    random = np.random.default_rng(0)
    labels = random.choice(np.array([0, 7, 2**60, 2**63 - 1]), (3000, 2500))

    class Store:
        shape, dtype, chunks = labels.shape, labels.dtype, (256, 256)

        def __getitem__(self, index: Any) -> np.ndarray:
            return labels[index]

    for data in (labels, Store()):
        layer = OctreeLabels([data], config=config)
        assert layer.wait_until_settled(60)
        overview = layer._slice.image.raw
        assert overview.shape[0] < 1100
        assert set(np.unique(overview)) == set(np.unique(labels))


def test_sliders_and_thick_slices_show_the_slice(viewer: Any) -> None:
    stack = np.stack([LABELS, LABELS[::-1], LABELS[:, ::-1]])
    layer, stock = OctreeLabels(stack), Labels(stack)
    assert [str(mode) for mode in layer._projectionclass] == ["none"]
    viewer.add_layer(layer)
    for z in range(3):
        viewer.dims.set_point(0, z)
        assert layer.wait_until_settled(30)
        assert layer.get_value((z, 5, 95)) == stack[z, 5, 95]
    viewer.dims.thickness = (3, 0, 0)
    assert layer.wait_until_settled(30)
    assert layer.get_value((2, 5, 95)) == stack[2, 5, 95]
    assert stock.ndim == layer.ndim


def test_data_of_one_array_are_one_array_as_stock_s(qapp: Any, tmp_path: Path) -> None:
    stored = zarr.create_array(tmp_path / "a.zarr", shape=LABELS.shape, dtype=LABELS.dtype)
    stored[:] = LABELS
    for data in (LABELS.copy(), stored):
        layer, stock = OctreeLabels(data), Labels(LABELS.copy())
        assert layer.wait_until_settled(30)
        assert layer.data is data
        assert not layer.multiscale
        for each in (layer, stock):
            each.brush_size = 9
            each.paint((50, 60), 5)
        assert layer.wait_until_settled(30)
        ours, theirs = layer.data, stock.data
        assert (np.asarray(data) == LABELS).all()
        np.testing.assert_array_equal(np.asarray(ours), theirs)
        assert (len(ours), ours.shape, ours.dtype, ours.ndim, ours.size) == (
            *(len(theirs), theirs.shape, theirs.dtype, theirs.ndim, theirs.size),
        )
        mask = theirs == 5
        for index in (
            50,
            -1,
            (50, 60),
            (..., 60),
            slice(40, 60),
            (slice(None, None, -1), 3),
            mask,
        ):
            np.testing.assert_array_equal(ours[index], theirs[index])
        np.testing.assert_array_equal(ours == 5, mask)
        np.testing.assert_array_equal(np.unique(ours), np.unique(theirs))
        assert ours.max() == theirs.max()
        assert [int(row[60]) for row in ours] == theirs[:, 60].tolist()
        for array in (ours, theirs):
            array[mask] = 7
            array[3] = 8
        np.testing.assert_array_equal(np.asarray(layer.data), theirs)
        layer.undo()
        copy = OctreeLabels(layer.data)
        assert copy.wait_until_settled(30)
        np.testing.assert_array_equal(np.asarray(copy.data), np.asarray(layer.data))
    levels = OctreeLabels([LABELS, LABELS[::2, ::2]])
    assert levels.multiscale
    assert len(levels.data) == 2


@pytest.mark.parametrize("cls", [OctreeImage, OctreeLabels])
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_a_copy_s_data_are_one_array_where_one_was_given(
    cls: type, dtype: str, qapp: Any, tmp_path: Path
) -> None:
    stored = zarr.create_array(tmp_path / "a.zarr", shape=LABELS.shape, dtype=dtype)
    stored[:] = LABELS > 3 if dtype == "bool" else LABELS
    for data, is_one in ((stored, True), ([stored], False)):
        layer = cls(data)
        copied = Layer.create(*copy.deepcopy(layer.as_layer_data_tuple()))
        for one in (layer, copied, copy.deepcopy(layer)):
            assert one.multiscale is not is_one
            shape = one.data.shape if is_one else one.data[0].shape
            assert shape == LABELS.shape
            assert isinstance(one.data, OctreeLevels) is not is_one


def test_places_that_are_set_are_numpy_s() -> None:
    layer, expected = OctreeLabels(LABELS), LABELS.copy()
    rows, columns = np.ix_([1, -1, 40], [-3, 0])
    for place, value in (
        ((np.array([-1, 2]), np.array([4, -5])), 7),
        ((rows, columns), np.arange(6).reshape(3, 2)),
        ((-2, 3), 9),
    ):
        layer.data_setitem(place, value)
        expected[place] = value
        np.testing.assert_array_equal(layer.data, expected)
    for place in ((np.array([90]), np.array([0])), (np.array([0]), np.array([-121]))):
        with pytest.raises(IndexError, match="out of bounds for axis"):
            layer.data_setitem(place, 5)
    np.testing.assert_array_equal(layer.data, expected)
    for _ in range(3):
        layer.undo()
    np.testing.assert_array_equal(layer.data, LABELS)
