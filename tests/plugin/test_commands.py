import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image
from napari.settings import get_settings
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_octree import OctreeImage
from napari_octree.plugin import commands
from napari_octree.sources import SourceError


@pytest.fixture
def model():
    return ViewerModel()


def two_levels():
    return [np.arange(256, dtype="u2").reshape(16, 16), np.zeros((8, 8), "u2")]


def test_a_chosen_folder_is_opened(model, tmp_path, monkeypatch):
    zarr.save_array(tmp_path / "a.zarr", np.zeros((8, 8)))
    chosen = [str(tmp_path / "a.zarr"), ""]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: chosen.pop(0))
    commands.open_folder(model)
    commands.open_folder(model)  # cancelled
    assert [layer.name for layer in model.layers] == ["a"]


def test_an_address_is_opened(model, monkeypatch):
    store = zarr.storage.FsspecStore.from_url("memory://commands/b.zarr")
    zarr.create_array(store, data=np.zeros((8, 8)))
    answers = [(" memory://commands/b.zarr ", True), ("memory://x", False), ("", True)]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: answers.pop(0))
    for _ in range(3):
        commands.open_address(model)
    assert [layer.name for layer in model.layers] == ["b"]


def test_bad_folders_add_nothing(model, tmp_path):
    with pytest.raises(SourceError, match=str(tmp_path)):
        commands.open_path(model, str(tmp_path))
    assert not model.layers


def test_selected_images_become_octree_images(model):
    levels = two_levels()
    settings = {
        "contrast_limits": (3, 99),
        "colormap": "magma",
        "gamma": 0.7,
        "opacity": 0.4,
        "blending": "additive",
        "scale": (2, 3),
        "translate": (5, 6),
        "visible": False,
        "metadata": {"a": 1},
        "interpolation2d": "linear",
    }
    below = model.add_image(np.zeros((4, 4)), name="below")
    model.add_image(levels, name="image", multiscale=True, **settings)
    above = model.add_labels(np.zeros((4, 4), int))
    model.layers.selection = {model.layers["image"], above}
    commands.convert_selected(model)
    assert [type(layer) for layer in model.layers] == [Image, OctreeImage, type(above)]
    assert model.layers[0] is below
    layer = model.layers["image"]
    assert all(a is b for a, b in zip(layer.data, levels, strict=True))
    assert layer.colormap.name == "magma"
    assert tuple(layer.contrast_limits) == (3, 99)
    for name in ("gamma", "opacity", "blending", "visible", "metadata", "interpolation2d"):
        assert getattr(layer, name) == settings[name]
    assert (tuple(layer.scale), tuple(layer.translate)) == ((2, 3), (5, 6))


def test_converting_moves_neither_sliders_nor_camera(model):
    model.add_image(np.zeros((20, 8, 8), "u1"), name="stack")
    model.dims.set_point(0, 5)
    model.scene.camera.zoom = 3
    commands.convert_selected(model)
    assert model.dims.current_step[0] == 5
    assert model.scene.camera.zoom == 3
    (layer,) = model.layers
    assert layer.name == "stack"
    assert model.layers.selection == {layer}


def test_single_arrays_and_rgb_are_converted(model):
    model.add_image(np.zeros((9, 8, 3), "u1"), rgb=True)
    commands.convert_selected(model)
    (layer,) = model.layers
    assert isinstance(layer, OctreeImage)
    assert layer.rgb


def test_octree_images_stay_as_they_are(model):
    layer = model.add_layer(OctreeImage(two_levels()))
    commands.convert_selected(model)
    assert model.layers == [layer]


def test_an_image_that_cannot_be_shown_stays(model):
    levels = [np.zeros((8, 8), "u2"), np.zeros((4, 4), "u1")]
    layer = model.add_image(levels, multiscale=True)
    with pytest.raises(SourceError, match="uint8"):
        commands.convert_selected(model)
    assert model.layers == [layer]


def test_this_plugin_becomes_the_reader_of_zarr(tmp_path):
    from napari.plugins.utils import get_preferred_reader

    get_settings().plugins.extension2reader = {"*.tif": "napari"}
    commands.prefer_reader()
    folder = tmp_path / "a.ome.zarr"
    folder.mkdir()
    assert get_preferred_reader(folder) == "napari-octree"
    assert get_preferred_reader(tmp_path / "a.zarr.zip") == "napari-octree"
    assert get_preferred_reader("a.tif") == "napari"


@pytest.mark.parametrize(
    ("command", "option"),
    [(commands.toggle_grid, "show_grid"), (commands.toggle_tint, "tint_levels")],
)
def test_options_are_switched_together(model, command, option):
    layers = [model.add_layer(OctreeImage(two_levels())) for _ in range(2)]
    model.add_image(np.zeros((4, 4)))

    def options():
        return [getattr(layer.display, option) for layer in layers]

    model.layers.selection = {layers[0]}
    command(model)
    assert options() == [True, False]
    model.layers.selection = set()
    command(model)
    assert options() == [False, False]
    command(model)
    assert options() == [True, True]


def test_layers_are_reloaded(model, monkeypatch):
    layer = model.add_layer(OctreeImage(two_levels()))
    reloaded = []
    monkeypatch.setattr(OctreeImage, "reload", lambda self: reloaded.append(self))
    commands.reload(model)
    assert reloaded == [layer]


def test_without_octree_layers_there_is_a_note(model):
    for command in (commands.toggle_grid, commands.toggle_tint, commands.reload):
        command(model)
    commands.convert_selected(model)


def test_commands_appear_in_the_menus(octree_plugin, make_napari_viewer):
    viewer = make_napari_viewer()
    file_menu = _texts(viewer.window.file_menu)
    layers_menu = _texts(viewer.window.layers_menu)
    assert "Open OME-Zarr as octree… (Octree)" in file_menu
    for text in (
        "Open OME-Zarr address as octree…",
        "Use napari-octree for *.zarr by default",
        "Mandelbrot set, 2^27 × 2^27 pixels, 18 levels",
    ):
        assert any(text in shown for shown in file_menu), file_menu
    for text in (
        "Convert selected layers to OctreeImage",
        "Octree, show or hide tile grid",
        "Octree, tint levels or not",
        "Octree, reload layer",
    ):
        assert any(text in shown for shown in layers_menu), layers_menu


def _texts(menu):
    menu.aboutToShow.emit()
    texts = []
    for action in menu.actions():
        texts.append(action.text())
        if action.menu() is not None:
            texts += _texts(action.menu())
    return texts
