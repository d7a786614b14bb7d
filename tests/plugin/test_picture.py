"""Pictures of what is shown, also far larger than the screen, are what napari would draw."""

import numpy as np
import pytest
from imageio.v3 import imread
from napari.layers import Image, Points

from napari_octree import OctreeImage, OctreeLabels, export_png
from napari_octree.plugin import picture as picture_module
from napari_octree.plugin.commands import export_commands
from napari_octree.plugin.picture import picture_of
from napari_octree.qt.export_dialog import ExportChoice, ExportDialog
from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.png import PngWriter

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 420)).astype(np.uint8)


@pytest.fixture
def viewer(make_viewer):
    """A viewer of which the canvas can be resized, as outside of tests."""
    made = make_viewer()
    canvas = made.window._qt_viewer.canvas.native
    canvas.setMinimumSize(0, 0)
    canvas.setMaximumSize(16777215, 16777215)
    made.window.resize(420, 420)
    return made


@pytest.fixture
def scene(viewer):
    """An image, labels above it, and a stock image beside: two kinds of layers, three of them."""
    viewer.add_layer(OctreeImage(PIXELS, colormap="magma", contrast_limits=(0, 255), scale=(2, 2)))
    labels = np.zeros((300, 420), np.uint32)
    labels[40:90, 100:200] = 7
    viewer.add_layer(OctreeLabels(labels, scale=(2, 2), opacity=0.5))
    viewer.add_layer(Image(PIXELS[:100], translate=(610, 0), colormap="green"))
    viewer.reset_view()
    for layer in list(viewer.layers)[:2]:
        assert layer.wait_until_settled(20)
    return viewer


def test_of_the_screens_size_it_is_the_screenshot(scene, tmp_path):
    scene.canvas.overlays.scale_bar.visible = True
    truth = scene.screenshot(flash=False)
    assert export_png(scene, tmp_path / "a.png") == tmp_path / "a.png"
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), truth)


def test_tiles_make_the_same_picture_as_one(scene, tmp_path, monkeypatch):
    camera = scene.scene.camera
    before = camera.center, camera.zoom
    export_png(scene, tmp_path / "one.png", scale=1.5)
    monkeypatch.setattr(picture_module, "TILE", 250)
    told = []
    picture_of(scene, tmp_path / "many.png", scale=1.5).write(lambda *told_: told.append(told_))
    one, many = imread(tmp_path / "one.png"), imread(tmp_path / "many.png")
    assert told[-1][0] == told[-1][1] == len(told) > 4
    rows, columns = scene.canvas.size
    assert one.shape == many.shape == (int(1.5 * rows + 0.5), int(1.5 * columns + 0.5), 4)
    np.testing.assert_array_equal(one, many)
    assert (camera.center, camera.zoom) == before


@pytest.mark.parametrize("orientation", [("down", "right"), ("up", "left")])
def test_a_pixel_of_the_picture_is_one_of_the_image(viewer, tmp_path, monkeypatch, orientation):
    monkeypatch.setattr(picture_module, "TILE", 128)
    layer = viewer.add_layer(OctreeImage(PIXELS, contrast_limits=(0, 255), scale=(3, 3)))
    viewer.scene.camera.orientation2d = orientation
    box = export_commands.world_box(viewer, layer, ((0, 300), (20, 420)))
    export_png(viewer, tmp_path / "all.png", box=box, pixel=3)
    truth = PIXELS[:, 20:] if orientation[0] == "down" else PIXELS[::-1, :19:-1]
    np.testing.assert_array_equal(imread(tmp_path / "all.png")[..., 0], truth)


def test_what_has_its_place_on_the_canvas_is_in_no_tile(viewer, tmp_path, monkeypatch):
    viewer.add_layer(Points([[0, 0]], size=1))
    viewer.canvas.overlays.scale_bar.visible = True
    export_png(viewer, tmp_path / "one.png")
    monkeypatch.setattr(picture_module, "TILE", 300)
    export_png(viewer, tmp_path / "many.png")
    dark = imread(tmp_path / "many.png")[-60:, -200:, :3]
    assert imread(tmp_path / "one.png")[-60:, -200:, :3].std() > dark.std()
    assert viewer.canvas.overlays.scale_bar.visible


def test_in_three_dimensions_it_is_drawn_in_one_piece(viewer, tmp_path):
    volume = np.random.default_rng(1).integers(0, 255, (20, 30, 40)).astype(np.uint8)
    layer = viewer.add_layer(OctreeImage(volume))
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    assert layer.wait_until_settled(20)
    truth = viewer.screenshot(flash=False)
    export_png(viewer, tmp_path / "a.png")
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), truth)
    export_png(viewer, tmp_path / "b.png", scale=2)
    assert imread(tmp_path / "b.png").shape[0] == 2 * truth.shape[0]
    with pytest.raises(WritingError, match="8192 pixels a side"):
        export_png(viewer, tmp_path / "c.png", scale=20)
    with pytest.raises(WritingError, match="only what is in view"):
        export_png(viewer, tmp_path / "c.png", box=[(0, 1), (0, 1)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_cancel_or_a_failure_leaves_nothing(viewer, tmp_path, monkeypatch):
    viewer.add_layer(Points([[0, 0]]))
    monkeypatch.setattr(picture_module, "TILE", 300)
    with pytest.raises(CancelledError):
        picture_of(viewer, tmp_path / "a.png").write(cancelled=lambda: True)
    (tmp_path / "a.png").write_text("precious")
    with pytest.raises(WritingError, match="something already"):
        export_png(viewer, tmp_path / "a.png")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PngWriter, "_chunk", full)
    with pytest.raises(WritingError, match=r"a\.png: cannot be written: No space left"):
        export_png(viewer, tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "a.png").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1
    for path, reason in (("a.tif", "must end in .png"), ("no/a.png", "no such folder")):
        with pytest.raises(WritingError, match=reason):
            export_png(viewer, tmp_path / path)


@pytest.mark.parametrize("cancel", [False, True])
def test_the_dialog_draws_it_with_a_bar(viewer, tmp_path, monkeypatch, pump_until, cancel):
    monkeypatch.setattr(picture_module, "TILE", 128)
    layer = viewer.add_layer(OctreeImage(PIXELS, contrast_limits=(0, 255)))
    everything = len(export_commands.export_regions(viewer, layer)) - 1
    chosen = ExportChoice(everything, 1, export_commands.PNG, str(tmp_path / "a.png"))
    said = []
    monkeypatch.setattr(ExportDialog, "exec_", lambda self: said.append(self) or 1, raising=False)
    monkeypatch.setattr(ExportDialog, "choice", property(lambda self: chosen))
    work = export_commands.export_layers(viewer)
    if cancel:
        work.cancel()
    pump_until(lambda: work.finished)
    if cancel:
        assert not list(tmp_path.iterdir())
    else:
        np.testing.assert_array_equal(imread(tmp_path / "a.png")[..., 0], PIXELS)
    assert "420 × 300 pixels of all that is shown" in said[0].message.text()
    said[0].format.setCurrentIndex(export_commands.PNG)
    assert said[0].level.itemText(0) == "as on the screen"
