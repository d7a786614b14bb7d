"""Groups on disk: from third-party writers, by hand, and things that are no image."""

import json
import threading
import warnings
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import ome_zarr.format
import ome_zarr.writer
import pytest
import yaozarrs
import zarr
from yaozarrs import v05
from yaozarrs.write.v05 import Bf2RawBuilder, write_image

from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import name_of, read_ome_zarr
from recording_array import random_pixels

PIXELS = random_pixels((2, 3, 64, 96), "uint16")


@pytest.fixture(autouse=True)
def _no_store_is_listed(monkeypatch):
    def refuse(*_):
        raise AssertionError("the store was listed")

    for name in ("list", "list_dir", "list_prefix"):
        monkeypatch.setattr(zarr.storage.LocalStore, name, refuse)


def write_by_ome_zarr(path, fmt, pixels=PIXELS, axes="czyx", **keywords):
    group = zarr.open_group(path, mode="w", zarr_format=fmt.zarr_format)
    ome_zarr.writer.write_image(
        pixels,
        group,
        fmt=fmt,
        axes=axes,
        name="cells",
        scale_factors=(2, 4),
        scale={"z": 2.0, "y": 0.5, "x": 0.25},
        axes_units={"z": "micrometer", "y": "micrometer", "x": "micrometer"},
        **keywords,
    )
    return path


OMERO = {
    "channels": [
        {
            "label": "DAPI",
            "color": "0000FF",
            "active": True,
            "window": {"start": 10, "end": 200, "min": 0, "max": 65535},
        },
        {"label": "GFP", "color": "00FF00", "active": False},
    ],
    "rdefs": {"model": "color"},
}


@pytest.mark.parametrize("fmt", [ome_zarr.format.FormatV04(), ome_zarr.format.FormatV05()])
def test_images_of_ome_zarr_py(tmp_path, fmt):
    path = write_by_ome_zarr(tmp_path / "a.ome.zarr", fmt, metadata={"omero": OMERO})
    group = zarr.open_group(path, mode="r+")
    if fmt.version == "0.5":
        group.attrs["ome"] = {**group.attrs["ome"], "omero": OMERO}
    else:
        group.attrs["omero"] = OMERO
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (image,) = read_ome_zarr(path)
    metadata = image.metadata
    assert image.name == "cells"
    assert metadata.version == fmt.version
    assert [axis.name for axis in metadata.axes] == list("czyx")
    assert [axis.unit for axis in metadata.axes] == [None] + ["micrometer"] * 3
    assert metadata.channel_axis == 0
    assert [level.shape for level in image.levels] == [
        (2, 3, 64, 96),
        (2, 3, 32, 48),
        (2, 3, 16, 24),
    ]
    assert [d.scale for d in metadata.datasets] == [
        (1, 2, 0.5, 0.25),
        (1, 2, 1, 0.5),
        (1, 2, 2, 1),
    ]
    assert [channel.label for channel in metadata.channels] == ["DAPI", "GFP"]
    assert metadata.channels[0].window == (10, 200)
    assert not metadata.channel(1).active
    np.testing.assert_array_equal(image.levels[0][:], PIXELS)


def test_images_of_yaozarrs(tmp_path):
    levels = [PIXELS[0], PIXELS[0, :, ::2, ::2]]
    datasets = [
        v05.Dataset(
            path=str(k),
            coordinateTransformations=[
                v05.ScaleTransformation(scale=[2, 0.5 * f, 0.5 * f]),
                v05.TranslationTransformation(translation=[7, 1 + (f - 1) / 4, 2 + (f - 1) / 4]),
            ],
        )
        for k, f in enumerate((1, 2))
    ]
    axes = [v05.SpaceAxis(name=name, unit="micrometer") for name in "zyx"]
    metadata = v05.Image(multiscales=[v05.Multiscale(name="nuclei", axes=axes, datasets=datasets)])
    write_image(tmp_path / "b.zarr", metadata, levels, chunks=(1, 32, 32), shards=(1, 64, 64))
    yaozarrs.validate_zarr_store(str(tmp_path / "b.zarr"))
    (image,) = read_ome_zarr(tmp_path / "b.zarr")
    assert image.name == "nuclei"
    assert image.metadata.channel_axis is None
    assert [d.translation for d in image.metadata.datasets] == [(7, 1, 2), (7, 1.25, 2.25)]
    assert image.levels[0].shards is not None
    np.testing.assert_array_equal(image.levels[1][:], levels[1])


