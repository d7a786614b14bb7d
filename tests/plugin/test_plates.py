"""Plates in a viewer."""

import json
import shutil

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_octree import open_mosaic, open_ome_zarr
from napari_octree.plugin.commands.plates import (
    open_field,
    open_well,
    plate_names,
    show_plate_names,
    with_plate_names,
)

SIDE = 32


@pytest.fixture
def plate(tmp_path):
    """Two wells of two fields with two channels; a field is filled with its number."""
    path = tmp_path / "p.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    wells = [{"path": f"A/{n}", "rowIndex": 0, "columnIndex": n - 1} for n in (1, 2)]
    names = {"rows": [{"name": "A"}], "columns": [{"name": "1"}, {"name": "2"}]}
    root.attrs["plate"] = {"version": "0.4", "name": "screen", "wells": wells, **names}
    for well in (1, 2):
        group = root.create_group(f"A/{well}")
        group.attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
        for field in (0, 1):
            image = group.create_group(f"{field}")
            data = np.full((2, SIDE, SIDE), 10 * well + field, "u1")
            image.create_array("0", data=data, chunks=(1, SIDE, SIDE))
            label = image.create_group("labels/cells")
            image["labels"].attrs["labels"] = ["cells"]
            label.create_array("0", data=(data[:1] > 0).astype("u1") * 3, chunks=(1, SIDE, SIDE))
            axes = [{"name": "c", "type": "channel"}]
            axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
            scale = [{"type": "scale", "scale": [1, 0.5, 0.5]}]
            datasets = [{"path": "0", "coordinateTransformations": scale}]
            multiscales = [{"version": "0.4", "axes": axes, "datasets": datasets}]
            image.attrs["multiscales"] = multiscales
            label.attrs.update({"multiscales": multiscales, "image-label": {"version": "0.4"}})
    return path


def images(layers):
    return [layer for layer in layers if type(layer).__name__ == "OctreeImage"]


def test_a_plate_is_a_layer_per_channel(plate):
    layers = images(open_ome_zarr(plate))
    assert [layer.name for layer in layers] == ["screen: channel 0", "screen: channel 1"]
    for layer in layers:
        assert layer.scale.tolist() == [0.5, 0.5]
        known = layer.metadata["ome_zarr"]["plate"]
        assert (known["rows"], known["columns"]) == (["A"], ["1", "2"])
        assert "A/1 field 2" in layer.get_status((8.0, SIDE * 0.75), world=True)["value"]


def test_labels_of_a_plate_come_with_it(plate):
    (labels,) = [a for a in open_ome_zarr(plate) if type(a).__name__ != "OctreeImage"]
    assert not labels.visible
    shown = np.asarray(labels.data[0][...] if hasattr(labels.data, "__len__") else labels.data)
    assert set(np.unique(shown)) <= {0, 3}


def test_names_of_rows_and_columns_lie_beside_the_wells(plate):
    layer = images(open_ome_zarr(plate))[0]
    names = plate_names(layer)
    assert list(names.text.values) == ["A", "1", "2"]
    pitch = layer.metadata["ome_zarr"]["plate"]["pitch"]
    np.testing.assert_allclose(names.data[0], [pitch[0] / 2 - 0.5, -pitch[1] / 4 - 0.5])
    assert names.scale.tolist() == layer.scale.tolist()
    assert with_plate_names([layer])[-1].name == "screen: rows and columns"
    assert with_plate_names([]) == []


def test_names_are_added_once_then_hidden_and_shown(plate):
    model = ViewerModel()
    model.add_layer(images(open_ome_zarr(plate))[0])
    show_plate_names(model)
    assert len(model.layers) == 2
    for visible in (False, True):
        show_plate_names(model)
        assert len(model.layers) == 2
        assert model.layers[1].visible is visible


@pytest.mark.parametrize("command", [open_field, open_well])
def test_one_field_or_well_alone(plate, command):
    model = ViewerModel()
    (layer, _) = images(open_ome_zarr(plate))
    model.add_layer(layer)
    pitch = layer.metadata["ome_zarr"]["plate"]["pitch"][1]
    model.scene.camera.center = (0, 4, (pitch + SIDE * 1.5) * 0.5)
    command(model)
    added = images(list(model.layers)[1:])
    assert len(added) == 2
    shape = (SIDE, SIDE) if command is open_field else (SIDE, 2 * SIDE)
    assert tuple(added[0].level_shapes[0]) == shape
    whole = np.asarray(added[0].data[0][...])
    assert set(np.unique(whole)) == ({21} if command is open_field else {20, 21})
    names = [layer.name for layer in model.layers][2:]
    start = "A/2 field 2" if command is open_field else "A/2"
    assert names == [f"{start}: channel 1", f"{start}: cells"]


def test_where_there_is_no_field_it_is_said(plate):
    model = ViewerModel()
    open_field(model)
    model.add_layer(images(open_ome_zarr(plate))[0])
    model.scene.camera.center = (0, -500, -500)
    open_field(model)
    assert len(model.layers) == 1


def test_the_reader_adds_the_names(plate, octree_plugin):
    from napari_octree.plugin.reader import read_layers

    assert read_layers(str(plate))[-1].name == "screen: rows and columns"


def test_reload_finds_a_well_that_has_come_since(plate, make_viewer):
    attributes = plate / "A/2/.zattrs"
    text = attributes.read_text()
    attributes.unlink()
    viewer = make_viewer()
    layer = viewer.add_layer(images(open_ome_zarr(plate))[0])
    assert layer.wait_until_settled()
    pitch = layer.metadata["ome_zarr"]["plate"]["pitch"][1]
    assert layer.get_value((4, pitch + 4), world=False)[1] == 0
    attributes.write_text(json.dumps(json.loads(text)))
    layer.reload()
    assert layer.wait_until_settled()
    assert layer.get_value((4, pitch + 4), world=False)[1] == 20


def test_a_plate_or_mosaic_that_is_gone_has_failed(plate, make_viewer):
    viewer = make_viewer()
    arrays = [zarr.open_array(plate / f"A/{well}/0/0") for well in (1, 2)]
    mosaic = open_mosaic([(array, (0, SIDE * n)) for n, array in enumerate(arrays)])
    layers = [images(open_ome_zarr(plate))[0], mosaic]
    for layer in layers:
        viewer.add_layer(layer)
    for layer in layers:
        assert layer.wait_until_settled()
    shutil.rmtree(plate)
    for layer in layers:
        layer.reload()
    for layer in layers:
        assert not layer.wait_until_settled()
        assert layer.progress.failed
