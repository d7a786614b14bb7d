import numpy as np
import pytest
import zarr
from napari._app_model import get_app_model
from napari._qt.widgets.qt_keyboard_settings import ShortcutEditor
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.layers.labels.painting import edited_labels
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.plugin import default_reader, remembered
from napari_octree.plugin.commands import commands, conversions, layer_actions
from napari_octree.qt import address_dialog
from napari_octree.sources import AxisView, SourceError


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch, tmp_path):
    monkeypatch.setattr(remembered, "_path", lambda: tmp_path / "remembered.json")
    notification_manager.records.clear()


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
    answers, offered = ["memory://commands/b.zarr", "", "memory://commands/none.zarr"], []

    def ask(parent, known):
        offered.append(list(known))
        return answers.pop(0)

    monkeypatch.setattr(address_dialog, "ask_address", ask)
    for _ in range(3):
        commands.open_address(model)
    assert [layer.name for layer in model.layers] == ["b"]
    assert model.layers[0].source.path == "memory://commands/b.zarr"
    assert offered == [[], ["memory://commands/b.zarr"], ["memory://commands/b.zarr"]]
    (told,) = [n.message for n in notification_manager.records]
    assert told.endswith("\nmemory://commands/none.zarr")
    assert told.startswith("Not zarr")


def test_the_field_for_an_address_is_wide_and_offers_former_ones(qtbot):
    dialog = address_dialog.AddressDialog(None, ["https://host/a.zarr", "s3://b/c.zarr"])
    qtbot.addWidget(dialog)
    assert dialog.field.minimumWidth() >= 600
    assert [dialog.field.itemText(i) for i in range(2)] == ["https://host/a.zarr", "s3://b/c.zarr"]
    assert dialog.address == ""
    dialog.field.setEditText("  https://host/d.zarr ")
    assert dialog.address == "https://host/d.zarr"


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
    conversions.convert_selected(model)
    assert [type(layer) for layer in model.layers] == [Image, OctreeImage, OctreeLabels]
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
    conversions.convert_selected(model)
    assert model.dims.current_step[0] == 5
    assert model.scene.camera.zoom == 3
    (layer,) = model.layers
    assert layer.name == "stack"
    assert model.layers.selection == {layer}


def test_single_arrays_and_rgb_are_converted(model):
    model.add_image(np.zeros((9, 8, 3), "u1"), rgb=True)
    conversions.convert_selected(model)
    (layer,) = model.layers
    assert isinstance(layer, OctreeImage)
    assert layer.rgb


def test_octree_images_stay_as_they_are(model):
    layer = model.add_layer(OctreeImage(two_levels()))
    conversions.convert_selected(model)
    assert model.layers == [layer]


def test_labels_become_octree_labels(model):
    layer = model.add_labels(np.eye(8, dtype=int), name="cells", opacity=0.3, scale=(2, 2))
    conversions.convert_selected(model)
    (made,) = model.layers
    assert type(made) is OctreeLabels
    assert (made.name, made.opacity, tuple(made.scale)) == ("cells", 0.3, (2, 2))
    assert made.data is layer.data


def with_edits(layer):
    layer.data_setitem((np.array([1]), np.array([2])), 5)
    return layer


def volume(folder):
    return zarr.create_array(str(folder / "v.zarr"), data=np.arange(4 * 72).reshape(4, 9, 8))


def on_disk(folder):
    array = zarr.create_array(str(folder / "a.zarr"), shape=(9, 8), chunks=(4, 4), dtype="u2")
    array[:] = np.arange(72).reshape(9, 8)
    return array


@pytest.mark.parametrize(
    "make",
    [
        lambda _: OctreeImage(np.arange(12.0).reshape(3, 4), gamma=0.7, colormap="magma"),
        lambda _: OctreeImage(two_levels(), contrast_limits=(1, 4)),
        lambda _: OctreeImage(np.zeros((5, 4, 3), np.uint8), rgb=True),
        lambda folder: OctreeImage(on_disk(folder), contrast_limits=(0, 9)),
        lambda folder: OctreeImage([AxisView(volume(folder), 0, 3)], contrast_limits=(0, 9)),
        lambda _: OctreeLabels(np.eye(8, dtype=int), opacity=0.3),
        lambda _: OctreeLabels(two_levels()),
        lambda _: with_edits(OctreeLabels(np.eye(8, dtype=int))),
        lambda _: with_edits(OctreeLabels([np.eye(8, dtype=int), np.eye(4, dtype=int)])),
    ],
)
def test_octree_layers_become_plain_and_come_back(model, make, tmp_path):
    layer = model.add_layer(make(tmp_path))
    layer.name, layer.scale = "one", np.arange(2, 2 + layer.ndim)
    levels = [np.asarray(level) for level in layer.as_dask()]
    conversions.convert_to_plain(model)
    (plain,) = model.layers
    assert type(plain) is (Labels if isinstance(layer, Labels) else Image)
    assert plain.name == "one"
    data = plain.data if plain.multiscale else [plain.data]
    for level, given in zip(data, levels, strict=True):
        np.testing.assert_array_equal(level, given)
    conversions.convert_selected(model)
    (again,) = model.layers
    assert type(again) is type(layer)
    former, now = layer.as_layer_data_tuple()[1], again.as_layer_data_tuple()[1]
    assert {k: str(v) for k, v in now.items()} == {k: str(v) for k, v in former.items()}