def test_series_of_bioformats2raw(tmp_path):
    axes = [v05.SpaceAxis(name=name) for name in "yx"]
    scale = v05.ScaleTransformation(scale=[1, 1])
    dataset = v05.Dataset(path="0", coordinateTransformations=[scale])
    image = v05.Image(multiscales=[v05.Multiscale(axes=axes, datasets=[dataset])])
    builder = Bf2RawBuilder(tmp_path / "c.zarr")
    for number in range(2):
        builder.write_image(str(number), image, PIXELS[number, 0])
    images = read_ome_zarr(tmp_path / "c.zarr")
    assert [i.name for i in images] == ["0", "1"]
    np.testing.assert_array_equal(images[1].levels[0][:], PIXELS[1, 0])


def test_a_plain_array(tmp_path):
    zarr.save_array(tmp_path / "plain.zarr", PIXELS)
    (image,) = read_ome_zarr(str(tmp_path / "plain.zarr"))
    assert image.name == "plain"
    assert image.metadata.channel_axis is None
    assert [axis.name for axis in image.metadata.axes] == [f"axis {i}" for i in range(4)]
    np.testing.assert_array_equal(image.levels[0][:], PIXELS)


def test_a_zip_file(tmp_path):
    with zarr.storage.ZipStore(tmp_path / "plain.zarr.zip", mode="w") as store:
        zarr.create_array(store, data=PIXELS)
    (image,) = read_ome_zarr(tmp_path / "plain.zarr.zip")
    assert image.name == "plain"
    np.testing.assert_array_equal(image.levels[0][:], PIXELS)


def test_a_url():
    store = zarr.storage.FsspecStore.from_url("memory://remote/a.zarr")
    zarr.create_array(store, data=PIXELS)
    (image,) = read_ome_zarr("memory://remote/a.zarr")
    assert image.name == "a"
    np.testing.assert_array_equal(image.levels[0][:], PIXELS)


class QuietFiles(SimpleHTTPRequestHandler):
    """A server of files that cannot list folders."""

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, files=QuietFiles):
    """The address of a plain server of a folder."""
    handler = partial(files, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def http(tmp_path):
    """The address of a plain server of this test's files."""
    with served(tmp_path) as address:
        yield address


@pytest.mark.parametrize("fmt", [ome_zarr.format.FormatV04(), ome_zarr.format.FormatV05()])
def test_an_image_behind_plain_http(tmp_path, http, fmt):
    write_by_ome_zarr(tmp_path / "a.ome.zarr", fmt)
    (image,) = read_ome_zarr(f"{http}/a.ome.zarr")
    assert image.name == "cells"
    storage = as_level_source(image.levels[1]).storage
    assert storage.source_name == f"{http}/a.ome.zarr/{image.metadata.datasets[1].path}"
    region = storage.grid((1, 1, 1, 1)).region((0, 0, 0, 0))
    box = tuple(slice(*edges) for edges in region)
    expected = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")[image.metadata.datasets[1].path]
    np.testing.assert_array_equal(storage.read(region), expected[box])
    again = read_ome_zarr(f"{http}/a.ome.zarr")[0].levels[1]
    assert as_level_source(again).storage.key == storage.key


def test_all_levels_are_asked_for_before_one_has_answered(tmp_path):
    write_by_ome_zarr(tmp_path / "a.ome.zarr", ome_zarr.format.FormatV05())
    levels = [
        d["path"]
        for d in zarr.open_group(tmp_path / "a.ome.zarr").attrs["ome"]["multiscales"][0][
            "datasets"
        ]
    ]
    all_asked = threading.Barrier(len(levels))

    class AnswersThemTogether(QuietFiles):
        def do_GET(self):
            if self.path in [f"/a.ome.zarr/{level}/zarr.json" for level in levels]:
                all_asked.wait(timeout=60)
            super().do_GET()

    with served(tmp_path, AnswersThemTogether) as address:
        (image,) = read_ome_zarr(f"{address}/a.ome.zarr")
    assert len(image.levels) == len(levels) == 3


def test_nothing_behind_plain_http(http):
    with pytest.raises(SourceError, match="not zarr: no array or group is there"):
        read_ome_zarr(f"{http}/nothing.zarr")


def test_a_plain_group_of_numbered_arrays(tmp_path):
    group = zarr.create_group(tmp_path / "levels.zarr")
    for number in range(3):
        pixels = PIXELS[0, 0, :: 2**number, :: 2**number]
        zarr.create_array(group.store, name=str(number), data=pixels)
    (image,) = read_ome_zarr(tmp_path / "levels.zarr")
    assert [level.shape for level in image.levels] == [(64, 96), (32, 48), (16, 24)]


def test_an_image_of_version_0_1_without_axes(tmp_path):
    group = zarr.create_group(tmp_path / "old.zarr", zarr_format=2)
    group.create_array("0", shape=(1, 2, 3, 8, 8), dtype="u1")
    group.attrs["multiscales"] = [{"version": "0.1", "datasets": [{"path": "0"}]}]
    (image,) = read_ome_zarr(tmp_path / "old.zarr")
    assert [axis.name for axis in image.metadata.axes] == list("tczyx")
    assert image.metadata.datasets[0].scale is None


def test_the_axes_of_arrays_win_over_wrong_metadata(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", shape=(3, 8, 8), dtype="u1")
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]
    with pytest.warns(OmeZarrWarning, match=r"a\.zarr: names 2 axes, but its arrays have 3"):
        (image,) = read_ome_zarr(tmp_path / "a.zarr")
    assert [axis.name for axis in image.metadata.axes] == list("zyx")


def test_levels_that_are_absent_are_left_out(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", shape=(8, 8), dtype="u1")
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": "0"}, {"path": "1"}]}]
    with pytest.warns(OmeZarrWarning, match=r"a\.zarr: has no level 1"):
        (image,) = read_ome_zarr(tmp_path / "a.zarr")
    assert len(image.levels) == len(image.metadata.datasets) == 1


def empty_folder(path):
    path.mkdir()


def text_file(path):
    path.write_text("not zarr")


def empty_group(path):
    zarr.create_group(path)


def group_with_one_array(path):
    zarr.create_group(path).create_array("0", shape=(8, 8), dtype="u1")


def broken_json(path):
    path.mkdir()
    (path / "zarr.json").write_text("{")


def wrong_json(path):
    path.mkdir()
    (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "array"}))


