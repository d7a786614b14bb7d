"""What is exported reads back equal, lies in the same place, and nothing is left of failures."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image, Shapes
from qtpy.QtWidgets import QDialogButtonBox

from napari_octree import OctreeImage, OctreeLabels, open_image
from napari_octree.plugin.commands import export_commands
from napari_octree.plugin.commands.export_regions import with_slices
from napari_octree.plugin.export import export_of
from napari_octree.qt.export_dialog import ExportChoice, ExportDialog
from napari_octree.sources.samples.mandelbrot import mandelbrot
from napari_octree.writing import build
from napari_octree.writing.errors import CancelledError, WritingError

PIXELS = np.random.default_rng(0).integers(0, 60000, (3, 200, 310)).astype(np.uint16)
BOX = ((1, 3), (17, 180), (33, 301))
PART = PIXELS[1:3, 17:180, 33:301]


def image(**keywords):
    keywords = {"scale": [2, 0.5, 0.25], "translate": [1, 2, 3], "units": "um", **keywords}
    return OctreeImage([PIXELS, PIXELS[:, ::2, ::2]], axis_labels=["z", "y", "x"], **keywords)


@pytest.mark.parametrize("kind", ["OME-Zarr", "OME-TIFF"])
def test_a_box_reads_back_equal_and_in_place(tmp_path, kind):
    layer = image(name="cells", colormap="green", contrast_limits=(5, 99))
    path = tmp_path / ("part.ome.zarr" if kind == "OME-Zarr" else "part.ome.tif")
    export = export_of([layer], path, kind, box=BOX)
    assert export.nbytes >= PART.nbytes
    assert export.run() == path
    (back,) = open_image(path)
    np.testing.assert_array_equal(back.data[0][...], PART)
    assert back.scale.tolist() == [2, 0.5, 0.25]
    np.testing.assert_allclose(back.data_to_world([0, 0, 0]), layer.data_to_world([1, 17, 33]))
    assert back.units == layer.units
    assert back.contrast_limits == [5, 99]
    np.testing.assert_allclose(back.colormap.map([1.0])[0, :3], layer.colormap.map([1.0])[0, :3])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_coarser_level_lies_where_it_lay(tmp_path):
    layer = image()
    export_of([layer], tmp_path / "half.ome.zarr", "OME-Zarr", level=1).run()
    (back,) = open_image(tmp_path / "half.ome.zarr")
    np.testing.assert_array_equal(back.data[0][...], PIXELS[:, ::2, ::2])
    np.testing.assert_allclose(back.data_to_world([1, 5, 7]), layer.data_to_world([1, 10.5, 14.5]))


def test_channels_become_one_image(tmp_path):
    red = image(name="cells: red", colormap="red")
    green = image(name="cells: GFP", colormap="green")
    green.data = [PIXELS + 1, PIXELS[:, ::2, ::2] + 1]
    export_of([red, green], tmp_path / "both.ome.zarr", "OME-Zarr", box=BOX).run()
    back = open_image(tmp_path / "both.ome.zarr")
    assert [layer.name for layer in back] == ["cells: red", "cells: GFP"]
    assert [layer.colormap.name for layer in back] == ["red", "green"]
    np.testing.assert_array_equal(back[1].data[0][...], PART + 1)


@pytest.mark.parametrize("colours", [3, 4])
def test_colours_come_back(tmp_path, colours):
    rgb = np.random.default_rng(1).integers(0, 255, (2, 600, 70, colours)).astype(np.uint8)
    layer = OctreeImage(rgb, rgb=True, axis_labels=["z", "y", "x"], scale=[3, 2, 2], units="um")
    export_of([layer], tmp_path / "rgb.ome.tif", "OME-TIFF").run()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "rgb.ome.tif"), rgb)
    (back,) = open_image(tmp_path / "rgb.ome.tif")
    assert back.rgb
    assert back.scale.tolist() == [3, 2, 2]
    assert back.level_shapes.tolist() == [[2, 600, 70], [2, 300, 35]]
    export_of([layer], tmp_path / "rgb.zarr", "OME-Zarr").run()
    back = open_image(tmp_path / "rgb.zarr")  # OME-Zarr knows channels only
    assert [b.name for b in back] == ["rgb: red", "rgb: green", "rgb: blue", "rgb: alpha"][
        :colours
    ]
    np.testing.assert_array_equal(back[2].data[0][...], rgb[..., 2])


def test_layers_that_make_no_image_are_refused(tmp_path):
    with pytest.raises(WritingError, match="no octree layer"):
        export_of([], tmp_path / "x.zarr", "OME-Zarr")
    with pytest.raises(WritingError, match="different places"):
        export_of([image(), image(translate=[0, 0, 9])], tmp_path / "x.zarr", "OME-Zarr")
    colours = OctreeImage(np.zeros((20, 30, 3), np.uint8), rgb=True)
    with pytest.raises(WritingError, match="several layers of colours"):
        export_of([colours, colours], tmp_path / "x.zarr", "OME-Zarr")
    for box in (((0, 1), (900, 999), (0, 9)), ((0, 1), (5, 5), (0, 9)), ((0, 1), (9, 5), (0, 9))):
        with pytest.raises(WritingError, match="nothing lies in the box"):
            export_of([image()], tmp_path / "x.zarr", "OME-Zarr", box=box)
    for level in (-1, 2):
        with pytest.raises(WritingError, match=f"has no level {level}"):
            export_of([image()], tmp_path / "x.zarr", "OME-Zarr", level=level)
    for name, problem in (("x" * 300, "too long"), ("no/x", "no such folder")):
        with pytest.raises(WritingError, match=problem):
            export_of([image()], tmp_path / name, "OME-Zarr").run()


def test_labels_are_written_beside_images_not_as_channels(tmp_path):
    cells = OctreeLabels(PIXELS % 5, scale=[2, 0.5, 0.25], translate=[1, 2, 3], name="cells")
    layers = [cells, image(name="a"), image(name="b")]
    export_of(layers, tmp_path / "x.zarr", "OME-Zarr", box=BOX).run()
    a, b, labels = open_image(tmp_path / "x.zarr")
    assert [type(layer) for layer in (a, b, labels)] == [OctreeImage, OctreeImage, OctreeLabels]
    np.testing.assert_array_equal(labels.data[0][...], PART % 5)
    np.testing.assert_allclose(labels.data_to_world([0, 0, 0]), a.data_to_world([0, 0, 0]))
    with pytest.raises(WritingError, match="no labels beside an image"):
        export_of(layers, tmp_path / "x.ome.tif", "OME-TIFF")
    with pytest.raises(WritingError, match="only as a whole"):
        export_of([OctreeLabels(PIXELS[0, :9]), image()], tmp_path / "y", "OME-Zarr", box=BOX)


@pytest.mark.parametrize("kind", ["OME-Zarr", "OME-TIFF"])
def test_a_cancel_or_a_failure_leaves_nothing(tmp_path, kind):
    asked = iter(range(100))
    export = export_of([image()], tmp_path / "x", kind)
    with pytest.raises(CancelledError):
        export.run(cancelled=lambda: next(asked) >= 1)
    assert not list(tmp_path.iterdir())

    class Broken:
        shape, dtype = (600, 600), np.dtype("u1")

        def __getitem__(self, index):
            raise OSError("the store is gone")

    with pytest.raises((WritingError, OSError), match="the store is gone"):
        export_of([OctreeImage(Broken())], tmp_path / "x", kind).run()
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.ome.zarr"
    export_of([image()], path, "OME-Zarr").run()
    with pytest.raises(WritingError, match="something already"):
        export_of([image()], path, "OME-Zarr").run()
    asked = iter(range(100))
    with pytest.raises(CancelledError):
        export_of([image()], path, "OME-Zarr", box=BOX, overwrite=True).run(
            cancelled=lambda: next(asked) >= 1
        )
    assert open_image(path)[0].data[0].shape == PIXELS.shape
    export_of([image()], path, "OME-Zarr", box=BOX, overwrite=True).run()
    assert open_image(path)[0].data[0].shape == PART.shape
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").touch()
    with pytest.raises(WritingError, match="no zarr"):
        export_of([image()], tmp_path / "letters", "OME-Zarr", overwrite=True).run()
    assert (tmp_path / "letters" / "one.txt").exists()


def test_a_full_disk_is_told_before(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WritingError, match="GiB are free"):
        export_of([image()], tmp_path / "x.zarr", "OME-Zarr").run()


def test_a_part_of_a_vast_image(tmp_path):
    layer = OctreeImage(mandelbrot())
    start = 2**26
    box = ((start, start + 300), (start, start + 200))
    export_of([layer], tmp_path / "part.ome.zarr", "OME-Zarr", box=box).run()
    (back,) = open_image(tmp_path / "part.ome.zarr")
    truth = layer.data[0][start : start + 300, start : start + 200]
    np.testing.assert_array_equal(back.data[0][...], truth)


def test_the_commands_write_in_the_background(viewer, tmp_path, monkeypatch, pump_until):
    layer = viewer.add_layer(image(name="cells: DAPI"))
    chosen = ExportChoice(2, 0, 0, str(tmp_path / "cells.ome.zarr"), "z 1:3")
    monkeypatch.setattr(ExportDialog, "exec_", lambda self: 1, raising=False)
    monkeypatch.setattr(ExportDialog, "choice", property(lambda self: chosen))
    task = export_commands.export_layers(viewer)
    pump_until(lambda: task.finished)
    (back,) = open_image(tmp_path / "cells.ome.zarr")
    np.testing.assert_array_equal(back.data[0][...], PIXELS[1:3])
    assert layer in viewer.layers


def test_ranges_of_slices_are_as_they_are_said(viewer):
    layer = image()
    box = ((0, 3), (5, 100), (0, 310))
    assert with_slices(layer, box, "") == box
    assert with_slices(layer, box, "z 1, y=50:2000") == ((1, 2), (50, 100), (0, 310))
    for text, reason in (("w 1", "an axis"), ("z", "an axis"), ("z 5:9", "nothing of the region")):
        with pytest.raises(WritingError, match=reason):
            with_slices(layer, box, text)


def test_the_crop_follows_the_drawn_rectangle(viewer):
    layer = viewer.add_layer(image(name="cells"))
    corners = [layer.data_to_world([0, y - 0.5, x - 0.5])[1:] for y, x in ((20, 30), (90, 130))]
    (top, left), (bottom, right) = corners
    shapes = viewer.add_layer(
        Shapes([[(top, left), (top, right), (bottom, right), (bottom, left)]])
    )
    viewer.layers.selection = {layer, shapes}
    (crop,) = export_commands.crop_to_layer(viewer)
    assert crop.level_shapes[0].tolist() == [3, 70, 100]
    np.testing.assert_array_equal(crop.data[0][...], PIXELS[:, 20:90, 30:130])


def test_a_level_pops_out_as_a_plain_layer(viewer, tmp_path):
    levels = []
    for step in (1, 2):
        path = str(tmp_path / f"{step}.zarr")
        levels.append(zarr.create_array(path, data=PIXELS[:, ::step, ::step].copy()))
    layer = viewer.add_layer(OctreeImage(levels, scale=[2, 0.5, 0.25], colormap="magma"))
    layer.wait_until_settled(20)
    number = layer.data_level
    plain = export_commands.pop_out_level(viewer)
    assert type(plain) is Image
    np.testing.assert_array_equal(np.asarray(plain.data), levels[number][...])
    step = 2**number
    there = [1, 5 * step + (step - 1) / 2, 7 * step + (step - 1) / 2]
    np.testing.assert_allclose(plain.data_to_world([1, 5, 7]), layer.data_to_world(there))


def test_the_dialog_follows_what_is_chosen(qtbot):
    dialog = ExportDialog(
        None,
        "Export",
        ["view", "all"],
        lambda index: ["0", "1"],
        ["OME-Zarr", "OME-TIFF"],
        lambda choice: f"{choice.region} {choice.level}",
        lambda index: f"image{index}",
    )
    qtbot.addWidget(dialog)
    assert dialog.path.text() == "image0"
    dialog.format.setCurrentIndex(1)
    assert dialog.path.text() == "image1"
    dialog.path.setText("mine")
    dialog.format.setCurrentIndex(0)
    assert dialog.path.text() == "mine"
    dialog.region.setCurrentIndex(1)
    assert dialog.message.text() == "1 0"
    dialog.path.setText(" ")
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Save).isEnabled()
    assert Path(dialog.choice.path) == Path()


@pytest.mark.parametrize("kind", ["OME-Zarr", "OME-TIFF"])
def test_units_time_and_five_axes_come_back(tmp_path, kind):
    data = PIXELS[None, None, :, :20, :30].repeat(2, 0).repeat(2, 1)
    layer = OctreeImage(
        data, scale=[500, 1, 2000, 5, 0.25], units=["ms", "pixel", "nm", "um", "mm"],
        axis_labels=["t", "c", "z", "y", "x"], rgb=False,
    )  # fmt: skip
    export_of([layer], tmp_path / "a", kind).run()
    back = open_image(tmp_path / "a")[1]
    np.testing.assert_array_equal(back.data[0][...], data[:, 1])
    sizes = [(s * unit).to_base_units().m for s, unit in zip(back.scale, back.units, strict=True)]
    np.testing.assert_allclose(sizes, [0.5, 2e-6, 5e-6, 0.25e-3])
    export_of([OctreeImage(data, rgb=False)], tmp_path / "b", kind).run()  # axes without names
    assert len(open_image(tmp_path / "b")) == 2


@pytest.mark.parametrize("kind", ["OME-Zarr", "OME-TIFF"])
def test_looks_come_back(tmp_path, kind):
    green = image(colormap="green", visible=False, contrast_limits=(5, 99))
    green.contrast_limits_range = (0, 500)
    for name, layer in (("green", green), ("gray_r", image(colormap="gray_r"))):
        export_of([layer], tmp_path / name, kind).run()
        (back,) = open_image(tmp_path / name)
        np.testing.assert_allclose(back.colormap.map([0.2]), layer.colormap.map([0.2]), atol=0.01)
        assert back.contrast_limits_range == layer.contrast_limits_range
    colours = np.random.default_rng(1).integers(0, 60000, (60, 70, 3)).astype(np.uint16)
    export_of([OctreeImage(colours, rgb=True)], tmp_path / "rgb", kind).run()
    assert open_image(tmp_path / "rgb")[0].contrast_limits == [0, 65535]


@pytest.mark.parametrize("kind", ["OME-Zarr", "OME-TIFF"])
def test_a_hidden_channel_and_a_place_without_units_come_back(tmp_path, kind):
    layers = [
        OctreeImage(PIXELS, name=name, colormap=colour, visible=shown, contrast_limits=(1, 9),
                    scale=(3, 2, 2), translate=(-1, 0, 7), axis_labels=["t", "y", "x"])
        for name, colour, shown in (("a", "red", True), ("b", "blue", False))
    ]  # fmt: skip
    export_of(layers, tmp_path / "x", kind, box=((1, 3), (20, 90), (10, 50))).run()
    for back, layer in zip(open_image(tmp_path / "x"), layers, strict=True):
        assert back.visible == layer.visible
        assert [str(unit) for unit in back.units] == ["pixel"] * 3 or kind == "OME-TIFF"
        place = back.data_to_world([1, 2, 3])[1:]
        np.testing.assert_allclose(place, layer.data_to_world([2, 22, 13])[1:])


@pytest.mark.parametrize("kind", ["OME-Zarr", "OME-TIFF"])
def test_links_stay_and_what_they_point_to_is_replaced(tmp_path, kind):
    target, link = tmp_path / "target", tmp_path / "link"
    export_of([image()], target, kind).run()
    link.symlink_to(target)
    export_of([image()], link, kind, box=BOX, overwrite=True).run()
    assert link.is_symlink()
    assert open_image(target)[0].level_shapes[0].tolist() == list(PART.shape)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "target"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "a.zarr").write_text("precious")
    with pytest.raises(WritingError, match="is a file"):
        export_of([image()], tmp_path / "a.zarr", "OME-Zarr", overwrite=True).run()
    assert (tmp_path / "a.zarr").read_text() == "precious"


def test_a_disk_that_gets_full_is_told_with_the_path(tmp_path, monkeypatch):
    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    export = export_of([image()], tmp_path / "a.zarr", "OME-Zarr")
    create = build.Target.create

    def created(*arguments):
        made = create(*arguments)
        monkeypatch.setattr(zarr.storage.LocalStore, "set", full)
        return made

    monkeypatch.setattr(build.Target, "create", created)
    with pytest.raises(WritingError, match=r"a\.zarr.*: cannot be written: No space left"):
        export.run()
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_said_of_a_place_is_told(tmp_path):
    with pytest.warns(match="cells: is rotated"):
        export_of([image(name="cells", rotate=30)], tmp_path / "a.zarr", "OME-Zarr")
