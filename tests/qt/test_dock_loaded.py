"""What the dock says of what is loaded, what it costs, and how narrow it may be."""

from time import monotonic

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication
from superqt import QCollapsible

from counted_calls import calls_of
from napari_octree import OctreeImage, OctreeLabels
from napari_octree.layers.views.residency import Residency
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.qt.desk.dock import UPDATE_MS, OctreeDock
from napari_octree.qt.desk.level_table import COLUMNS
from napari_octree.qt.desk.loaded_places import Place, colour_of, places_of

PIXELS = np.random.default_rng(0).integers(0, 250, (1000, 1600)).astype(np.uint8)
LEVELS = [PIXELS, PIXELS[::2, ::2], PIXELS[::4, ::4]]


@pytest.fixture
def layer(viewer, recording_array):
    arrays = [recording_array(p, (100, 100), f"level {n}") for n, p in enumerate(LEVELS)]
    layer = viewer.add_layer(OctreeImage(arrays, contrast_limits=(0, 250)))
    assert layer.wait_until_settled(20)
    return layer


@pytest.fixture
def dock(viewer, layer, qtbot):
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(420, 900)
    dock.show()
    qtbot.waitExposed(dock)
    return dock


def look(dock):
    dock._changed = True
    dock._look()


def column(dock, name):
    number = COLUMNS.index(name)
    return [dock.table.item(row, number).text() for row in range(dock.table.rowCount())]


def test_places_are_where_tiles_lie():
    octree = Octree.from_shapes([(1000, 1600), (500, 800)], 256)
    keys = [ChunkKey(0, (3, 6)), ChunkKey(1, (0, 1)), ChunkKey(9, (0, 0))]
    assert places_of(octree, keys) == [
        Place(1, ((0, 512), (512, 1024))),
        Place(0, ((768, 1000), (1536, 1600))),  # cut off at the edge
    ]
    assert places_of(octree, keys[:1], failed=True)[0].failed
    assert colour_of(0) == colour_of(8) != colour_of(1)
    both = Residency(frozenset(keys[:1])) | Residency(frozenset(), frozenset(keys[:2]))
    assert both.by_level() == {0: (1, 0), 1: (0, 1)}


def test_levels_and_map_say_what_is_resident_cached_and_failed(dock, viewer, layer):
    viewer.scene.camera.zoom = 4
    viewer.scene.camera.center = (0, 500, 800)
    assert layer.wait_until_settled(20)
    look(dock)
    resident = [int(text.replace(",", "") or 0) for text in column(dock, "On GPU")]
    assert sum(resident) == layer.statistics.views[0].resident
    assert resident[0] == layer.progress.ideal
    assert column(dock, "Failed") == ["", "", ""]
    assert all(text.endswith("KiB") for text in column(dock, "In RAM")[:1])
    assert not dock.minimap._places
    before = dock.minimap.grab().toImage()
    dock.loaded.setChecked(True)
    look(dock)
    assert len(dock.minimap._places) == sum(resident)
    place = next(p for p in dock.minimap._places if p.level == 0 and p.box[1][0] == 768)
    middle = dock.minimap.point_at(0, np.mean(place.box[0]), np.mean(place.box[1])).toPoint()
    after = dock.minimap.grab().toImage()
    assert before.pixelColor(middle) != after.pixelColor(middle)
    assert not dock.table.item(0, 0).icon().isNull()


def test_failed_tiles_are_struck_out(viewer, recording_array, qtbot, dock):
    class Failing:
        shape, dtype, chunks = (1000, 1600), PIXELS.dtype, (256, 256)

        def __getitem__(self, index):
            if index[1].start >= 1024:
                raise ValueError("broken chunk")
            return PIXELS[index]

    coarse = recording_array(PIXELS[::4, ::4], (100, 100), "coarse")
    layer = viewer.add_layer(OctreeImage([Failing(), coarse], contrast_limits=(0, 250)))
    viewer.scene.camera.zoom = 2
    viewer.scene.camera.center = (0, 500, 1024)
    layer.wait_until_settled(20)
    look(dock)
    assert int(column(dock, "Failed")[0]) == layer.progress.failed > 0
    failed = [place for place in dock.minimap._places if place.failed]
    assert len(failed) == layer.progress.failed
    assert all(place.box[1][0] >= 1024 for place in failed)
    assert dock.reload.isEnabled()