def no_datasets(path):
    zarr.create_group(path).attrs["multiscales"] = [{"version": "0.4"}]


def no_arrays(path):
    zarr.create_group(path).attrs["multiscales"] = [{"datasets": [{"path": "0"}]}]


def future(path):
    zarr.create_group(path).attrs["ome"] = {
        "version": "0.7",
        "multiscales": [{"datasets": [{"path": "0"}]}],
    }


def labels(path):
    zarr.create_group(path).attrs["ome"] = {"version": "0.5", "labels": ["nuclei", "cells"]}


def label(path):
    zarr.create_group(path).attrs["ome"] = {"image-label": {}, "multiscales": [{}]}


def plate(path):
    wells = [{"path": "A/1"}, {"path": "A/2"}]
    zarr.create_group(path).attrs["ome"] = {"plate": {"wells": wells}}


def well(path):
    zarr.create_group(path).attrs["ome"] = {"well": {"images": [{"path": "0"}]}}


def no_series(path):
    zarr.create_group(path).attrs["bioformats2raw.layout"] = 3


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "there is no such file or folder"),
        (text_file, "a file, not a zarr folder"),
        (empty_folder, "not zarr: no array or group is there"),
        (empty_group, "a zarr group without multiscales"),
        (group_with_one_array, "a zarr group without multiscales"),
        (broken_json, "broken JSON"),
        (wrong_json, "cannot be opened as zarr"),
        (no_datasets, "its multiscales name no datasets"),
        (no_arrays, "none of the arrays of its multiscales is there"),
        (future, r"is OME-Zarr 0\.7; the newest version known here is 0\.6"),
        (labels, "a group of OME-Zarr label images, of which none can be shown"),
        (label, "its multiscales name no datasets"),
        (plate, "plate with 2 wells, none of which could be opened$"),
        (well, r"well of which no field could be opened: .*bad\.zarr/0 is not there$"),
        (no_series, "a bioformats2raw collection without images"),
    ],
)
def test_what_is_no_image_is_named_with_its_path(tmp_path, make, problem):
    path = tmp_path / "bad.zarr"
    make(path)
    with pytest.raises(SourceError, match=problem) as error:
        read_ome_zarr(path)
    assert str(error.value).startswith((f"{path}: ", f"{path}/zarr.json: "))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("memory://nothing/here.zarr", "not zarr: no array or group is there"),
        ("nosuchprotocol://a/b.zarr", "cannot be opened as zarr: ValueError"),
        ("http://127.0.0.1:9/a.zarr", "cannot be opened as zarr"),
    ],
)
def test_addresses_without_zarr_are_named(url, problem):
    with pytest.raises(SourceError, match=problem) as error:
        read_ome_zarr(url)
    assert str(error.value).startswith(f"{url}: ")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/data/a.ome.zarr", "a"),
        ("/data/a.ome.zarr/", "a"),
        ("/data/b.zarr/0", "0"),
        ("https://host/x/c.zarr/?token=1", "c"),
        ("s3://bucket/d", "d"),
        ("/data/e.zarr.zip", "e"),
    ],
)
def test_names_come_from_the_path(where, name):
    assert name_of(where) == name
