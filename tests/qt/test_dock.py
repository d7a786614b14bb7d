"""The Octree dock follows the selected layers, moves the camera, and costs nothing when hidden."""

import json

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.qt.desk.dock import OctreeDock
from napari_octree.qt.desk.report import report_text
from napari_octree.qt.desk.subjects.pixel_subject import PixelSubject
from napari_octree.qt.desk.subjects.subject import human_size
from napari_octree.qt.desk.switches import percentile_limits

PIXELS = np.random.default_rng(0).integers(0, 60000, (1000, 1600)).astype(np.uint16)


@pytest.fixture
def layer(viewer):
    levels = [PIXELS, PIXELS[::2, ::2], PIXELS[::4, ::4]]
    layer = viewer.add_layer(OctreeImage(levels, name="cells"))
    assert layer.wait_until_settled(20)
    return layer


def test_it_shows_the_levels_and_the_progress(dock, layer):
    assert [dock.table.item(i, 4).text() for i in range(3)] == [
        "1000 × 1600", "500 × 800", "250 × 400",
    ]  # fmt: skip
    assert "0 loading, 0 failed" in dock.counts.text()
    assert not dock.reload.isEnabled()
    assert dock.table.item(layer.data_level, 0).font().bold()


def test_a_click_on_the_minimap_moves_the_camera_there(dock, viewer, qtbot):
    goal = dock.minimap.point_at(0, 250, 1200).toPoint()
    viewer.scene.camera.zoom = 2
    qtbot.mouseClick(dock.minimap, Qt.MouseButton.LeftButton, pos=goal)
    extent = dock.minimap._frames()[0]
    a_pixel = 1600 / extent.width()
    assert viewer.scene.camera.center[-2] == pytest.approx(249.5, abs=a_pixel)
    assert viewer.scene.camera.center[-1] == pytest.approx(1199.5, abs=a_pixel)


def test_a_drag_of_the_view_travels(dock, viewer, layer, qtbot, pump):
    viewer.scene.camera.zoom = 2
    viewer.scene.camera.center = (0, 500, 800)
    pump()
    dock._on_change()
    dock._look()
    minimap = dock.minimap
    start = minimap.point_at(0, 520, 830).toPoint()  # not its middle: no jump at the press
    qtbot.mousePress(minimap, Qt.MouseButton.LeftButton, pos=start)
    assert viewer.scene.camera.center[-2:] == pytest.approx((500, 800))
    qtbot.mouseMove(minimap, start + QPoint(20, 10))
    qtbot.mouseRelease(minimap, Qt.MouseButton.LeftButton, pos=start + QPoint(20, 10))
    a_pixel = 1600 / minimap._frames()[0].width()
    assert viewer.scene.camera.center[-1] == pytest.approx(800 + 20 * a_pixel, abs=2 * a_pixel)
    assert viewer.scene.camera.center[-2] == pytest.approx(500 + 10 * a_pixel, abs=2 * a_pixel)


def test_arrow_keys_travel(dock, viewer, qtbot):
    before = viewer.scene.camera.center
    qtbot.keyClick(dock.minimap, Qt.Key.Key_Right)
    assert viewer.scene.camera.center[-1] == pytest.approx(before[-1] + 200, abs=1)
    assert viewer.scene.camera.center[-2] == pytest.approx(before[-2], abs=1)


def test_the_place_is_right_under_scale_and_rotation(dock, viewer, layer, pump):
    layer.scale, layer.rotate, layer.translate = (0.5, 2.0), 30, (7, 9)
    pump()
    dock._travel({0: 300.5, 1: 400.5})
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], layer.data_to_world((300, 400)))


def test_a_level_that_is_chosen_is_drawn(dock, layer, viewer, screenshot):
    viewer.scene.camera.zoom = 1.3
    dock.switches.level.setCurrentIndex(3)
    assert layer.locked_data_level == 2
    assert layer.wait_until_settled(20)
    coarse = screenshot(viewer)
    dock.switches.level.setCurrentIndex(0)
    assert layer.locked_data_level is None
    assert layer.wait_until_settled(20)
    assert not np.array_equal(coarse, screenshot(viewer))
    dock.table.itemActivated.emit(dock.table.item(1, 0))
    assert layer.locked_data_level == 1
    assert dock.switches.level.currentText() == "Level 1"


def test_switches_act_on_all_selected_layers_and_follow_them(dock, viewer, layer):
    other = viewer.add_layer(OctreeImage(PIXELS[:100, :100], name="other"))
    viewer.layers.selection = {layer, other}
    dock.switches.checks["show_grid"].setChecked(True)
    assert layer.display.show_grid
    assert other.display.show_grid
    other.display.tint_levels = True
    assert dock.switches.checks["tint_levels"].isChecked()
    dock.switches.choices["policy"].setCurrentIndex(1)
    assert layer.display.policy == other.display.policy == "play"


