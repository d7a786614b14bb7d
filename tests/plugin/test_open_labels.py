"""Label images: beside an image, by their own path, with colours and properties."""

import warnings

import numpy as np
import pytest
import zarr

from napari_octree import open_ome_zarr
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.sources import SourceError
from napari_octree.sources.ome_zarr.labels import address_above_labels
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning

AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]


def pyramid(group, shapes, scales, dtype="u2", axes=AXES, translation=None, **about):
    datasets = []
    for k, shape in enumerate(shapes):
        group.create_array(str(k), data=np.full(shape, k + 1, dtype))
        own = [{"type": "scale", "scale": scales[k]}] if scales else []
        if translation:
            own.append({"type": "translation", "translation": translation})
        datasets.append({"path": str(k), "coordinateTransformations": own} if own else
                        {"path": str(k)})  # fmt: skip
    image = {"version": "0.4", "axes": axes, "datasets": datasets}
    group.attrs.update({"multiscales": [image], **about})


def write(path, label_scales=([0.5, 0.5], [1, 1]), names=("cells",), **about):
    group = zarr.create_group(path, zarr_format=2)
    pyramid(group, [(64, 64), (32, 32)], ([0.5, 0.5], [1, 1]), translation=[3, 4])
    folder = group.create_group("labels")
    folder.attrs["labels"] = [*names]
    for name in names:
        label = folder.create_group(name)
        shapes = [(64, 64), (32, 32)][: len(label_scales or (1, 1))]
        pyramid(label, shapes, label_scales, **{"image-label": about})
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.zarr"


def test_labels_come_with_their_image_and_hidden(path):
    image, cells, nuclei = open_ome_zarr(write(path, names=("cells", "nuclei")))
    assert [type(layer) for layer in (cells, nuclei)] == [OctreeLabels] * 2
    assert (image.visible, cells.visible, nuclei.visible) == (True, False, False)
    assert [layer.name for layer in (image, cells, nuclei)] == ["a", "a: cells", "a: nuclei"]
    assert tuple(cells.scale) == tuple(image.scale)
    assert cells.axis_labels == image.axis_labels
    assert cells.units == image.units
    assert len(cells.data) == 2


def test_a_label_path_opens_with_its_parents_place(path):
    write(path, label_scales=None)
    for where in (path / "labels" / "cells", path / "labels/cells/"):
        (cells,) = open_ome_zarr(where)
        assert cells.visible
        assert cells.name == "cells"
        assert tuple(cells.scale) == (0.5, 0.5)
        assert tuple(cells.translate) == (3, 4)
    (cells,) = open_ome_zarr(path / "labels")
    assert isinstance(cells, OctreeLabels)
    assert tuple(cells.translate) == (3, 4)


def test_a_label_group_of_any_store_opens_with_its_parents_place(path, monkeypatch):
    write(path, label_scales=None, names=("of/cells",))
    store = zarr.storage.LocalStore(path)
    monkeypatch.chdir(path)
    for given in (
        zarr.open_group(store, path="labels/of/cells", mode="r"),
        zarr.storage.StorePath(store, "labels/of/cells"),
        path / "labels/of/cells",
        "labels/of/cells",
        "labels",
    ):
        (cells,) = open_ome_zarr(given)
        assert tuple(cells.translate) == (3, 4)


def test_the_address_above_labels_keeps_its_signature():
    where = "https://a.b/i.zarr/labels/cells/?sig=x/labels/y"
    assert address_above_labels(where) == "https://a.b/i.zarr?sig=x/labels/y"
    assert address_above_labels("https://a.b/cells?labels") is None


def test_labels_with_an_axis_more_lie_on_an_image_that_is_moved(path):
    group = zarr.create_group(path)
    data = np.arange(6 * 8, dtype="u2").reshape(6, 8)
    group.create_array("0", data=data)
    yx = [{"name": n, "type": "space"} for n in "yx"]
    level = {"type": "scale", "scale": [2, 3], "input": {"path": "0"}, "output": {"name": "own"}}
    turned = {"type": "affine", "affine": [[0, 1, 5], [1, 0, 7]]}
    image = {
        "coordinateSystems": [{"name": "own", "axes": yx}, {"name": "world", "axes": yx}],
        "datasets": [{"path": "0", "coordinateTransformations": [level]}],
        "coordinateTransformations": [
            {**turned, "input": {"name": "own"}, "output": {"name": "world"}}
        ],
    }
    group.attrs["ome"] = {"version": "0.6", "multiscales": [image]}
    group.create_group("labels").attrs["ome"] = {"version": "0.6", "labels": ["cells"]}
    label = group.create_group("labels/cells")
    label.create_array("0", data=np.stack([data, data + 100]))
    zyx = [{"name": n, "type": "space"} for n in "zyx"]
    level = {**level, "scale": [4, 2, 3]}
    image = {
        "coordinateSystems": [{"name": "own", "axes": zyx}],
        "datasets": [{"path": "0", "coordinateTransformations": [level]}],
    }
    label.attrs["ome"] = {"version": "0.6", "multiscales": [image], "image-label": {}}
    shown, cells = open_ome_zarr(path, coordinate_system="world")
    assert cells.axis_labels == ("z", "y", "x")
    for layer, extra in ((shown, ()), (cells, (1,))):
        pixels = np.asarray(layer.data[0])
        at = layer.data_to_world((*extra, 4, 2))
        np.testing.assert_allclose(at, (*(4 * n for n in extra), 4 * 3 + 5, 2 * 2 + 7))
        assert pixels[(*extra, 4, 2)] == data[2, 4] + 100 * len(extra)


