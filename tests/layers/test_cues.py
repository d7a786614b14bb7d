"""Signs that something is still to come, and that what is seen is what was asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeImage
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.status import with_progress


def stack(recording_array: Any, depth: int = 6) -> list[Any]:
    """Planes of 10 × z, and z beside: level 0 and 1 can be told apart."""
    base = np.broadcast_to(10 * np.arange(depth, dtype=np.uint8)[:, None, None], (depth, 600, 800))
    levels = [base, base[:, ::2, ::2] + 1]
    return [recording_array(data, (1, 256, 256), f"level {k}") for k, data in enumerate(levels)]


def test_the_layer_list_shows_a_sign_while_it_loads(
    viewer, recording_array, read_log, pump_until
) -> None:
    layer = viewer.add_layer(OctreeImage(stack(recording_array), contrast_limits=(0, 60)))
    told: list[bool] = []
    layer.events.loaded.connect(lambda: told.append(layer.loaded))
    assert layer.wait_until_settled(30)
    pump_until(lambda: layer.loaded)
    read_log.hold()
    viewer.dims.set_point(0, 3)
    pump_until(lambda: not layer.loaded)
    assert layer._slicing_state._loaded  # else napari's status bar would be silent
    read_log.release()
    pump_until(lambda: layer.loaded)
    assert told[-2:] == [False, True]


def test_hover_never_tells_of_another_slice(viewer, recording_array, read_log, pump) -> None:
    layer = viewer.add_layer(OctreeImage(stack(recording_array), contrast_limits=(0, 60)))
    assert layer.wait_until_settled(30)
    viewer.dims.set_point(0, 1)
    assert layer.wait_until_settled(30)
    assert layer.get_value((1, 100, 100)) == (layer.data_level, 10 + layer.data_level)
    read_log.hold()
    viewer.dims.set_point(0, 5)
    pump()
    assert layer.get_value((5, 100, 100))[1] is None
    assert "None" not in layer.get_status((5, 100, 100))["value"]
    read_log.release()
    assert layer.wait_until_settled(30)
    level = layer.data_level
    assert layer.get_value((5, 100, 100)) == (level, 50 + level)


def test_the_status_tells_level_value_and_how_much_is_loaded(
    viewer, recording_array, read_log, pump_until
) -> None:
    layer = viewer.add_layer(OctreeImage(stack(recording_array), contrast_limits=(0, 60)))
    viewer.scene.camera.zoom = 0.4  # level 1 is ideal
    viewer.dims.set_point(0, 2)
    assert layer.wait_until_settled(30)
    assert layer.get_status((2, 300, 400))["value"] == "1, 21"
    read_log.hold()
    viewer.scene.camera.zoom = 2
    pump_until(lambda: read_log.waiting)
    pump_until(lambda: "loaded" in layer.get_status((2, 300, 400))["value"])
    status = layer.get_status((2, 300, 400))
    assert status["value"] == "1, 21 (coarser) [0% loaded]"
    assert status["coordinates"].endswith(status["value"])
    read_log.release()
    assert layer.wait_until_settled(30)
    assert layer.get_status((2, 300, 400))["value"] == "0, 20"


def test_the_share_that_is_loaded() -> None:
    status = {"coords": "[1 2]", "value": "0, 20", "coordinates": "[1 2]: 0, 20"}
    part = with_progress(status, False, OctreeProgress(ideal=4, resident=1, loading=3))
    assert part["value"] == "0, 20 [25% loaded]"
    assert part["coordinates"] == "[1 2]: 0, 20 [25% loaded]"
    failed = with_progress(status, False, OctreeProgress(ideal=4, resident=3, failed=1))
    assert failed["value"] == "0, 20 [1 failed]"
    nothing_yet = {"coords": "[1 2]", "value": "", "coordinates": "[1 2]: "}
    told = with_progress(nothing_yet, False, OctreeProgress(ideal=4, loading=4))
    assert told["value"] == "[0% loaded]"
    settled = OctreeProgress(ideal=4, resident=4)
    assert with_progress(nothing_yet, False, settled) == nothing_yet


@pytest.fixture
def growing(tmp_path):
    import zarr

    array = zarr.create_array(
        tmp_path / "t.zarr", shape=(4, 300, 400), chunks=(1, 256, 256), dtype="uint8"
    )
    array[:] = 100
    return array


def grow(array: Any) -> None:
    array.resize((5, 300, 400))
    array[:] = 200


def test_reload_shows_what_has_been_written_since(viewer, growing, screenshot) -> None:
    import zarr

    shown = zarr.open_array(growing.store, mode="r")
    layer = viewer.add_layer(OctreeImage([shown], contrast_limits=(0, 255)))
    assert layer.wait_until_settled(30)
    grow(growing)
    layer.reload()
    assert not layer.settled
    assert layer.wait_until_settled(30)
    assert layer.data[0].shape == (5, 300, 400)
    assert viewer.dims.nsteps[0] == 5
    viewer.dims.set_point(0, 4)
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, 0] == 200


def test_growing_data_are_watched_if_asked(viewer, growing, pump_until) -> None:
    import zarr

    shown = zarr.open_array(growing.store, mode="r")
    layer = viewer.add_layer(OctreeImage([shown], contrast_limits=(0, 255)))
    assert layer.wait_until_settled(30)
    layer.watch(0.05)
    grow(growing)
    pump_until(lambda: viewer.dims.nsteps[0] == 5)
    assert layer.wait_until_settled(30)
    layer.watch(None)


def test_new_data_are_not_overtaken_by_old_that_were_asked_for_again(viewer, growing, pump):
    layer = viewer.add_layer(OctreeImage([growing], contrast_limits=(0, 255)))
    layer.reload()
    layer.data = [np.full((2, 30, 40), 7, np.uint8)]
    assert layer.wait_until_settled(30)
    pump()
    assert layer.data[0].shape == (2, 30, 40)


class Looks:
    """Counts the looks at stores by thread, and can hold back those of threads known so far."""

    def __init__(self, look: Any) -> None:
        self._look = look
        self.by: Counter[threading.Thread] = Counter()
        self._held: set[threading.Thread] = set()
        self._go = threading.Event()

    def __call__(self, arrays: Any) -> Any:
        thread = threading.current_thread()
        if thread in self._held:
            self._go.wait(30)
        found = self._look(arrays)
        self.by[thread] += 1
        return found

    def hold(self) -> threading.Thread:
        (thread,) = self.by
        self._held.add(thread)
        return thread

    def release(self) -> None:
        self._go.set()


@pytest.fixture
def looks(monkeypatch) -> Iterator[Looks]:
    from napari_octree.layers.data import store_watch

    looks = Looks(store_watch.reopened)
    monkeypatch.setattr(store_watch, "reopened", looks)
    yield looks
    looks.release()


def test_what_reload_has_found_is_not_shown_again_by_the_watch(
    viewer, growing, looks, pump_until
) -> None:
    import zarr

    shown = zarr.open_array(growing.store, mode="r")
    layer = viewer.add_layer(OctreeImage([shown], contrast_limits=(0, 255)))
    layer.watch(0.02)
    pump_until(lambda: looks.by)
    watch = looks.hold()
    before = looks.by[watch] + 1  # one may be under way
    grow(growing)
    layer.reload()
    assert layer.wait_until_settled(30)
    assert layer.data[0].shape == (5, 300, 400)
    version = layer.octree_slice.key.version
    looks.release()
    pump_until(lambda: looks.by[watch] >= before + 3)
    assert layer.wait_until_settled(30)
    assert layer.octree_slice.key.version == version
    layer.watch(None)


def test_a_watch_goes_on_with_data_that_are_assigned(viewer, growing, looks, pump_until) -> None:
    import zarr

    layer = viewer.add_layer(OctreeImage([np.zeros((4, 30, 40), np.uint8)]))
    layer.watch(0.02)
    pump_until(lambda: looks.by)
    layer.data = [zarr.open_array(growing.store, mode="r")]
    grow(growing)
    pump_until(lambda: viewer.dims.nsteps[0] == 5)
    assert layer.wait_until_settled(30)
    layer.watch(None)
