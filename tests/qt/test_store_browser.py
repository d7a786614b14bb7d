"""The browser of stores: lazily read, errors told, opens what is chosen as chosen."""

import numpy as np
import pytest
import zarr
from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from faulty_server import FaultyServer
from napari_octree import OctreeImage, OctreeLabels
from napari_octree.plugin.browsing import BrowsedStore, StoreBrowserDock, prepare_node
from napari_octree.qt.browse.node_tree import node_of
from napari_octree.qt.browse.store import BrowserActions, OpenChoice
from napari_octree.qt.browse.store_browser import StoreBrowser
from napari_octree.sources.ome_zarr.collections.node_thumbnail import thumbnail
from napari_octree.sources.ome_zarr.collections.store_tree import StoreTree

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space"},
    {"name": "x", "type": "space"},
]


def write_image(group, labels=True, zarr_format=3):
    pixels = np.zeros((2, 64, 96), np.uint16)
    pixels[0, :32] = 500
    pixels[1, :, 48:] = 900
    scale = [{"type": "scale", "scale": [1, 1, 1]}]
    coarse = [{"type": "scale", "scale": [1, 2, 2]}]
    datasets = [
        {"path": "0", "coordinateTransformations": scale},
        {"path": "1", "coordinateTransformations": coarse},
    ]
    omero = {
        "channels": [
            {"color": "FF0000", "window": {"min": 0, "max": 500, "start": 0, "end": 500}},
            {"color": "00FF00", "window": {"min": 0, "max": 900, "start": 0, "end": 900}},
        ]
    }
    put(
        group, {"multiscales": [{"axes": AXES, "datasets": datasets}], "omero": omero}, zarr_format
    )
    group.create_array("0", data=pixels, chunks=(1, 32, 32))
    group.create_array("1", data=pixels[:, ::2, ::2], chunks=(1, 32, 32))
    if labels:
        folder = group.create_group("labels")
        put(folder, {"labels": ["cells"]}, zarr_format)
        cells = folder.create_group("cells")
        datasets = [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}
        ]
        put(
            cells,
            {"multiscales": [{"axes": AXES[1:], "datasets": datasets}], "image-label": {}},
            zarr_format,
        )
        cells.create_array("0", data=(pixels[0] // 500).astype(np.uint8), chunks=(32, 32))


def put(group, attributes, zarr_format):
    if zarr_format == 3:
        group.attrs["ome"] = {"version": "0.5", **attributes}
    else:
        for entry in attributes.get("multiscales", ()):
            entry["version"] = "0.4"
        group.attrs.update(attributes)


@pytest.fixture(scope="module", params=[2, 3])
def plate(request, tmp_path_factory):
    """A plate with an image in each of two wells; consolidated."""
    path = tmp_path_factory.mktemp("stores") / "plate.zarr"
    zarr_format = request.param
    root = zarr.create_group(path, zarr_format=zarr_format)
    wells = [
        {"path": "A/1", "rowIndex": 0, "columnIndex": 0},
        {"path": "A/2", "rowIndex": 0, "columnIndex": 1},
    ]
    put(
        root,
        {
            "plate": {
                "rows": [{"name": "A"}],
                "columns": [{"name": "1"}, {"name": "2"}],
                "wells": wells,
                "version": "0.4",
            }
        },
        zarr_format,
    )
    row = root.create_group("A")
    for column in "12":
        well = row.create_group(column)
        put(well, {"well": {"images": [{"path": "0"}], "version": "0.4"}}, zarr_format)
        write_image(well.create_group("0"), zarr_format=zarr_format)
    zarr.consolidate_metadata(path)
    return path


def walk(tree, node, depth=0):
    node = tree.look(node)
    found = [(node.path, node.kind)]
    for child in tree.children(node):
        found += walk(tree, child, depth + 1)
    return found


PLATE = [("A/1", "well"), ("A/1/0", "image"), ("A/1/0/0", "array"), ("A/1/0/1", "array"),
         ("A/1/0/labels", "collection"), ("A/1/0/labels/cells", "labels"),
         ("A/1/0/labels/cells/0", "array")]  # fmt: skip


def test_the_tree_of_a_plate_near_and_far(plate):
    near = StoreTree(plate)
    assert walk(near, near.root)[1 : len(PLATE) + 1] == PLATE
    assert near.root.summary == "1 row, 2 columns, 2 wells"
    server = FaultyServer(plate.parent, latency_s=0)
    try:
        far = StoreTree(f"{server.url}/plate.zarr")
        asked = len(server.requests)
        assert walk(far, far.root)[1 : len(PLATE) + 1] == PLATE
        assert server.requests[asked:] == []  # consolidated metadata answer all
    finally:
        server.stop()


def test_a_far_store_without_consolidated_metadata(tmp_path):
    write_image(zarr.create_group(tmp_path / "image.zarr", zarr_format=3))
    server = FaultyServer(tmp_path, latency_s=0)
    try:
        tree = StoreTree(f"{server.url}/image.zarr")
        assert server.requests.count("image.zarr/0/zarr.json") == 0  # lazily
        assert [(p, k) for p, k in walk(tree, tree.root)] == [
            ("", "image"), ("0", "array"), ("1", "array"), ("labels", "collection"),
            ("labels/cells", "labels"), ("labels/cells/0", "array"),
        ]  # fmt: skip
        server.faults["image.zarr/labels/zarr.json"] = [500] * 20
        again = StoreTree(f"{server.url}/image.zarr")
        assert [n.path for n in again.children(again.root)] == ["0", "1"]
    finally:
        server.stop()


def test_folders_archives_and_groups_are_listed(tmp_path):
    write_image(zarr.create_group(tmp_path / "a.zarr", zarr_format=3), labels=False)
    with zarr.storage.ZipStore(tmp_path / "b.zarr.zip", mode="w") as store:
        write_image(zarr.create_group(store, zarr_format=3), labels=False)
    group = zarr.create_group(tmp_path / "sub" / "c.zarr", zarr_format=2)
    for name in ("10", "9", "raw"):
        group.create_array(name, shape=(4, 4), dtype="u1", chunks=(2, 2))
    tree = StoreTree(tmp_path)
    assert [(n.name, n.kind) for n in tree.children(tree.root)] == [
        ("a.zarr", "image"), ("b.zarr.zip", "image"), ("sub", "folder"),
    ]  # fmt: skip
    folder = tree.children(tree.children(tree.root)[2])
    assert [n.name for n in tree.children(folder[0])] == ["9", "10", "raw"]
    archive = tree.children(tree.root)[1]
    (finest, *_) = tree.children(archive)
    assert finest.kind == "array"
    (layer,) = prepare_node(tree, finest, OpenChoice(), None)()
    assert layer.level_shapes[0].tolist() == [2, 64, 96]
    assert thumbnail(tree, archive).shape == (32, 48, 3)


def test_a_picture_has_the_colours_of_the_channels(plate):
    tree = StoreTree(plate)
    image = tree.children(tree.children(tree.root)[0])[0]
    picture = thumbnail(tree, image)
    assert picture.shape == (32, 48, 3)
    assert picture[2, 2].tolist() == [255, 0, 0]
    assert picture[30, 40].tolist() == [0, 255, 0]
    np.testing.assert_array_equal(thumbnail(tree, tree.children(tree.root)[1]), picture)
    assert thumbnail(tree, tree.root) is None  # of a whole plate none is made


def test_what_is_broken_is_a_node_that_says_so(tmp_path):
    write_image(zarr.create_group(tmp_path / "x.zarr", zarr_format=3), labels=False)
    (tmp_path / "x.zarr" / "1" / "zarr.json").write_text("{")
    tree = StoreTree(tmp_path / "x.zarr")
    broken = next(n for n in tree.children(tree.root) if n.name == "1")
    assert "broken JSON" in broken.problem
    assert not broken.can_open
    assert thumbnail(tree, broken) is None
    with pytest.raises(ValueError, match="no such file"):
        StoreTree(tmp_path / "nowhere")


@pytest.fixture
def browser(viewer, qtbot):
    dock = StoreBrowserDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(300, 600)
    dock.show()
    return dock


def named(tree, name):
    flags = Qt.MatchFlag.MatchStartsWith | Qt.MatchFlag.MatchRecursive
    (item,) = tree.findItems(f"{name}\n", flags)
    return item


def test_the_dock_shows_adds_and_copies(browser, viewer, plate, pump_until, qtbot):
    browser.address.setEditText(str(plate))
    qtbot.keyClick(browser.address.lineEdit(), Qt.Key.Key_Return)
    tree = browser.tree
    pump_until(lambda: tree.topLevelItemCount() and tree.topLevelItem(0).childCount() == 2)
    well = named(tree, "A/1")
    pump_until(lambda: not well.icon(0).isNull())
    assert "1 field" in well.text(0)
    assert '"wells"' in browser.details.toPlainText()
    assert browser.add.isEnabled()
    tree.setCurrentItem(well)
    qtbot.keyClick(tree, Qt.Key.Key_Right)  # opens it, as in every tree
    pump_until(lambda: well.childCount() == 1 and node_of(well.child(0)) is not None)
    tree.setCurrentItem(well.child(0))
    qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert [type(x) for x in viewer.layers] == [OctreeImage, OctreeImage, OctreeLabels]
    actions = {action.text(): action for action in browser.menu().actions()}
    actions["Copy path"].trigger()
    assert QApplication.clipboard().text() == f"{plate}/A/1/0"


def test_type_of_layer_and_renderer_can_be_chosen(browser, viewer, plate, pump_until):
    store = BrowsedStore(StoreTree(plate))
    image = store.children(store.children(store.root)[0])[0]
    labels = store.children(store.children(image)[2])[0]
    browser._set_store(store)
    show = browser._actions.show
    show(store, labels, OpenChoice(layer="image"))
    show(store, image, OpenChoice(layer="labels"))
    show(store, store.children(image)[0], OpenChoice(renderer="napari"))
    show(store, labels, OpenChoice(renderer="napari"))
    show(store, image, OpenChoice(layer="image", rendering="iso"))
    kinds = [type(layer) for layer in viewer.layers]
    # The image as labels: a layer a channel, and its labels as they are.
    assert kinds[:6] == [OctreeImage, OctreeLabels, OctreeLabels, OctreeLabels, Image, Labels]
    assert kinds[6:] == [OctreeImage] * 3
    assert viewer.layers[-1].rendering == "iso"
    assert viewer.dims.ndisplay == 3
    np.testing.assert_array_equal(viewer.layers[5].data, viewer.layers[3].data[0])
    before = len(viewer.layers)
    (plate / "A/2/0/1").rename(plate / "A/2/0/gone")  # a level that is lost after it was listed
    try:
        show(
            store,
            store.children(store.children(store.children(store.root)[1])[0])[1],
            OpenChoice(),
        )
    finally:
        (plate / "A/2/0/gone").rename(plate / "A/2/0/1")
    assert len(viewer.layers) == before


def test_what_cannot_be_reached_is_said_and_a_new_address_forgets_the_old(qtbot, pump_until):
    opened = []

    def read(address):
        opened.append(address)
        raise ValueError(f"{address}: there is no such file or folder")

    browser = StoreBrowser(BrowserActions(read=read, show=lambda *a: None))
    qtbot.addWidget(browser)
    browser.show()
    browser.browse("nowhere")
    pump_until(lambda: "no such file" in browser.message.text())
    assert browser.message.isVisible()
    assert not browser.add.isEnabled()
    browser.browse("  ")
    assert opened == ["nowhere"]
    pump_until(lambda: not browser._workers.busy)  # no thread is left