@pytest.mark.parametrize("rgba", [[1.0, 0.5, 0.0, 1.0], [1, 0.5, 0]])
def test_colours_as_parts_of_one(path, rgba):
    write(path, colors=[{"label-value": 1, "rgba": rgba}])
    with pytest.warns(OmeZarrWarning, match=r"read as parts of 1|cannot use the colour \[1, 0\.5"):
        _, cells = open_ome_zarr(path)
    np.testing.assert_allclose(cells.colormap.color_dict[1], [1, 0.5, 0, 1])


def test_labels_of_half_the_size_cover_their_image(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    pyramid(group, [(64, 64)], ([0.5, 0.5],), translation=[3, 4])
    label = group.create_group("labels/cells")
    group["labels"].attrs["labels"] = ["cells"]
    pyramid(label, [(32, 32)], None, **{"image-label": {}})
    image, cells = open_ome_zarr(tmp_path / "a.zarr")
    edges = [layer.data_to_world((-0.5, -0.5)) for layer in (image, cells)]
    ends = [image.data_to_world((63.5, 63.5)), cells.data_to_world((31.5, 31.5))]
    np.testing.assert_allclose(*edges)
    np.testing.assert_allclose(*ends)


def test_colours_and_properties(path):
    colors = [
        {"label-value": 0, "rgba": [255, 255, 255, 255]},
        {"label-value": 1, "rgba": [255, 0, 0, 255]},
        {"label-value": 2, "rgba": [0, 0, 255, 51]},
        {"label-value": 3},
    ]
    properties = [
        {"label-value": 1, "area": 12.5, "class": "cell"},
        {"label-value": 7, "class": "debris", "neighbours": [1, 2], "index": 5},
    ]
    _, cells = open_ome_zarr(write(path, colors=colors, properties=properties))
    shown = cells.colormap.map(np.array([0, 1, 2, 3]))
    np.testing.assert_allclose(shown[0], [0, 0, 0, 0])  # background, whatever the file says
    np.testing.assert_allclose(shown[1], [1, 0, 0, 1])
    np.testing.assert_allclose(shown[2], [0, 0, 1, 0.2], atol=1e-6)
    assert shown[3][3] > 0
    features = cells.features
    assert features["index"].tolist() == [1, 7]
    assert features["class"].tolist() == ["cell", "debris"]
    assert features["neighbours"].tolist()[1] == "[1, 2]"


def test_labels_take_part_in_what_is_done_to_their_image(tmp_path):
    space = [{"name": name, "type": "space"} for name in "yx"]
    systems = [{"name": name, "axes": space} for name in ("physical", "world")]
    turn = {"type": "affine", "affine": [[0, 1, 5], [-1, 0.5, 6]]}
    edge = {**turn, "input": {"name": "physical"}, "output": {"name": "world"}}

    def image(transformations, factor):
        scale = {"type": "scale", "scale": [factor, factor], "input": {"path": "0"}}
        dataset = {
            "path": "0",
            "coordinateTransformations": [{**scale, "output": {"name": "physical"}}],
        }
        return {
            "coordinateSystems": systems[: 1 + len(transformations)],
            "datasets": [dataset],
            "coordinateTransformations": transformations,
        }

    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", data=np.zeros((8, 8), "u1"))
    group.attrs["ome"] = {"version": "0.6", "multiscales": [image([edge], 1)]}
    folder = group.create_group("labels")
    folder.attrs["ome"] = {"version": "0.6", "labels": ["cells"]}
    label = folder.create_group("cells")
    label.create_array("0", data=np.zeros((4, 4), "u1"))
    label.attrs["ome"] = {"version": "0.6", "multiscales": [image([], 2)], "image-label": {}}
    pixels, cells = open_ome_zarr(tmp_path / "a.zarr", coordinate_system="world")
    np.testing.assert_allclose(pixels.data_to_world((4, 6)), cells.data_to_world((2, 3)))
    np.testing.assert_allclose(cells.data_to_world((2, 3)), [6 + 5, -4 + 3 + 6])


@pytest.mark.parametrize("value", [None, 5, "cells", [5], [None], ["../a"], ["gone"], {"a": 1}])
def test_labels_that_are_not_there_cost_the_image_nothing(path, value):
    write(path)
    zarr.open_group(path / "labels").attrs["labels"] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OmeZarrWarning)
        (image,) = open_ome_zarr(path)
        assert image.name == "a"
        with pytest.raises(SourceError, match=r"a\.zarr/labels: "):
            open_ome_zarr(path / "labels")


@pytest.mark.parametrize(
    "about",
    [
        {"colors": 5},
        {"colors": []},
        {"colors": [{"label-value": "1", "rgba": [1, 2, 3, 4]}]},
        {"colors": [{"label-value": 1, "rgba": [1, 2]}]},
        {"colors": [{"label-value": 1, "rgba": [300, 0, 0, 0]}]},
        {"colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}] * 2},
        {"properties": [{"area": 1}]},
        {"properties": [1]},
        {"colors": [{"label-value": 10**400, "rgba": [0, 0, 0, 0]}]},
    ],
)
def test_colours_and_properties_that_cannot_be_used_are_warned_of(path, about):
    write(path, **about)
    with pytest.warns(OmeZarrWarning, match=r"labels/cells: "):
        _, cells = open_ome_zarr(path)
    assert len(cells.data) == 2


def test_labels_of_floats_are_rounded_and_warned_of(path):
    group = zarr.open_group(write(path), mode="r+")
    group["labels/cells"].create_array("0", data=np.full((64, 64), 2.6, "f4"), overwrite=True)
    with pytest.warns(OmeZarrWarning, match="whole numbers"):
        _, cells = open_ome_zarr(path)
    assert cells.dtype == np.int32
    assert np.asarray(cells.data[0][0:1, 0:1]).item() == 3
