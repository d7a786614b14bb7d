"""What the dock says of what is loaded, what it costs, and how narrow it may be."""

from time import monotonic

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication
from superqt import QCollapsible

from counted_calls import calls_of
from dock_looks import column, look
from napari_octree import OctreeImage, OctreeLabels
from napari_octree.layers.views.residency import Residency
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.qt.desk.dock import UPDATE_MS, OctreeDock
from napari_octree.qt.desk.subjects.cached_boxes import CachedBoxes
from napari_octree.qt.desk.subjects.pixel_subject import PixelSubject, _not_on_gpu, places_of
from napari_octree.qt.desk.subjects.subject import Loaded, Place
from napari_octree.rendering.level_colours import colour_name
from napari_octree.sources.protocol import ChunkId

PIXELS = np.random.default_rng(0).integers(0, 250, (1000, 1600)).astype(np.uint8)
LEVELS = [PIXELS, PIXELS[::2, ::2], PIXELS[::4, ::4]]


@pytest.fixture
def layer(viewer, recording_array):
    arrays = [recording_array(p, (100, 100), f"level {n}") for n, p in enumerate(LEVELS)]
    layer = viewer.add_layer(OctreeImage(arrays, contrast_limits=(0, 250)))
    assert layer.wait_until_settled(20)
    return layer


def test_places_are_where_tiles_lie():
    octree = Octree.from_shapes([(1000, 1600), (500, 800)], 256)
    keys = [ChunkKey(0, (3, 6)), ChunkKey(1, (0, 1)), ChunkKey(9, (0, 0))]
    assert places_of(octree, keys) == [
        Place(1, ((0, 512), (512, 1024))),
        Place(0, ((768, 1000), (1536, 1600))),  # cut off at the edge
    ]
    assert places_of(octree, keys[:1], Loaded.FAILED)[0].state is Loaded.FAILED
    assert colour_name(0) == colour_name(8) != colour_name(1)
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
    on_gpu = [p for p in dock.minimap._places if p.state is Loaded.ON_GPU]
    assert len(on_gpu) == sum(resident)
    place = next(p for p in on_gpu if p.level == 0)
    middle = dock.minimap.point_at(0, np.mean(place.box[0]), np.mean(place.box[1])).toPoint()
    after = dock.minimap.grab().toImage()
    assert before.pixelColor(middle) != after.pixelColor(middle)
    assert not dock.table.item(0, 0).icon().isNull()


def test_the_map_tells_what_is_in_memory_only(dock, layer):
    loader, octree_slice = layer.loader, layer.octree_slice
    storage = octree_slice.sources[0].storage
    dock.loaded.setChecked(True)
    look(dock)
    assert not [p for p in dock.minimap._places if p.state is Loaded.IN_RAM and p.level == 0]
    # A chunk that straddles two tiles, and one of another level; nothing of them on the GPU.
    group, pixels = storage.group, PIXELS[200:300, 200:300]
    loader.blocks.keep(ChunkId(storage.key, ((200, 300), (200, 300))), pixels, 0.1, group)
    before = dock.minimap.grab().toImage()
    look(dock)
    found = [p for p in dock.minimap._places if p.state is Loaded.IN_RAM]
    assert Place(0, ((200, 300), (200, 300)), Loaded.IN_RAM) in found
    after = dock.minimap.grab().toImage()
    corners = dock.minimap.point_at(0, 200, 200), dock.minimap.point_at(0, 300, 300)
    left, right = (round(corner.x()) for corner in corners)
    row = round(np.mean([corner.y() for corner in corners]))
    assert any(before.pixel(x, row) != after.pixel(x, row) for x in range(left, right))
    loader.forget(storage.key)
    look(dock)
    assert not [p for p in dock.minimap._places if p.state is Loaded.IN_RAM and p.level == 0]


def test_what_is_on_the_gpu_is_no_place_in_memory():
    octree = Octree.from_shapes([(1000, 1600)], 256)
    level, box = octree.levels[0], ((200, 300), (200, 300))
    assert _not_on_gpu(level, box, set()) == [box]
    there = {(0, (0, 0)), (0, (0, 1)), (0, (1, 0))}
    assert _not_on_gpu(level, box, there) == [((256, 300), (256, 300))]
    assert _not_on_gpu(level, box, {*there, (0, (1, 1))}) == []
    everything = ((0, 1000), (0, 1600))
    assert _not_on_gpu(level, ((0, 999), (0, 999)), {(0, (9, 9))}) == [((0, 999), (0, 999))]
    wide = Octree.from_shapes([(10_000, 10_000)], 256).levels[0]
    assert _not_on_gpu(wide, everything, there) != []


def test_chunks_of_other_slices_are_not_on_the_map(viewer, recording_array):
    stack = np.broadcast_to(PIXELS[:400, :600], (6, 400, 600))
    arrays = [recording_array(stack[:, ::s, ::s], (2, 100, 100), f"{s}") for s in (1, 2)]
    layer = viewer.add_layer(OctreeImage(arrays, contrast_limits=(0, 250)))
    subject = PixelSubject(layer)
    viewer.dims.set_point(0, 3)
    assert layer.wait_until_settled(20)
    storage = layer.octree_slice.sources[0].storage
    for first in (0, 2, 4):
        chunk = ChunkId(storage.key, ((first, first + 2), (300, 400), (200, 300)))
        layer.loader.blocks.keep(chunk, stack[:2, :100, :100], 0.1, storage.group)
    regions = layer.loader.cache.regions_of(storage.key)
    assert {region[0] for region in regions} >= {(0, 2), (2, 4), (4, 6)}
    boxes = CachedBoxes(layer.octree_slice, layer.loader.cache).of_level(0)
    assert sorted(boxes) == sorted(region[1:] for region in regions if region[0] == (2, 4))
    assert subject.counts()[0][2].endswith("KiB")


def test_a_flat_image_in_3d_lies_where_it_is(viewer, layer, qtbot):
    viewer.dims.ndisplay = 3
    assert layer.wait_until_settled(30)
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    dock.loaded.setChecked(True)
    look(dock)
    on_gpu = [p for p in dock.minimap._places if p.state is Loaded.ON_GPU]
    assert on_gpu
    assert {len(place.box) for place in on_gpu} == {2}
    assert max(place.box[1][1] for place in on_gpu) > 1000  # columns, not rows
    (outline,) = dock.minimap._outline
    assert np.ptp(outline[:, 1]) > 1000
    dock._travel({1: 400.5})
    assert viewer.scene.camera.center[-1] == pytest.approx(400)
    dock.minimap.grab()


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
    failed = [place for place in dock.minimap._places if place.state is Loaded.FAILED]
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
        return monotonic() > start + 1 and dock.updates > updates

    pump_until(move)
    assert dock.updates - updates <= (monotonic() - start) * 1000 / UPDATE_MS + 1
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
    meters = dock.meters
    for value in (meters.slots, meters.reads, meters.data, meters.latency, meters.cancelled):
        value.setText("1,234,567 of 1,234,567 in 12,345 ms")  # of a large image, far away
    pump()
    dock._fit()
    assert dock.minimumWidth() <= 250
