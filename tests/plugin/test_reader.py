import warnings

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

from napari_octree import OctreeImage
from napari_octree.config import ConfigError
from napari_octree.plugin.reader import get_reader
from napari_octree.sources import SourceError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.save_array(path, np.arange(64, dtype="u1").reshape(8, 8))
    return path


def test_napari_opens_a_path_with_this_plugin(octree_plugin, path):
    viewer = ViewerModel()
    (layer,) = viewer.open(path, plugin="napari-octree")
    assert isinstance(layer, OctreeImage)
    assert viewer.layers == [layer]
    assert layer.source.path == str(path)
    assert layer.source.reader_plugin == "napari-octree"


def test_napari_opens_several_paths(octree_plugin, path, tmp_path):
    other = tmp_path / "b.zarr"
    zarr.save_array(other, np.zeros((8, 8)))
    viewer = ViewerModel()
    viewer.open([path, other], plugin="napari-octree")
    assert [layer.name for layer in viewer.layers] == ["a", "b"]


@pytest.mark.parametrize("ending", ["", "/"])
def test_folders_are_ours(path, ending):
    assert get_reader(str(path) + ending) is not None


@pytest.mark.parametrize(
    "where",
    [
        "https://host/a.zarr?x=1", "s3://b/a.ome.zarr/", "x.zarr.zip", "x.ozx", "X.OZX",
        "x.ZARR", "x.Zarr.Zip", "https://host/x.ozx",
    ],
)  # fmt: skip
def test_addresses_and_zip_files_are_ours(where):
    assert get_reader(where) is not None


@pytest.mark.parametrize("where", ["a.tif", "https://host/a.zarr/.zattrs", "a.zarr.txt"])
def test_other_names_are_not_ours(where):
    assert get_reader(where) is None


def test_stacks_and_files_are_not_ours(path, tmp_path):
    (tmp_path / "file.zarr").write_text("")
    assert get_reader(str(tmp_path / "file.zarr")) is None
    assert get_reader([str(path), str(path)]) is None


def test_the_environment_switches_it_off(path, monkeypatch):
    monkeypatch.setenv("NAPARI_OCTREE", "0")
    assert get_reader(str(path)) is None


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.mkdir(), "not zarr: no array or group is there"),
        (lambda path: zarr.create_group(path), "a zarr group without multiscales"),
        (lambda path: zarr.save_array(path, np.zeros(8)), "at least two axes"),
        (lambda path: zarr.save_array(path, np.zeros((8, 8), complex)), "complex"),
        (lambda path: zarr.create_array(path, shape=(8, 0), dtype="u1"), "has no pixels"),
        (
            lambda path: zarr.create_array(path, shape=(8, 10**9), chunks=(8, 8), dtype="u1"),
            "10\\^9",
        ),
    ],
)
def test_bad_input_is_told_with_its_path_and_adds_nothing(octree_plugin, tmp_path, make, problem):
    path = tmp_path / "bad.zarr"
    make(path)
    viewer = ViewerModel()
    with pytest.raises(SourceError, match=problem) as error:
        viewer.open(path, plugin="napari-octree")
    assert str(path) in str(error.value)
    assert not viewer.layers


def test_opening_a_sound_image_warns_of_nothing(octree_plugin, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        get_reader(str(path))(str(path))


@pytest.mark.parametrize("broken", ["empty", "json", "config"])
def test_what_is_dropped_and_cannot_be_shown_gives_one_message(
    octree_plugin, make_napari_viewer, tmp_path, monkeypatch, broken
):
    folder = tmp_path / "x.zarr"
    folder.mkdir()
    said = {"empty": f"Not zarr: no array or group is there\n{folder}"}
    if broken == "json":
        (folder / "zarr.json").write_text("{")
        said["json"] = "Broken JSON: "
    elif broken == "config":
        monkeypatch.setenv("NAPARI_OCTREE", str(tmp_path / "nowhere.json"))
        said["config"] = "NAPARI_OCTREE="
    viewer = make_napari_viewer()
    notification_manager.records.clear()
    viewer.window._qt_viewer._qt_open([str(folder)], stack=False, plugin="napari-octree")
    (notice,) = notification_manager.records
    assert str(notice.message).startswith(said[broken])
    assert notice.severity == "error"
    assert not viewer.layers
    with pytest.raises((SourceError, ConfigError)):
        viewer.open(str(folder), plugin="napari-octree")