def test_it_is_for_labels_and_volumes_too(viewer, qtbot):
    cells = (np.arange(64 * 64 * 64).reshape(64, 64, 64) % 7).astype(np.uint8)
    layer = viewer.add_layer(OctreeLabels([cells, cells[::2, ::2, ::2]]))
    viewer.dims.ndisplay = 3
    assert layer.wait_until_settled(30)
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    dock.loaded.setChecked(True)
    look(dock)
    assert len(dock.minimap._panels) == 3
    assert {len(place.box) for place in dock.minimap._places} == {3}
    assert sum(int(t or 0) for t in column(dock, "On GPU")) == len(dock.minimap._places) > 0
    dock.minimap.grab()  # paints
    assert not dock.switches.contrast.isEnabled()
    viewer.dims.ndisplay = 2
    assert layer.wait_until_settled(30)
    look(dock)
    assert {len(place.box) for place in dock.minimap._places} == {2}


class Wakeups(QObject):
    """Counts timers that fire, and frames, of what belongs to a widget."""

    def __init__(self, widget):
        super().__init__()
        self.count = 0
        self._widget = widget

    def eventFilter(self, watched, event):  # noqa: N802
        if event.type() in (QEvent.Type.Timer, QEvent.Type.Paint):
            while watched is not None and watched is not self._widget:
                watched = watched.parent()
            self.count += watched is not None
        return False


def idle(pump_until, seconds):
    end = monotonic() + seconds
    pump_until(lambda: monotonic() > end)


def test_idle_it_costs_nothing(dock, viewer, layer, let_rest, pump, pump_until):
    for part in dock.findChildren(QCollapsible):
        part.expand(animate=False)
    let_rest(layer)
    pump_until(lambda: not dock._timer.isActive())
    for hidden in (False, True):
        dock.setHidden(hidden)
        pump_until(lambda: not dock._timer.isActive())
        pump()  # what was to be painted is
        frames, updates = layer.statistics.views[0].frames, dock.updates
        wakeups = Wakeups(dock)
        QApplication.instance().installEventFilter(wakeups)
        idle(pump_until, 0.6)
        QApplication.instance().removeEventFilter(wakeups)
        assert layer.statistics.views[0].frames == frames
        assert dock.updates == updates
        assert wakeups.count == 0
    assert dock.meters._clock is None  # frames are not timed either


def test_shown_it_looks_four_times_a_second_and_quickly(dock, viewer, layer, pump_until):
    for part in dock.findChildren(QCollapsible):
        part.expand(animate=False)
    dock.loaded.setChecked(True)
    updates, start = dock.updates, monotonic()

    def move():
        viewer.scene.camera.zoom *= 1.001
        return monotonic() > start + 1

    pump_until(move)
    assert 1 <= dock.updates - updates <= (monotonic() - start) * 1000 / UPDATE_MS + 1
    assert "of 16.7 ms" in dock.meters.frame.format()
    # 1,000 calls are 0.2 ms; all sources that the process still knows are looked at.
    most = 2000 + 8 * len(layer.loader.statistics.sources)
    assert min(calls_of(lambda: look(dock)) for _ in range(3)) <= most


def test_it_fits_a_narrow_window(viewer, layer, pump):
    dock = OctreeDock(viewer)
    viewer.window.add_dock_widget(dock, name="Octree")  # which gives it napari's style
    for part in dock.findChildren(QCollapsible):
        part.expand(animate=False)
    pump()
    dock._fit()
    assert dock.minimumWidth() <= 250
