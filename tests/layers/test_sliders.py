"""Sliders: what a step reads, what is only passed, and what is read ahead."""

from __future__ import annotations

from collections import Counter
from itertools import count
from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.canvas.exports import Exports

DEPTH = 32


def stack(recording_array: Any) -> list[Any]:
    """Planes of value 2 z in four chunks each, half as large in level 1."""
    planes = np.broadcast_to(
        2 * np.arange(DEPTH, dtype=np.uint8)[:, None, None], (DEPTH, 512, 512)
    )
    return [
        recording_array(planes[:, :: 2**k, :: 2**k], (1, 256, 256), f"level {k}") for k in (0, 1)
    ]


def config(slices: int, delay_ms: float) -> OctreeConfig:
    """Every source counts as slow: its wishes wait in the delay queue."""
    return OctreeConfig(
        render={"prefetch": {"slices": slices}},
        loader_defaults={"auto_sync_ms": 0},
        octree={"loaders": {0: {"delay_queue_ms": delay_ms}}},
    )


def planes_read(read_log: Any, since: int = 0) -> Counter[tuple[str, int]]:
    return Counter((read.array, read.index[0].start) for read in read_log.reads[since:])


@pytest.fixture
def shown(viewer, recording_array):
    def show(slices: int = 2, delay_ms: float = 50, settle: bool = True) -> OctreeImage:
        layer = OctreeImage(
            stack(recording_array), config=config(slices, delay_ms), contrast_limits=(0, 255)
        )
        viewer.add_layer(layer)
        viewer.scene.camera.zoom = 0.7  # level 0 is ideal, and all of it in view
        viewer.scene.camera.center = (0, 255.5, 255.5)
        assert not settle or layer.wait_until_settled(30)
        return layer

    return show


@pytest.fixture(autouse=True)
def frames_of_the_screen(monkeypatch):
    """A screenshot is a frame as the screen would show it now: it waits for nothing."""
    monkeypatch.setattr(Exports, "deadline", lambda exports: None)


@pytest.fixture
def moves_on(monkeypatch, screenshot):
    """Have a layer's view count as moving from now on, however slow the machine is."""

    class Never:
        running = False

        def start(self, rest_ms: int) -> None: ...
        def stop(self) -> None: ...

    def keep_moving(viewer: Any, layer: OctreeImage) -> None:
        screenshot(viewer)  # a first view does not move
        layer._views[0]._rest.stop()  # of a move before, which on a slow machine is not over yet
        monkeypatch.setattr(layer._views[0], "_rest", Never())

    return keep_moving


def test_a_step_reads_the_chunks_of_its_plane(viewer, shown, read_log) -> None:
    layer = shown(slices=0)
    before = len(read_log.reads)
    viewer.dims.set_point(0, 3)
    assert layer.wait_until_settled(30)
    assert planes_read(read_log, before) == {("level 0", 3): 4, ("level 1", 3): 1}


def test_a_step_within_cached_chunks_reads_nothing(
    viewer, recording_array, read_log, let_rest
) -> None:
    planes = np.zeros((DEPTH, 512, 512), np.uint8)
    array = recording_array(planes, (8, 256, 256))
    layer = viewer.add_layer(OctreeImage([array], contrast_limits=(0, 255)))
    viewer.dims.set_point(0, 19)
    let_rest(layer)
    before = len(read_log.reads)
    for z in (20, 21, 20, 19, 18):  # the two slices on either side are read ahead
        viewer.dims.set_point(0, z)
        let_rest(layer)
    assert len(read_log.reads) == before


def test_slices_ahead_are_read_when_the_view_rests(viewer, shown, read_log, pump_until) -> None:
    layer = shown()
    for z in (8, 9, 10, 11):
        viewer.dims.set_point(0, z)
        assert layer.wait_until_settled(30)
    pump_until(lambda: planes_read(read_log)["level 0", 12] == 4)
    planes = planes_read(read_log)
    assert all(planes["level 0", z] == 4 for z in (8, 9, 10, 11))
    chunks = Counter((read.array, str(read.index)) for read in read_log.reads)
    assert set(chunks.values()) == {1}, "no chunk was read twice"
    before = len(read_log.reads)
    viewer.dims.set_point(0, 12)
    assert layer.wait_until_settled(30)
    assert planes_read(read_log, before)["level 0", 12] == 0


