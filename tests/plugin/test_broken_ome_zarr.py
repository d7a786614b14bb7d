"""Files with flaws: the best possible picture and a warning, or an error that names the path."""

import json
import os
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import zarr

from napari_octree import open_ome_zarr
from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning


def write(path, shapes=((32, 32), (16, 16)), axes="yx", scales=None, dtypes=None, **about):
    """Level n is filled with n + 1."""
    types = {"c": "channel", "t": "time"}
    group = zarr.open_group(path, mode="w", zarr_format=2)
    datasets = []
    for k, shape in enumerate(shapes):
        dtype = dtypes[k] if dtypes else "u1"
        group.create_array(str(k), data=np.full(shape, k + 1, dtype))
        scale = scales[k] if scales else [n / own for n, own in zip(shapes[0], shape, strict=True)]
        transformation = {"type": "scale", "scale": scale}
        datasets.append({"path": str(k), "coordinateTransformations": [transformation]})
    axes = [{"name": name, "type": types.get(name, "space")} for name in axes]
    image = {"version": "0.4", "axes": axes, "datasets": datasets}
    group.attrs.update({"multiscales": [image], **about})
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.zarr"


def change(path, **keywords):
    file = path / ".zarray"
    file.write_text(json.dumps(json.loads(file.read_text()) | keywords))


@pytest.mark.parametrize(
    "keywords",
    [
        {"compressor": {"id": "nosuch"}}, {"compressor": 5}, {"shape": [-5, 10]},
        {"shape": [10**400, 4]}, {"chunks": [0, 0]}, {"chunks": [2**20, 2**20]},
        {"dtype": "<bf16"}, {"dtype": "|O"}, {"dtype": "<c16"}, {"dtype": "|S4"},
        {"dtype": [["a", "<f4"]]}, {"filters": [{"id": "pickle"}]}, {"shape": [16] * 40},
        {"shape": [0, 0]}, {"zarr_format": 9}, {"fill_value": "no"}, {"shape": [16, 10**9]},
        {"shape": [16], "chunks": [16]}, {"shape": "ab"}, {"order": "Q"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("level", [0, 1])
def test_a_level_that_cannot_be_shown_is_left_out(path, keywords, level):
    write(path)
    change(path / str(level), **keywords)
    with pytest.warns(OmeZarrWarning, match=rf"a\.zarr/{level}: .*is left out"):
        (layer,) = open_ome_zarr(path)
    assert [n.shape for n in layer.data] == [[(16, 16)], [(32, 32)]][level]
    assert tuple(layer.scale) == ((2, 2), (1, 1))[level]
    change(path / str(1 - level), **keywords)
    with pytest.raises(SourceError, match=r"a\.zarr/0: "):
        open_ome_zarr(path)


def test_an_array_of_pickles_is_not_read(path, tmp_path):
    evil = tmp_path / "evil"

    class Trap:
        def __reduce__(self):
            return open, (str(evil), "w")

    import pickle

    group = zarr.create_group(path, zarr_format=2)
    array = group.create_array("0", shape=(4, 4), chunks=(4, 4), dtype="u1", compressors=None)
    array[:] = 1
    change(path / "0", filters=[{"id": "pickle", "protocol": 5}], dtype="|u1")
    (path / "0" / "0.0").write_bytes(pickle.dumps(Trap()))
    for where in (path, path / "0"):
        with pytest.raises(SourceError):
            open_ome_zarr(where)
    with pytest.raises(SourceError, match="pickle"):
        open_ome_zarr(path / "0")
    assert not evil.exists()


def test_levels_of_one_size_are_no_pyramid(path):
    write(path, [(40, 50), (40, 50), (20, 25)])
    with pytest.warns(OmeZarrWarning, match=r"a\.zarr/1: has the shape .* may be another image"):
        (layer,) = open_ome_zarr(path)
    assert [level.shape for level in layer.data] == [(40, 50), (20, 25)]


def test_levels_that_only_lose_slices_are_a_pyramid(path):
    write(path, [(8, 40, 50), (4, 40, 50)], "zyx")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (layer,) = open_ome_zarr(path)
    assert layer._level_transforms[1].factor == (2, 1, 1)


def test_a_plain_level_of_another_shape_is_left_out(path):
    group = zarr.create_group(path)
    for k, shape in enumerate([(64, 64), (60, 10), (16, 16)]):
        group.create_array(str(k), shape=shape, dtype="u1")
    with pytest.warns(OmeZarrWarning, match=r"a\.zarr/1: its shape .* may be another image"):
        (layer,) = open_ome_zarr(path)
    assert [level.shape for level in layer.data] == [(64, 64), (16, 16)]


def test_a_level_with_fewer_channels_is_left_out_for_those_it_lacks(path):
    write(path, [(3, 32, 32), (2, 16, 16), (3, 8, 8)], "cyx", [[1, n, n] for n in (1, 2, 4)])
    layers = open_ome_zarr(path)
    assert [len(layer.data) for layer in layers] == [3, 3, 2]
    assert layers[2]._level_transforms[1].factor == (4, 4)


def test_a_level_with_fewer_time_points_is_left_out(path):
    write(path, [(6, 32, 32), (4, 16, 16)], "tyx", [[1, 1, 1], [1, 2, 2]])
    with pytest.warns(OmeZarrWarning, match="has 4 of 6 time points"):
        (layer,) = open_ome_zarr(path)
    assert len(layer.data) == 1


def test_many_channels_are_a_slider(path):
    write(path, [(200, 8, 8)], "cyx")
    with pytest.warns(OmeZarrWarning, match="has 200 channels"):
        (layer,) = open_ome_zarr(path)
    assert layer.axis_labels == ("c", "y", "x")


@pytest.mark.parametrize("dtype", ["u2", "f8", "bool", "i1"])
def test_other_types_are_converted(path, dtype):
    write(path, dtypes=["u1", dtype])
    with pytest.warns(OmeZarrWarning, match=r"a\.zarr/1: holds .*, but the first level uint8"):
        (layer,) = open_ome_zarr(path)
    value = np.asarray(layer.data[1][0:1, 0:1])
    assert value.dtype == np.uint8
    assert value.item() == (1 if dtype == "bool" else 2)


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("000000", [0, 0, 0]), ("#00ff00", [0, 1, 0]), ("00FF00FF", [0, 1, 0]),
        (0x0000FF, [0, 0, 1]), (-16776961, [1, 0, 0]), (4278190335, [1, 0, 0]), (0, [0, 0, 0]),
        ([255, 0, 255], [1, 0, 1]), ([0.0, 1.0, 0.0], [0, 1, 0]),
    ],
)  # fmt: skip
def test_colours(path, color, expected):
    channels = {"omero": {"channels": [{"color": color}, {"color": "ffffff"}]}}
    write(path, [(2, 32, 32)], "cyx", **channels)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if isinstance(color, str) else "ignore")
        first, _ = open_ome_zarr(path)
    np.testing.assert_allclose(
        first.colormap.map(np.array([0.0, 1.0]))[:, :3], [[0] * 3, expected]
    )


