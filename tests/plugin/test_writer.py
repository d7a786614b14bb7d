"""File ▸ Save and `layer.save` write layers of any size, never an empty or half file."""

import threading

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes
from npe2 import PluginManager

from napari_octree import OctreeImage, OctreeLabels, open_image
from napari_octree.layers.data import saving
from napari_octree.plugin import writer
from napari_octree.plugin.writer import NotWrittenError

PIXELS = np.random.default_rng(0).integers(0, 60000, (2, 90, 130)).astype(np.uint16)
CELLS = np.random.default_rng(1).integers(0, 5, (2, 90, 130)).astype(np.uint32)


@pytest.fixture(autouse=True)
def all_stores_are_huge(monkeypatch):
    """The writers that a window would register; and no store is small enough for stock ones."""
    PluginManager.instance().discover()
    monkeypatch.setattr(saving, "MOST_READ_BYTES", 10)


def stored(data):
    return zarr.create_array(zarr.storage.MemoryStore(), data=data, chunks=(1, 64, 64))


def image(**keywords):
    return OctreeImage(stored(PIXELS), **{"scale": (2, 0.5, 0.5), "units": "um", **keywords})


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.zarr", "a.ome.tif", "a.OME.TIFF"])
def test_a_layer_is_saved(tmp_path, name):
    layer = image(name="cells: DAPI", colormap="green", contrast_limits=(5, 99))
    assert layer.save(str(tmp_path / name)) == [str(tmp_path / name)]
    (back,) = open_image(tmp_path / name)
    np.testing.assert_array_equal(back.data[0][...], PIXELS)
    assert back.scale.tolist() == [2, 0.5, 0.5]
    if name.endswith("zarr"):
        assert back.contrast_limits == [5, 99]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_the_writer_that_is_asked_for(tmp_path):
    path = str(tmp_path / "a.tif")
    assert image().save(path, plugin="napari-octree") == [path]
    assert tifffile.TiffFile(path).is_ome
    Image(PIXELS).save(str(tmp_path / "b.tif"))  # of stock layers napari writes plain TIFF
    assert not tifffile.TiffFile(tmp_path / "b.tif").is_ome
    writers = PluginManager.instance().iter_compatible_writers(["image"])
    (writer_of_ours,) = (each for each in writers if each.plugin_name == "napari-octree")
    model = ViewerModel()
    model.add_layer(image())
    path = str(tmp_path / "c")
    assert model.layers.save(path, _writer=writer_of_ours) == [f"{path}.zarr"]  # the dialog's way
    model.add_layer(Shapes([[[0, 0], [1, 1]]]))
    with pytest.warns(match="No data written"):
        assert model.layers.save(str(tmp_path / "d.zarr")) == []


def test_channels_and_labels_of_a_list_are_one_image(tmp_path):
    model = ViewerModel()
    model.add_layer(image(name="red"))
    model.add_layer(Image(PIXELS + 1, name="stock", scale=(2, 0.5, 0.5), units="um"))
    painted = OctreeLabels(CELLS, name="cells", scale=(2, 0.5, 0.5), units="um")
    painted.data_setitem((np.array([0]), np.array([3]), np.array([4])), 77)
    model.add_layer(painted)
    path = str(tmp_path / "all.zarr")
    assert model.layers.save(path) == [path]
    red, stock, cells = open_image(path)
    np.testing.assert_array_equal(stock.data[0][...], PIXELS + 1)
    assert isinstance(cells, OctreeLabels)
    assert cells.data[0][0, 3, 4] == 77
    assert np.asarray(cells.data[0])[1].tolist() == CELLS[1].tolist()
    assert red.name.endswith("red")


def test_labels_by_themselves(tmp_path):
    OctreeLabels(stored(CELLS)).save(str(tmp_path / "a.zarr"))
    Labels(CELLS).save(str(tmp_path / "b.zarr"))
    for name in "ab":
        (back,) = open_image(tmp_path / f"{name}.zarr")
        assert isinstance(back, OctreeLabels)
        np.testing.assert_array_equal(back.data[0][...], CELLS)
    OctreeLabels(stored(CELLS)).save(str(tmp_path / "c.ome.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.ome.tif"), CELLS)


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "folder.zarr" / "letter.txt").touch()
    with pytest.raises(NotWrittenError, match="no zarr"):
        image().save(str(tmp_path / "folder.zarr"))
    model = ViewerModel()
    for layer in (image(), OctreeImage(PIXELS[:, :50])):
        model.add_layer(layer)
    with pytest.raises(NotWrittenError, match="different sizes"):
        model.layers.save(str(tmp_path / "a.zarr"))
    model.layers[1] = OctreeLabels(CELLS)
    with pytest.raises(NotWrittenError, match="holds no labels"):
        model.layers.save(str(tmp_path / "a.ome.tif"))
    with pytest.raises(saving.NotSavedError, match=r"name that ends in \.zarr or \.ome\.tif"):
        image().save(str(tmp_path / "a.tif"))
    assert [p.name for p in tmp_path.iterdir()] == ["folder.zarr"]


def test_what_is_there_is_replaced_but_never_the_source(tmp_path):
    path = str(tmp_path / "a.zarr")
    image().save(path)
    (layer,) = open_image(path)
    with pytest.raises(NotWrittenError, match="is read from there"):
        layer.save(path)
    OctreeImage(PIXELS[:, :50]).save(path)
    assert open_image(path)[0].data[0].shape == (2, 50, 130)


def test_the_window_stays_alive_and_cancel_leaves_nothing(viewer, tmp_path, monkeypatch):
    asked, go_on = threading.Event(), threading.Event()

    class Slow:
        shape, dtype = (9000, 60), np.dtype("u1")

        def __getitem__(self, index):
            asked.set()
            go_on.wait(20)
            return np.zeros(self.shape, np.uint8)[index]

    tasks, made = [], threading.Event()

    class Task(writer.BackgroundTask):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            tasks.append(self)
            made.set()

    monkeypatch.setattr(writer, "BackgroundTask", Task)
    layer = viewer.add_layer(OctreeImage(Slow(), visible=False))

    def cancel() -> None:
        asked.wait(20)
        made.wait(20)  # its thread begins before
        tasks[0].cancel()
        go_on.set()

    threading.Thread(target=cancel).start()
    with pytest.raises(NotWrittenError, match="not saved: cancelled"):
        viewer.layers.save(str(tmp_path / "a.zarr"))
    assert not list(tmp_path.iterdir())
    assert layer.save(str(tmp_path / "a.zarr"))