def test_what_is_only_passed_is_not_read(viewer, shown, read_log, screenshot, moves_on) -> None:
    delay_s = 1.0
    layer = shown(slices=0, delay_ms=1000 * delay_s)
    moves_on(viewer, layer)
    before = len(read_log.reads)
    seen: list[float] = []
    for z in range(3, 23):
        seen.append(monotonic())
        viewer.dims.set_point(0, z)
        screenshot(viewer)
        seen.append(monotonic())
    assert layer.wait_until_settled(30)
    read = planes_read(read_log, before)
    assert read["level 0", 22] == 4
    # Until the next one was drawn: of a machine that is so slow, it was not only passed.
    lasted = {z: seen[2 * i + 3] - seen[2 * i] for i, z in enumerate(range(3, 22))}
    fine = {z for (level, z) in read if level == "level 0"}
    assert fine - {22} <= {z for z, seconds in lasted.items() if seconds >= delay_s}
    assert layer.get_value((22, 100, 100)) == (0, 44)


def test_the_coarse_picture_comes_first(
    viewer, shown, read_log, pump_until, screenshot, moves_on
) -> None:
    layer = shown(slices=0, delay_ms=10**6, settle=False)  # of all but the overview
    moves_on(viewer, layer)
    viewer.dims.set_point(0, 20)
    pump_until(lambda: screenshot(viewer)[150, 200, 0] == 40)
    assert not layer.settled
    assert {plane for plane in planes_read(read_log) if plane[1] == 20} == {("level 1", 20)}


def test_a_step_makes_no_thumbnail_before_its_overview_has_come(
    viewer, shown, read_log, monkeypatch
) -> None:
    layer = shown(slices=0)
    former = layer.thumbnail.copy()
    read_log.hold()
    with monkeypatch.context() as patched:
        patched.setattr(OctreeImage, "_update_thumbnail", lambda layer: pytest.fail("too early"))
        viewer.dims.set_point(0, 20 if viewer.dims.current_step[0] != 20 else 21)
    read_log.release()
    assert layer.wait_until_settled(30)
    assert (layer.thumbnail != former).any()


def test_the_layer_list_shows_no_sign_before_the_slider_rests(
    viewer, shown, read_log, screenshot, pump, pump_until, moves_on
) -> None:
    layer = shown(slices=0)
    pump_until(lambda: layer.loaded)
    moves_on(viewer, layer)
    read_log.hold()
    viewer.dims.set_point(0, 20 if viewer.dims.current_step[0] != 20 else 21)
    screenshot(viewer)
    pump()
    assert not layer.settled
    assert layer.loaded
    layer._views[0]._on_rest()
    pump_until(lambda: not layer.loaded)
    read_log.release()


def test_continuous_contrast_follows_the_slider(viewer) -> None:
    planes = np.arange(6, dtype=np.uint16)[:, None, None] * 10 + np.eye(64, dtype=np.uint16)
    layer = viewer.add_layer(OctreeImage([planes]))
    layer.auto_contrast = True
    for z in (4, 1):
        viewer.dims.set_point(0, z)
        assert layer.wait_until_settled(30)
        assert tuple(layer.contrast_limits) == (10 * z, 10 * z + 1)


def on_the_gpu(layer: OctreeImage) -> set[int]:
    slots = layer._views[0].tiles.node.atlas.slots
    return {slice_key.position(0) for slice_key, _ in slots}


def test_the_frame_of_a_step_shows_the_coarse_picture_at_once(
    viewer, shown, read_log, pump_until, screenshot
) -> None:
    layer = shown(slices=1)
    viewer.dims.set_point(0, 8)
    assert layer.wait_until_settled(30)
    pump_until(lambda: {7, 9} <= on_the_gpu(layer))
    read_log.hold()
    for z in (9, 8, 7):
        viewer.dims.set_point(0, z)
        assert screenshot(viewer)[150, 200, 0] == 2 * z
    read_log.release()


