import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers._source import Source

from napari_octree import OctreeImage, open_image, open_ome_zarr
from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def write_image(path, shapes, axes=AXES, scales=None, translations=None, omero=None, **keywords):
    group = zarr.create_group(path, zarr_format=2)
    datasets = []
    for number, shape in enumerate(shapes):
        group.create_array(
            str(number), shape=shape, chunks=(1,) * (len(shape) - 2) + (8, 8), dtype="u2"
        )
        scale = scales[number] if scales else [1] + [2.0**number] * (len(shape) - 1)
        transformations = [{"type": "scale", "scale": scale}]
        if translations:
            shift = {"type": "translation", "translation": translations[number]}
            transformations.append(shift)
        datasets.append({"path": str(number), "coordinateTransformations": transformations})
    image = {"version": "0.4", "name": "cells", "axes": axes, "datasets": datasets, **keywords}
    group.attrs["multiscales"] = [image]
    if omero:
        group.attrs["omero"] = omero
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.ome.zarr"


def test_one_layer_per_channel_looks_as_the_file_says(path):
    omero = {
        "channels": [
            {
                "label": "DAPI",
                "color": "0000FF",
                "window": {"start": 10, "end": 200, "min": 0, "max": 4095},
            },
            {"label": "GFP", "color": "12AB34", "active": False},
            {"color": "FF0000", "inverted": True},
        ]
    }
    write_image(path, [(3, 2, 16, 16)], scales=[[1, 3, 0.5, 0.25]], omero=omero)
    dapi, gfp, third = layers = open_ome_zarr(path)
    assert all(type(layer) is OctreeImage for layer in layers)
    assert [layer.name for layer in layers] == ["cells: DAPI", "cells: GFP", "cells: channel 2"]
    assert [layer.visible for layer in layers] == [True, False, True]
    assert {layer.blending for layer in layers} == {"additive"}
    assert dapi.colormap.name == "blue"
    np.testing.assert_allclose(gfp.colormap.map(1.0), [[0x12 / 255, 0xAB / 255, 0x34 / 255, 1]])
    np.testing.assert_allclose(third.colormap.map([0.0, 1.0]), [[1, 0, 0, 1], [0, 0, 0, 1]])
    assert dapi.contrast_limits == [10, 200]
    assert dapi.contrast_limits_range == [0, 4095]
    for layer in layers:
        assert tuple(layer.scale) == (3, 0.5, 0.25)
        assert layer.axis_labels == ("z", "y", "x")
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert layer.level_shapes.tolist() == [[2, 16, 16]]


def test_channels_share_storage_chunks(path):
    layers = open_ome_zarr(write_image(path, [(3, 2, 16, 16), (3, 1, 8, 8)]))
    for level in range(2):
        keys = {as_level_source(layer.data[level]).storage.key for layer in layers}
        assert len(keys) == 1


@pytest.mark.parametrize(
    ("count", "names"),
    [(1, ["gray"]), (2, ["magenta", "green"]), (3, ["cyan", "magenta", "yellow"]), (7, None)],
)
def test_channels_without_colours_get_those_of_napari(path, count, names):
    layers = open_ome_zarr(write_image(path, [(count, 2, 16, 16)]))
    stock = ViewerModel().add_image(np.zeros((count, 2, 16, 16)), channel_axis=0)
    found = [layer.colormap.name for layer in layers]
    assert found == [layer.colormap.name for layer in stock]
    assert names is None or found == names
    assert layers[0].name == ("cells" if count == 1 else "cells: channel 0")


def test_greyscale_images_are_grey(path):
    omero = {"rdefs": {"model": "greyscale"}, "channels": [{"color": "FF0000"}, {}]}
    layers = open_ome_zarr(write_image(path, [(2, 2, 16, 16)], omero=omero))
    assert [layer.colormap.name for layer in layers] == ["gray", "gray"]


def test_if_no_channel_is_active_all_are_shown(path):
    omero = {"channels": [{"active": False}, {"active": False}]}
    layers = open_ome_zarr(write_image(path, [(2, 2, 16, 16)], omero=omero))
    assert all(layer.visible for layer in layers)


def test_levels_lie_where_their_translations_say(path):
    shapes = [(1, 4, 16, 16), (1, 4, 8, 8)]
    scales = [[1, 2, 0.5, 0.5], [1, 2, 1, 1]]
    translations = [[0, 7, 1, 1], [0, 7, 1.25, 1]]
    write_image(path, shapes, scales=scales, translations=translations)
    (layer,) = open_ome_zarr(path)
    assert tuple(layer.translate) == (7, 1, 1)
    transform = layer._level_transforms[1]
    assert transform.factor == (1, 2, 2)
    assert transform.translation == (0, 0, -0.5)