def test_black_stays_black_on_the_canvas(path):
    channels = {
        "omero": {"channels": [{"color": "000000"}, {"color": "000000", "inverted": True}]}
    }
    write(path, [(2, 32, 32)], "cyx", **channels)
    for layer in open_ome_zarr(path):
        assert layer.colormap.map(np.linspace(0, 1, 5))[:, :3].max() == 0


@pytest.mark.parametrize(
    ("shape", "dtype", "rgb"),
    [
        ((64, 64, 3), "u1", True), ((64, 64, 4), "u1", True), ((5, 64, 64, 3), "u1", True),
        ((64, 64, 3), "u2", False), ((64, 64, 5), "u1", False), ((20, 20, 3), "u1", False),
    ],
)  # fmt: skip
def test_plain_arrays_of_colours(path, shape, dtype, rgb):
    zarr.create_array(path, data=np.zeros(shape, dtype))
    (layer,) = open_ome_zarr(path)
    assert layer.rgb is rgb
    assert layer.ndim == len(shape) - rgb


@pytest.mark.parametrize("names", [None, ["y", "x", "rgb"]])
def test_a_plain_pyramid_in_colour(path, names):
    group = zarr.create_group(path)
    for k in range(2):
        shape = (64 >> k, 96 >> k, 3)
        group.create_array(str(k), data=np.full(shape, k, "u1"), dimension_names=names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (layer,) = open_ome_zarr(path)
    assert layer.rgb
    assert [level.shape for level in layer.data] == [(64, 96, 3), (32, 48, 3)]
    assert layer._level_transforms[1].factor == (2, 2)


def test_names_of_axes_of_xarray(path):
    array = zarr.create_array(path, data=np.zeros((8, 64, 3), "u1"), zarr_format=2)
    array.attrs["_ARRAY_DIMENSIONS"] = ["time", "lat", "lon"]
    (layer,) = open_ome_zarr(path)
    assert layer.axis_labels == ("time", "lat", "lon")
    assert not layer.rgb


def test_one_missing_image_of_a_series_costs_the_rest_nothing(path):
    group = zarr.create_group(path, zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    group.create_group("OME").attrs["series"] = ["0", "gone", "../x", 2, "2", None]
    write(path / "0")
    write(path / "2")
    with pytest.warns(OmeZarrWarning, match="'gone', but it is not there; .* is left out"):
        layers = open_ome_zarr(path)
    assert [layer.name for layer in layers] == ["0", "2"]


@pytest.mark.parametrize("depth", [500, 100_000])
def test_json_of_any_depth(path, depth):
    write(path)
    (path / ".zattrs").write_text('{"multiscales": ' + "[" * depth + "]" * depth + "}")
    with pytest.raises(SourceError, match=r"a\.zarr"):
        open_ome_zarr(path)


@pytest.mark.parametrize("text", ["", "{", "5", "[]", '"a"', "{\x00}"])
def test_attributes_that_are_no_object(path, text):
    write(path)
    (path / ".zattrs").write_text(text)
    with pytest.raises(SourceError, match=r"a\.zarr/\.zattrs: "):
        open_ome_zarr(path)


@pytest.mark.parametrize("text", ["null", "{}", '{"a": NaN}'])
def test_without_attributes_the_numbered_arrays_are_shown(path, text):
    write(path)
    (path / ".zattrs").write_text(text)
    (layer,) = open_ome_zarr(path)
    assert len(layer.data) == 2


def test_a_group_without_zgroup(path):
    write(path)
    (path / ".zgroup").unlink()
    with pytest.warns(OmeZarrWarning, match=r"a\.zarr: has no \.zgroup"):
        (layer,) = open_ome_zarr(path)
    assert len(layer.data) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '{"metadata": null}',
        '{"metadata": {"0/.zarray": {}, "1/.zarray": 5}}',
    ],
)
def test_consolidated_metadata_that_is_broken_or_old(path, text):
    write(path)
    (path / ".zmetadata").write_text(text)
    (layer,) = open_ome_zarr(path)
    assert [level.shape for level in layer.data] == [(32, 32), (16, 16)]