def test_a_moving_slider_has_coarse_pictures_brought_before_it_comes(
    viewer, shown, read_log, screenshot, pump_until, monkeypatch, moves_on
) -> None:
    layer = shown(slices=1, delay_ms=10**6, settle=False)
    moves_on(viewer, layer)
    clock = SimpleNamespace(perf_counter=count(1e9, 0.02).__next__)
    monkeypatch.setattr("napari_octree.rendering.view.layer_view.time", clock)
    opened = layer.octree_slice.key.position(0)
    for z in range(3, 11):
        viewer.dims.set_point(0, z)
        screenshot(viewer)

    def read() -> Counter[tuple[str, int]]:
        planes = planes_read(read_log)
        return Counter({plane: n for plane, n in planes.items() if plane[1] != opened})

    pump_until(lambda: max(z for _, z in read()) >= 14)
    assert {level for level, _ in read()} == {"level 1"}
    assert set(read().values()) == {1}


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_the_slider_of_any_axis(viewer, recording_array, read_log, pump_until, order) -> None:
    data = np.zeros((40, 300, 300), np.uint8)
    layer = viewer.add_layer(OctreeImage([recording_array(data, (4, 128, 128))]))
    viewer.dims.order = order
    axis = order[0]
    for position in (10, 11, 12):
        viewer.dims.set_point(axis, position)
        assert layer.wait_until_settled(30)
    assert layer._views[0].tiles.tracked.scroll_axis == axis
    assert layer.octree_slice.key.position(axis) == 12


def test_the_former_slice_may_stay_dimmed_until_the_new_one_covers_the_view(
    viewer, shown, read_log, pump, pump_until, screenshot
) -> None:
    layer = shown(slices=0)
    viewer.dims.set_point(0, 30)
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, 0] == 60
    layer.display.keep_slice = True
    read_log.hold()
    viewer.dims.set_point(0, 20)
    pump_until(lambda: read_log.waiting)
    pump()
    assert abs(int(screenshot(viewer)[150, 200, 0]) - 0.4 * 60) <= 1
    assert not layer.settled
    assert layer.get_value((20, 100, 100))[1] is None
    viewer.dims.set_point(0, 10)  # what is kept is still the last that was whole
    pump()
    assert abs(int(screenshot(viewer)[150, 200, 0]) - 0.4 * 60) <= 1
    read_log.release()
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, 0] == 20


def test_without_it_nothing_of_another_slice_is_shown(
    viewer, shown, read_log, pump, pump_until, screenshot
) -> None:
    layer = shown(slices=0)
    viewer.dims.set_point(0, 30)
    assert layer.wait_until_settled(30)
    read_log.hold()
    viewer.dims.set_point(0, 20)
    pump_until(lambda: read_log.waiting)
    pump()
    assert screenshot(viewer)[150, 200, 0] == 0
    read_log.release()


@pytest.mark.parametrize(("play", "goes_on"), [("skip", True), ("wait", False)])
def test_playing_skips_slices_or_waits_for_them(
    viewer, shown, read_log, pump, pump_until, screenshot, play, goes_on
) -> None:
    layer = shown(slices=0)
    layer.display.play = play
    read_log.hold()
    dims = viewer.window._qt_viewer.dims
    dims._set_frame(0, 20)  # as napari's animation thread asks
    pump_until(lambda: read_log.waiting)
    screenshot(viewer)
    pump()
    dims._set_frame(0, 21)
    assert (viewer.dims.current_step[0] == 21) is goes_on
    read_log.release()
    assert layer.wait_until_settled(30)
    pump()
    dims._set_frame(0, 22)
    assert viewer.dims.current_step[0] == 22


def test_statistics_tell_the_buffered_range(viewer, shown, read_log, pump_until) -> None:
    layer = shown(slices=1)
    for z in (8, 9, 10):
        viewer.dims.set_point(0, z)
        assert layer.wait_until_settled(30)
    pump_until(lambda: planes_read(read_log)["level 0", 11] == 4)
    pump_until(lambda: layer.statistics.views[0].buffered[1] == 12)
    assert layer.statistics.views[0].buffered[0] in (7, 8)  # the one before may be read ahead too