def test_it_follows_the_selection(dock, viewer, layer):
    stock = viewer.add_layer(Image(np.zeros((9, 9))))
    assert dock.layer is layer  # the topmost octree layer where none is selected
    other = viewer.add_layer(OctreeImage(PIXELS[:100], name="other"))
    assert dock.layer is other
    viewer.layers.selection = {layer}
    assert dock.layer is layer
    viewer.layers.clear()
    assert dock.layer is None
    dock._look()
    assert dock.title.text() == "Select an octree layer."
    assert dock.progress.text() == dock.counts.text() == ""  # nothing, not "100%"
    assert stock not in viewer.layers


def test_contrast_by_percentiles(dock, layer):
    dock.switches.low.setValue(10)
    dock.switches.high.setValue(90)
    dock.switches.contrast.click()
    np.testing.assert_allclose(layer.contrast_limits, np.percentile(layer.overview, [10, 90]))
    assert percentile_limits(np.full(5, 3), 1, 99) is None
    assert percentile_limits(np.array([np.nan, np.inf]), 1, 99) is None
    assert percentile_limits(np.array([np.nan, 1.0, 2.0]), 100, 0) == (1, 2)


def test_hidden_it_hears_and_does_nothing(dock, viewer, layer, pump):
    dock.hide()
    assert not dock._timer.isActive()
    assert not dock._listening
    before = dock.updates
    viewer.scene.camera.zoom *= 2
    layer.contrast_limits = (3, 99)
    assert layer.wait_until_settled(20)
    pump()
    assert dock.updates == before
    assert not dock._timer.isActive()


def test_shown_it_rests_when_nothing_changes(dock, viewer, layer, pump_until):
    viewer.scene.camera.zoom *= 2
    pump_until(lambda: layer.settled and not dock._timer.isActive())
    before = dock.updates
    dock._look()
    assert dock.updates == before
    assert dock._timer.interval() >= 250


def test_a_closed_dock_lets_go(viewer, layer, qtbot):
    dock = OctreeDock(viewer)
    dock.show()
    dock.close()
    before = dock.updates
    viewer.layers.selection.clear()
    layer.contrast_limits = (1, 2)
    assert dock.updates == before
    assert not dock._listening
    dock.deleteLater()


def test_the_report_holds_no_secret(recording_pyramid, viewer, tmp_path):
    config = OctreeConfig(octree={"log_path": str(tmp_path / "private.log")})
    arrays = recording_pyramid((300, 400))
    for number, array in enumerate(arrays):
        array.name = f"s3://key:hunter2@bucket/{number}"
    layer = viewer.add_layer(OctreeImage(arrays, config, name="patient Smith"))
    assert layer.wait_until_settled(20)
    text = report_text([layer], "Mesa")
    described = json.loads(text)
    assert described["layers"][0]["shapes"] == [[300, 400], [150, 200], [75, 100]]
    assert described["versions"]["napari"]
    assert described["graphics"] == "Mesa"
    for secret in ("hunter2", "bucket", "Smith", "private", str(tmp_path)):
        assert secret not in text
    assert "Smith" in report_text([layer], "Mesa", names=True)


def test_the_report_is_copied(dock):
    dock.copy.click()
    described = json.loads(QApplication.clipboard().text())
    assert described["layers"][0]["kind"] == "OctreeImage"
    assert "Mesa" in described["graphics"] or described["graphics"]


def test_bookmarks_and_links_go_back(dock, viewer, pump):
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 100, 200), 3
    dock.bookmarks.add()
    dock.bookmarks.copy_link()
    link = QApplication.clipboard().text()
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 900, 900), 1
    dock.bookmarks.list.itemActivated.emit(dock.bookmarks.list.item(0))
    assert viewer.scene.camera.center[-2:] == (100, 200)
    assert viewer.scene.camera.zoom == 3
    viewer.scene.camera.zoom = 1
    dock.bookmarks.link.setText(link)
    dock.bookmarks.link.returnPressed.emit()
    assert viewer.scene.camera.zoom == 3
    assert dock.bookmarks.list.count() == 2
    dock.bookmarks.list.setCurrentRow(0)
    dock.bookmarks.remove()
    assert dock.bookmarks.list.count() == 1


def test_a_volume_has_three_pictures(viewer, qtbot):
    volume = np.zeros((20, 30, 40), np.uint8)
    volume[5, 10, 15] = 200
    layer = viewer.add_layer(OctreeImage(volume, contrast_limits=(0, 200)))
    viewer.dims.ndisplay = 3
    assert layer.wait_until_settled(30)
    panels = PixelSubject(layer).panels()
    assert [panel.extent for panel in panels] == [(30, 40), (20, 40), (30, 20)]
    for panel, (row, column) in zip(panels, ((10, 15), (5, 15), (10, 5)), strict=True):
        assert panel.image.pixelColor(column, row).red() > 150
        assert panel.image.pixelColor(0, 0).red() == 0
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    dock._look()
    dock._travel({1: 12.5})
    assert viewer.scene.camera.center[1] == pytest.approx(12)


def test_levels_that_are_computed_say_so():
    layer = OctreeImage(np.zeros((5000, 6000), np.uint8))
    rows = PixelSubject(layer).rows()
    assert rows[0].size == "28.6 MiB"
    assert rows[-1].chunk == "computed"
    assert human_size(3 * 2**50) == "3 PiB"
