"""The dock on sets of points: it follows them, shows nodes by level, travels, and reports."""

import json
import shutil

import numpy as np
import pytest

from dock_looks import column, look
from napari_octree import OctreeImage, OctreePoints, build_points, open_points
from napari_octree.layers.views.residency import Residency
from napari_octree.qt.desk.dock import OctreeDock
from napari_octree.qt.desk.report import report_text
from napari_octree.qt.desk.subjects.point_subject import PointSubject
from napari_octree.qt.desk.subjects.subject import Loaded
from napari_octree.writing.points.build import PointsOptions

RANDOM = np.random.default_rng(2)
POSITIONS = RANDOM.normal((300, 900), (40, 120), (6_000, 2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("points") / "secret.zarr"
    options = PointsOptions(quota=300, bucket=2000)
    build_points(POSITIONS, path, options, features={"patient": RANDOM.random(len(POSITIONS))})
    return path


@pytest.fixture
def layer(viewer, folder):
    layer = viewer.add_layer(open_points(folder, name="patient Smith", size=2))
    assert layer.wait_until_settled(30)
    return layer


def test_it_shows_nodes_by_level(dock, layer, viewer):
    assert "patient Smith" in dock.title.text()
    assert f"{layer.progress.ideal} nodes in view" in dock.counts.text()
    table = layer.points_source.table
    assert sum(int(text.replace(",", "")) for text in column(dock, "Tiles")) == len(table)
    points = [int(text.split(" ")[0].replace(",", "")) for text in column(dock, "Shape")]
    assert sum(points) == len(POSITIONS)
    assert sum(int(t or 0) for t in column(dock, "On GPU")) == layer.statistics.views[0].resident
    assert column(dock, "In RAM")[-1].endswith("KiB")
    viewer.scene.camera.zoom *= 8
    viewer.scene.camera.center = (0, 300, 900)
    assert layer.wait_until_settled(30)
    look(dock)
    assert column(dock, "On GPU")[0]  # deeper ones have come
    assert dock.table.item(layer.data_level, 0).font().bold()


def test_switches_that_mean_nothing_for_points_are_grey(dock, layer, viewer):
    assert not dock.switches.level.isEnabled()
    assert not any(box.isEnabled() for box in dock.switches.checks.values())
    image = viewer.add_layer(OctreeImage(np.zeros((64, 64), np.uint8)))
    assert dock.layer is image
    assert dock.switches.level.isEnabled()
    viewer.layers.selection = {layer}
    assert dock.layer is layer
    assert not dock.switches.level.isEnabled()
    viewer.layers.selection = {layer, image}
    dock.switches.checks["show_grid"].setChecked(True)
    assert image.display.show_grid


def test_the_map_shows_where_they_are_and_travels(dock, layer, viewer, qtbot):
    minimap = dock.minimap
    (panel,) = minimap._panels
    assert panel.origin[0] < 300 < panel.origin[0] + panel.extent[0]
    middle = [int((p - o) / e * n) for p, o, e, n in zip(
        (300, 900), panel.origin, panel.extent, (panel.image.height(), panel.image.width()),
        strict=True)]  # fmt: skip
    assert panel.image.pixelColor(middle[1], middle[0]).red() > 150
    assert panel.image.pixelColor(0, 0).red() < 100
    point = minimap.point_at(0, 320, 1000)
    assert minimap.place_at(0, point) == pytest.approx((320, 1000))
    minimap._grip = (0, 0.0, 0.0)
    minimap._travel(point)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (320, 1000))
    layer.scale = (2, 3)
    look(dock)
    dock._travel({0: 310.0})
    assert viewer.scene.camera.center[-2] == pytest.approx(620)
    dock.loaded.setChecked(True)
    look(dock)
    states = {place.state for place in minimap._places}
    assert Loaded.ON_GPU in states
    minimap.grab()


def test_what_was_read_and_left_the_gpu_is_in_memory(dock, layer, monkeypatch):
    dock.loaded.setChecked(True)
    look(dock)
    drawing = layer.drawn_views[0].drawing
    n = len(layer.residency.resident)
    assert n > 0
    monkeypatch.setattr(type(drawing), "residency", Residency())
    look(dock)
    assert [p.state for p in dock.minimap._places] == [Loaded.IN_RAM] * n


def test_failed_nodes_are_told_and_can_be_read_again(viewer, folder, qtbot, monkeypatch, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "points.zarr")  # of which nothing is in RAM
    layer = open_points(copied, size=2)
    broken, reader = [True], type(layer.points_source.reader)
    read = reader.read

    def failing(self, node, *arguments):
        if broken[0] and node > 0:
            raise ValueError("broken chunk")
        return read(self, node, *arguments)

    monkeypatch.setattr(reader, "read", failing)
    viewer.add_layer(layer)
    viewer.scene.camera.zoom *= 8
    viewer.scene.camera.center = (0, 300, 900)
    assert not layer.wait_until_settled(30)
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    look(dock)
    assert layer.progress.failed > 0
    assert sum(int(t or 0) for t in column(dock, "Failed")) == layer.progress.failed
    failed = [place for place in dock.minimap._places if place.state is Loaded.FAILED]
    assert len(failed) == layer.progress.failed
    dock.minimap.grab()
    broken[0] = False
    dock.reload.click()
    assert layer.wait_until_settled(30)
    look(dock)
    assert not dock.minimap._places


def test_points_in_memory_and_in_3d(viewer, qtbot, pump):
    cloud = RANDOM.normal(0, 50, (20_000, 3))
    layer = viewer.add_layer(OctreePoints(cloud, size=1))
    viewer.dims.ndisplay = 3
    assert layer.wait_until_settled(30)
    subject = PointSubject(layer)
    assert [panel.axes for panel in subject.panels()] == [(1, 2), (0, 2), (1, 0)]
    assert {text for _, _, text in subject.counts()} == {"all"}
    assert {len(place.box) for place in subject.places(True)} == {3}
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    dock._travel({0: 5.0})
    assert viewer.scene.camera.center[0] == pytest.approx(5)
    viewer.dims.ndisplay = 2
    pump()
    assert [panel.axes for panel in subject.panels()] == [(0, 1)]
    viewer.add_layer(OctreePoints(np.zeros((0, 2))))
    look(dock)
    assert dock.table.rowCount() == 0
    viewer.add_layer(OctreePoints(np.ones((3, 2))))  # all in one place
    look(dock)
    dock.minimap.grab()


def test_the_report_of_points_holds_no_secret(layer):
    text = report_text([layer], "Mesa")
    described = json.loads(text)["layers"][0]
    assert described["points"] == len(POSITIONS)
    assert sum(described["nodes"]) == len(layer.points_source.table)
    for secret in ("Smith", "secret", "patient"):
        assert secret not in text