def test_images_and_labels_of_ours_become_each_other(model, tmp_path):
    array = on_disk(tmp_path)
    config = OctreeConfig(octree={"tile_size": 32})
    image = OctreeImage([array], config, name="cells", translate=(3, 4), contrast_limits=(0, 9))
    model.add_layer(image)
    conversions.convert_to_labels(model)
    (labels,) = model.layers
    assert type(labels) is OctreeLabels
    assert (labels.name, tuple(labels.translate)) == ("cells", (3, 4))
    assert labels.config is config
    with_edits(labels)
    model.layers.selection = {labels}
    conversions.convert_to_image(model)
    (image,) = model.layers
    assert type(image) is OctreeImage
    pixels = array[:]
    pixels[1, 2] = 5
    np.testing.assert_array_equal(image.level(0), pixels)


def test_a_stroke_that_waits_comes_along(model, recording_array, read_log):
    array = recording_array(np.arange(72, dtype="u2").reshape(9, 8), (4, 4), "labels")
    read_log.hold()
    labels = model.add_layer(OctreeLabels([array]))
    with_edits(labels)
    assert not labels.has_edits
    MAIN_LOOP.post(read_log.release)  # while the conversion waits
    later = labels.level(0)
    conversions.convert_to_image(model)
    (image,) = model.layers
    for found in (image.level(0), later):
        assert np.asarray(found)[1, 2] == 5


def test_labels_whose_stroke_cannot_be_finished_stay(
    model, recording_array, read_log, monkeypatch
):
    monkeypatch.setattr(edited_labels, "STROKES_S", 0.0)
    array = recording_array(np.arange(72, dtype="u2").reshape(9, 8), (4, 4), "labels")
    read_log.hold()
    labels = model.add_layer(OctreeLabels([array], name="cells"))
    with_edits(labels)
    with pytest.raises(SourceError, match="cells: what was painted still waits"):
        conversions.convert_to_image(model)
    assert model.layers == [labels]
    read_log.release()
    assert labels.wait_until_settled(30)
    assert labels.data[1, 2] == 5


def test_an_image_that_cannot_be_shown_stays(model):
    levels = [np.zeros((8, 8), "u2"), np.zeros((4, 4), "u1")]
    layer = model.add_image(levels, multiscale=True)
    with pytest.raises(SourceError, match="uint8"):
        conversions.convert_selected(model)
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


def test_reloading_acts_on_all_channels_of_an_image(model, monkeypatch, tmp_path):
    zarr.save_array(tmp_path / "a.zarr", np.zeros((2, 8, 8), "u1"))
    array = zarr.open_array(tmp_path / "a.zarr")
    red, green = (OctreeImage([AxisView(array, 0, i)], name=str(i)) for i in range(2))
    other = OctreeImage(np.zeros((8, 8)))
    for layer in (red, green, other):
        model.add_layer(layer)
    reloaded = []
    monkeypatch.setattr(OctreeImage, "reload", lambda self: reloaded.append(self))
    model.layers.selection = {green}
    commands.reload(model)
    assert reloaded == [red, green]


def test_levels_are_stepped_through(model):
    layer = model.add_layer(OctreeImage(two_levels()))
    model.layers.selection = {layer}
    locked = []
    for step in (
        layer_actions.show_finer_level,
        layer_actions.show_finer_level,
        layer_actions.show_coarser_level,
        layer_actions.choose_level_automatically,
    ):
        step(model)
        locked.append(layer.locked_data_level)
    assert locked == [0, 0, 1, None]