def test_mirrored_axes(path):
    scales = [[1, 1, -0.5, 0.5], [1, 1, -1, 1]]
    write_image(path, [(1, 4, 16, 16), (1, 4, 8, 8)], scales=scales)
    (layer,) = open_ome_zarr(path)
    assert tuple(layer.scale) == (1, -0.5, 0.5)
    assert layer._level_transforms[1].factor == (1, 2, 2)


def test_levels_without_scales_are_aligned_by_their_shapes(tmp_path):
    group = zarr.create_group(tmp_path / "old.zarr", zarr_format=2)
    for number, side in enumerate((30, 10)):
        group.create_array(str(number), shape=(1, 1, 1, side, side), dtype="u1")
    datasets = [{"path": "0"}, {"path": "1"}]
    group.attrs["multiscales"] = [{"version": "0.2", "datasets": datasets}]
    (layer,) = open_ome_zarr(tmp_path / "old.zarr")
    assert layer.name == "old"
    assert layer.axis_labels == ("t", "z", "y", "x")
    assert layer._level_transforms[1].factor == (1, 1, 3, 3)


def test_unknown_units_are_pixels(path):
    axes = [{**axis, "unit": "cubit"} if axis["name"] == "z" else axis for axis in AXES]
    write_image(path, [(1, 2, 16, 16)], axes=axes)
    with pytest.warns(OmeZarrWarning, match=r"a\.ome\.zarr: the unit 'cubit' is not known"):
        (layer,) = open_ome_zarr(path)
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]


def test_a_plain_array(tmp_path):
    zarr.save_array(tmp_path / "plain.zarr", np.zeros((3, 20, 20), "u1"))
    (layer,) = open_ome_zarr(tmp_path / "plain.zarr")
    assert layer.name == "plain"
    assert layer.ndim == 3
    assert layer.multiscale


def test_what_cannot_be_shown_is_told_with_its_path(path):
    write_image(path, [(1, 2, 8, 16), (1, 2, 16, 4)], scales=[[1, 1, 1, 1], [1, 1, 0.5, 4]])
    with pytest.raises(SourceError, match=r"a\.ome\.zarr/1, .*give the finest level first"):
        open_ome_zarr(path)


def test_levels_of_another_type_are_converted_and_warned_of(path):
    write_image(path, [(1, 2, 16, 16)])
    group = zarr.open_group(path, mode="r+")
    values = np.array([-1.0, 0.5, 300.4, 7e4, np.nan, np.inf, 1, 2], "f4")
    group.create_array("1", data=np.broadcast_to(values, (1, 2, 8, 8)))
    (image,) = group.attrs["multiscales"]
    second = {
        "path": "1",
        "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 2]}],
    }
    group.attrs["multiscales"] = [{**image, "datasets": [*image["datasets"], second]}]
    with pytest.warns(OmeZarrWarning, match=r"a\.ome\.zarr/1: holds float32.*uint16"):
        (layer,) = open_ome_zarr(path)
    assert layer.dtype == np.uint16
    coarse = as_level_source(layer.data[1])
    assert coarse.dtype == np.uint16
    block = coarse.storage.read(((0, 1), (0, 1), (0, 8), (0, 8)))
    assert block.dtype == np.uint16
    assert block[0, 0, 0].tolist() == [0, 0, 300, 65535, 0, 65535, 1, 2]
    assert np.asarray(layer.data[1][0, 0]).tolist() == block[0, 0, 0].tolist()


@pytest.mark.parametrize(("given", "name"), [("image", "a"), ("Data", "a"), ("x", "x")])
def test_images_without_a_telling_name_are_called_as_their_file(path, given, name):
    write_image(path, [(2, 16, 16)], axes=AXES[1:], name=given)
    (layer,) = open_ome_zarr(path)
    assert layer.name == name


def test_layers_say_where_they_came_from_also_in_another_plugin_s_reader(path):
    write_image(path, [(2, 16, 16)], axes=AXES[1:])
    for layers in (open_ome_zarr(path), open_image(path)):
        assert [layer.source.path for layer in layers] == [str(path)]
    (layer,) = layers
    layer._set_source(Source(path="file.xyz", reader_plugin="another"))  # as napari does
    assert (layer.source.path, layer.source.reader_plugin) == ("file.xyz", "another")
    with pytest.raises(ValueError, match="already set"):
        layer._set_source(Source(path="b"))