def test_consolidated_metadata_of_format_3_that_are_old(path):
    zarr.create_group(path).create_array("0", data=np.ones((8, 8), "u1"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path)
    group = zarr.open_group(path, use_consolidated=False)
    for name, n in (("0", 32), ("1", 16)):
        group.create_array(name, data=np.full((n, n), 7, "u1"), overwrite=True)
    (layer,) = open_ome_zarr(path)
    assert [level.shape for level in layer.data] == [(32, 32), (16, 16)]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_arrays_of_one_format_in_a_group_of_the_other(path, zarr_format):
    write(path)
    attributes = dict(zarr.open_group(path).attrs)
    if zarr_format == 3:
        for name in (".zgroup", ".zattrs"):
            (path / name).unlink()
        document = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": attributes}}
        (path / "zarr.json").write_text(json.dumps(document))
    else:
        for level, n in (("0", 32), ("1", 16)):
            for file in (path / level).iterdir():
                file.unlink()
            zarr.create_array(path / level, data=np.full((n, n), 3, "u1"), zarr_format=3)
    (layer,) = open_ome_zarr(path)
    assert [level.shape for level in layer.data] == [(32, 32), (16, 16)]


def test_colons_in_a_name(tmp_path):
    (layer,) = open_ome_zarr(write(tmp_path / "a::b.zarr"))
    assert layer.name == "a::b"


def test_pipes_are_not_waited_for(path):
    write(path)
    chunk = path / "0" / "0.0"
    chunk.unlink()
    getattr(os, "mkfifo", os.mkdir)(chunk)
    (layer,) = open_ome_zarr(path)
    with pytest.raises(SourceError, match=r"a\.zarr/0, chunk \(0, 0\): is no file"):
        as_level_source(layer.data[0]).storage.read(((0, 32), (0, 32)))
    if hasattr(os, "mkfifo"):
        (path / ".zattrs").unlink()
        os.mkfifo(path / ".zattrs")
        with pytest.raises(SourceError, match=r"\.zattrs: no file, but a pipe"):
            open_ome_zarr(path)


@pytest.mark.parametrize("name", [".zattrs", ".zgroup"])
def test_a_file_of_the_folder_means_the_folder(path, name):
    write(path)
    (layer,) = open_ome_zarr(path / name)
    assert len(layer.data) == 2


def zipped(path, archive, prefix="", **keywords):
    with zipfile.ZipFile(archive, "w", **keywords) as file:
        for each in sorted(path.rglob("*")):
            if each.is_file():
                file.write(each, prefix + str(each.relative_to(path)))
    return archive


@pytest.mark.parametrize("name", ["a.ozx", "A.OZX", "a.zarr.zip", "a.ome.ZARR.Zip", "a.other"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_of_any_name(path, tmp_path, name, compression):
    archive = zipped(write(path), tmp_path / name, compression=compression)
    (layer,) = open_ome_zarr(archive)
    assert [np.asarray(level[0:1, 0:1]).item() for level in layer.data] == [1, 2]
    assert layer.name.lower() in ("a", "a.other")


def test_an_archive_of_the_folder_itself(path, tmp_path):
    archive = zipped(write(path), tmp_path / "b.zarr.zip", "a.zarr/")
    with pytest.warns(OmeZarrWarning, match=r"holds the folder a\.zarr"):
        (layer,) = open_ome_zarr(archive)
    assert np.asarray(layer.data[1][0:1, 0:1]).item() == 2


def test_an_archive_of_a_folder_further_down_and_what_is_in_it(path, tmp_path):
    archive = zipped(write(path), tmp_path / "b.zip", "x/y/a.zarr/")
    with pytest.warns(OmeZarrWarning, match=r"holds the folder x/y/a\.zarr"):
        (layer,) = open_ome_zarr(archive)
    assert np.asarray(layer.data[1][0:1, 0:1]).item() == 2
    (layer,) = open_ome_zarr(archive / "x/y/a.zarr/1")
    assert layer.data[0].shape == (16, 16)


def test_archives_that_are_none(tmp_path, path):
    write(path)
    bad = {"empty.zip": b"", "text.ozx": b"hello", "cut.zip": b""}
    whole = zipped(path, tmp_path / "whole.zip").read_bytes()
    bad["cut.zip"] = whole[: len(whole) // 2]
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=f"{name}: a zip archive that cannot be read"):
            open_ome_zarr(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(".zgroup", b'{"zarr_format": 2}')
        file.writestr(".zattrs", b" " * (65 * 2**20))
    with pytest.raises(SourceError, match=r"would unpack to .* bytes of metadata"):
        open_ome_zarr(tmp_path / "bomb.zip")


@pytest.mark.parametrize(
    "where",
    ["a\0b.zarr", "~nobody-here/a.zarr", "x" * 5000, "", "\ud800", "http://[::1"],
)
def test_paths_that_are_none(where):
    with pytest.raises(SourceError):
        open_ome_zarr(where)


def test_one_level_of_another_zarr_format(path):
    """A group of format 2 whose finest level somebody has written anew, in format 3."""
    write(path)
    pixels = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
    shutil.rmtree(path / "0")
    zarr.create_array(path / "0", data=pixels, zarr_format=3)
    (layer,) = open_ome_zarr(path)
    assert layer.level_shapes.tolist() == [[32, 32], [16, 16]]
    np.testing.assert_array_equal(layer.data[0][...], pixels)


def test_one_broken_image_of_several_in_a_group_costs_the_rest_nothing(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", data=np.full((32, 32), 7, np.uint8))
    names = {"lost": "9", "kept": "0"}
    group.attrs["multiscales"] = [
        {"version": "0.1", "name": name, "datasets": [{"path": path}]}
        for name, path in names.items()
    ]
    with pytest.warns(OmeZarrWarning, match="this one of its 2 images is left out"):
        (layer,) = open_ome_zarr(tmp_path / "a.zarr")
    assert layer.name == "kept"