def test_being_the_default_reader_is_offered_once(make_napari_viewer, tmp_path):
    get_settings().plugins.extension2reader = {}
    viewer = make_napari_viewer()
    zarr.save_array(tmp_path / "a.zarr", np.zeros((8, 8)))
    for _ in range(2):
        commands.open_path(viewer, str(tmp_path / "a.zarr"))
    (offer,) = [n for n in notification_manager.records if "Always open" in n.message]
    ((_, accept),) = offer.actions
    accept()
    assert get_settings().plugins.extension2reader["*.zarr"] == "napari-octree"


def test_it_is_not_offered_where_a_reader_was_chosen(make_napari_viewer):
    make_napari_viewer()
    get_settings().plugins.extension2reader = {"*.zarr": "napari-ome-zarr"}
    default_reader.offer_to_be_default()
    assert not notification_manager.records


def test_without_octree_layers_there_is_a_note(model):
    for command in (commands.toggle_grid, commands.toggle_tint, commands.reload):
        command(model)
    conversions.convert_selected(model)


def test_commands_appear_in_the_menus(octree_plugin, make_napari_viewer):
    viewer = make_napari_viewer()
    file_menu = _entries(viewer.window.file_menu)
    assert "Open OME-Zarr as octree… (Octree)" in file_menu
    for text in (
        "Open OME-Zarr address as octree…",
        "Open TIFF or slide as octree…",
        "Use napari-octree for *.zarr by default",
        "Mandelbrot set, 2^27 × 2^27 pixels, 18 levels",
    ):
        assert any(text in shown for shown in file_menu), list(file_menu)
    assert any("Convert selected" in shown for shown in _entries(viewer.window.layers_menu))


def test_entries_are_greyed_where_they_do_not_apply_and_show_their_state(
    octree_plugin, make_napari_viewer
):
    viewer = make_napari_viewer()
    stock = viewer.add_image(np.zeros((8, 8)))
    layer = viewer.add_layer(OctreeImage(two_levels()))
    titles = [
        f"{entry.title} (Octree)"
        for entry in layer_actions.ENTRIES
        if entry.count == layer_actions.COUNT
    ]

    def states():
        shown = _entries(viewer.window.layers_menu)
        return [shown[title] for title in titles]

    def converts():
        shown = _entries(viewer.window.layers_menu)
        names = ("Convert selected layers to octree layers", "Convert to OctreeLabels")
        names = (*names, "Convert to OctreeImage")
        return [shown[f"{name} (Octree)"].isEnabled() for name in names]

    viewer.layers.selection = {stock}
    assert not any(entry.isEnabled() for entry in states())
    assert converts() == [True, False, False]
    viewer.layers.selection = {layer}
    assert all(entry.isEnabled() for entry in states())
    assert converts() == [False, True, False]
    viewer.layers.selection = {viewer.add_layer(OctreeLabels(np.eye(4, dtype=int)))}
    assert converts() == [False, False, True]
    viewer.layers.selection = {viewer.add_layer(OctreeImage(np.eye(4)))}
    assert converts() == [False, False, False]
    viewer.layers.selection = {layer}
    checks = [entry.isChecked() for entry in states() if entry.isCheckable()]
    assert checks == [False, False, True]
    layer.display.show_grid = layer.display.tint_levels = True
    layer.locked_data_level = 0
    checks = [entry.isChecked() for entry in states() if entry.isCheckable()]
    assert checks == [True, True, False]
    states()[0].trigger()
    assert not layer.display.show_grid


def test_the_command_palette_offers_no_readers(octree_plugin, make_napari_viewer):
    make_napari_viewer()
    manifest = octree_plugin.get_manifest("napari-octree")
    readers = {reader.command for reader in manifest.contributions.readers}
    app = get_app_model()
    offered = {item.command.id for _, items in app.menus for item in items if _is_command(item)}
    assert "napari-octree.open_folder" in offered
    assert not offered & readers


def test_keys_are_listed_in_napari_s_preferences(make_napari_viewer):
    make_napari_viewer()
    OctreeImage(two_levels())
    listed = ShortcutEditor().key_bindings_strs.values()
    names = {name for actions in listed for name in actions}
    keyed = {f"napari-octree:{entry.name}" for entry in layer_actions.ENTRIES if entry.key}
    assert len(keyed) == 6
    assert keyed <= names


def _is_command(item):
    return getattr(item, "command", None) is not None


def _entries(menu):
    menu.aboutToShow.emit()
    entries = {}
    for action in menu.actions():
        entries[action.text()] = action
        if action.menu() is not None:
            entries |= _entries(action.menu())
    return entries
