"""What is painted outlives crashes, full memory, full and failing disks, and copies."""

from __future__ import annotations

import errno
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Layer
from napari.utils.notifications import notification_manager

from napari_octree import OctreeConfig, OctreeLabels
from napari_octree.layers.labels.painting.edited_labels import CROWDED
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.layers.labels.painting.scratch.recovery import stores_in
from napari_octree.layers.labels.painting.scratch.store import (
    About,
    Kept,
    ScratchStore,
)

SHAPE = (1600, 1600)
MEBIBYTE = 2**20


@pytest.fixture
def told() -> Iterator[list[Any]]:
    messages: list[Any] = []
    notification_manager.notification_ready.connect(messages.append)
    yield messages
    notification_manager.notification_ready.disconnect(messages.append)


@pytest.fixture
def store(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(
        tmp_path / "labels.zarr", shape=SHAPE, chunks=(256, 256), dtype="int32", fill_value=0
    )
    array[:] = np.random.default_rng(0).integers(0, 3, SHAPE, dtype=np.int32)
    return array


@pytest.fixture
def config(tmp_path: Path) -> OctreeConfig:
    return OctreeConfig(memory={"edits_bytes": MEBIBYTE, "edits_path": tmp_path / "edits"})


def strokes(number: int = 40, seed: int = 1) -> Iterator[tuple[tuple[int, int], int]]:
    random = np.random.default_rng(seed)
    for n in range(number):
        y, x = random.integers(0, SHAPE[0], 2)
        yield (int(y), int(x)), n + 5


def paint(layer: Any, number: int = 40, seed: int = 1) -> None:
    layer.brush_size = 61
    for place, label in strokes(number, seed):
        layer.paint(place, label)


def expected(data: np.ndarray, number: int = 40, seed: int = 1) -> np.ndarray:
    from napari.layers import Labels

    stock = Labels(data.copy())
    paint(stock, number, seed)
    return np.asarray(stock.data)


def settle(layer: OctreeLabels) -> None:
    assert layer.wait_until_settled(60)
    assert layer._kept.flush(layer._keeping, 60)


def test_memory_is_bounded_and_nothing_is_lost(
    store: Any, config: OctreeConfig, qapp: Any
) -> None:
    layer = OctreeLabels([store], config=config)
    paint(layer)
    settle(layer)
    assert layer._label_edits.nbytes <= MEBIBYTE
    painted = layer.statistics.as_dict()["painted"]
    assert painted["chunks_on_disk"] > 20
    assert painted["unsaved_chunks"] == len(layer._label_edits.written_chunks)
    np.testing.assert_array_equal(layer.data[:, :], expected(store[:]))
    # As workers see it, and those who export.
    np.testing.assert_array_equal(layer.level(0).compute(), expected(store[:]))
    settle(layer)
    while layer._undo_history:
        layer.undo()
        settle(layer)
    np.testing.assert_array_equal(layer.data[:, :], store[:])
    assert not layer.has_edits
    for _ in range(40):
        layer.redo()
    settle(layer)
    assert layer.has_edits
    np.testing.assert_array_equal(layer.data[:, :], expected(store[:]))


@pytest.mark.parametrize("kind", ["in memory", "in a store"])
def test_strokes_without_a_pause_wait_for_the_disk(
    store: Any, config: OctreeConfig, qapp: Any, monkeypatch: Any, kind: str
) -> None:
    held: list[int] = []
    written = LabelEdits.write

    def write(edits: LabelEdits, *values: Any) -> Any:
        held.append(edits.nbytes)
        return written(edits, *values)

    monkeypatch.setattr(LabelEdits, "write", write)
    layer = OctreeLabels([store] if kind == "in a store" else store[:], config=config)
    paint(layer)  # never coming back to the event loop
    settle(layer)
    stroke = 4 * 256**2 * 5  # four chunks, with what was written of them
    assert len(held) == 40
    assert max(held) <= CROWDED * MEBIBYTE + 3 * stroke
    np.testing.assert_array_equal(np.asarray(layer.data[:, :]), expected(store[:]))


def test_saving_takes_what_is_on_disk_only_and_what_waits(
    store: Any, config: OctreeConfig, qapp: Any
) -> None:
    before = store[:]
    layer = OctreeLabels([store], config=config)
    paint(layer)
    assert layer._waits
    assert layer.save_edits() > 20
    np.testing.assert_array_equal(store[:], expected(before))
    assert not layer.has_edits
    settle(layer)
    assert not layer._kept.store.unsaved()
    layer.undo()  # what was saved can be taken back all the same
    settle(layer)
    np.testing.assert_array_equal(layer.data[:, :], expected(before, 39))
    assert layer.has_edits


CRASH = """
import os, sys, zarr
sys.path.insert(0, {tests!r})
from pathlib import Path
from napari_octree import OctreeConfig, OctreeLabels
from test_kept_edits import paint
config = OctreeConfig(memory={{"edits_path": Path({edits!r})}})
layer = OctreeLabels([zarr.open_array({path!r}, mode="r")], config=config)
paint(layer)
assert layer.wait_until_settled(60) and layer._kept.flush(layer._keeping, 60)
os._exit(9)
"""


def test_a_crash_loses_nothing(
    store: Any, config: OctreeConfig, tmp_path: Path, viewer: Any, told: Any, pump_until: Any
) -> None:
    script = CRASH.format(
        tests=str(Path(__file__).parent),
        edits=str(tmp_path / "edits"),
        path=str(tmp_path / "labels.zarr"),
    )
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert ended.returncode == 9, ended.stderr.decode()
    layer = OctreeLabels([store], config=config)
    assert not layer.has_edits
    viewer.add_layer(layer)
    pump_until(lambda: any(message.actions for message in told))
    (offer,) = (message for message in told if message.actions)
    assert "was not saved" in offer.message
    actions: dict[str, Callable[[Any], None]] = dict(offer.actions)
    actions["Restore"](None)
    assert layer.wait_until_settled(60)
    np.testing.assert_array_equal(layer.data[:, :], expected(store[:]))
    assert layer.has_edits
    # It is asked once; what was not answered can be had later.
    assert layer.restore_edits() == 0


def test_what_was_not_restored_is_offered_once_and_kept(
    store: Any, config: OctreeConfig, tmp_path: Path, viewer: Any, told: Any, pump_until: Any
) -> None:
    first = OctreeLabels([store], config=config)
    paint(first, 3)
    settle(first)
    about = first._keeping.about
    first._kept.store.describe(process=(2**30, 0.0))  # a process that has gone
    from napari_octree.layers.labels.painting.scratch.store import LIVE

    LIVE.clear()
    second = OctreeLabels([store], config=config)
    viewer.add_layer(second)
    pump_until(lambda: any(message.actions for message in told))
    told.clear()
    assert [left.about.was_offered for left in stores_in(tmp_path / "edits", about)] == [True]
    paint(second, 2, seed=9)
    settle(second)
    assert second.restore_edits() > 0
    both = expected(expected(store[:], 3), 2, seed=9)
    np.testing.assert_array_equal(second.data[:, :], both)
    assert not told


def test_a_full_disk_is_told_once_and_bounds_memory(
    store: Any, config: OctreeConfig, qapp: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, chunks: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ScratchStore, "keep", full)
    layer = OctreeLabels([store], config=config)
    layer.brush_size = 41
    places = [(130 + 256 * (n // 6), 130 + 256 * (n % 6)) for n in range(36)]
    for n, place in enumerate(places):
        layer.paint(place, n + 5)
        settle(layer)
    messages = [message.message for message in told]
    assert len([m for m in messages if "No space left on device" in m]) == 1
    assert any("no more room" in m for m in messages)
    assert layer._label_edits.nbytes < 3 * MEBIBYTE
    done = len(layer._undo_history)
    assert 0 < done < 36
    for n, place in enumerate(places):  # all of a stroke or none of it
        assert layer.data[place] == (n + 5 if n < done else store[place])
    # There is room again: it goes on.
    monkeypatch.undo()
    layer._keep_edits()
    settle(layer)
    layer.paint(places[-1], 99)
    settle(layer)
    assert layer.data[places[-1]] == 99


def test_a_copy_has_the_edits_and_goes_on_by_itself(
    store: Any, config: OctreeConfig, qapp: Any
) -> None:
    import copy

    layer = OctreeLabels([store], config=config)
    paint(layer)
    settle(layer)
    data, state, kind = layer.as_layer_data_tuple()
    twin = Layer.create(copy.deepcopy(data), state, kind)
    layer.undo()
    paint(twin, 5, seed=3)
    settle(layer)
    settle(twin)
    np.testing.assert_array_equal(twin.data[:, :], expected(expected(store[:]), 5, seed=3))
    np.testing.assert_array_equal(layer.data[:, :], expected(store[:], 39))
    layer.discard_edits()
    assert twin.has_edits
    np.testing.assert_array_equal(twin.data[:, :], expected(expected(store[:]), 5, seed=3))


def test_a_stroke_of_which_a_part_cannot_be_loaded_is_taken_back(
    recording_array: Any, read_log: Any, qapp: Any, told: Any, pump_until: Any
) -> None:
    data = np.zeros((600, 600), np.int32)
    read_log.failure = lambda read: PermissionError("no") if read.index[1].start else None
    layer = OctreeLabels([recording_array(data, (256, 256))])
    layer.paint((100, 100), 3)
    pump_until(lambda: layer.has_edits)
    with layer.block_history():
        layer.paint((100, 150), 7)  # this part is loaded
        layer.paint((100, 300), 7)
        layer.paint((100, 160), 7)  # waits behind
    assert layer.data[100, 150] == 7
    pump_until(lambda: any("not painted" in message.message for message in told))
    assert not (layer.data[0:256, 0:256] == 7).any()
    assert len(layer._undo_history) == 1
    assert not layer._redo_history
    layer.undo()
    assert not layer.has_edits


def test_a_stroke_that_waited_in_between_is_one_stroke(
    recording_array: Any, read_log: Any, qapp: Any, pump_until: Any
) -> None:
    data = np.zeros((600, 600), np.int32)
    layer = OctreeLabels([recording_array(data, (256, 256))])
    layer.paint((100, 100), 3)
    pump_until(lambda: layer.has_edits)
    read_log.hold()
    with layer.block_history():
        layer.paint((100, 150), 7)
        layer.paint((100, 300), 7)
    layer.selected_label, layer.brush_size, layer.n_edit_dimensions = 9, 1, 2
    read_log.release()
    pump_until(lambda: layer._strokes is not None and not len(layer._strokes))
    assert layer.data[100, 305] == 7
    assert len(layer._undo_history) == 2
    layer.undo()
    assert not (layer.data[:256, :512] == 7).any()
    layer.redo()
    assert layer.data[100, 305] == layer.data[100, 150] == 7


def test_an_error_in_the_midst_takes_the_stroke_back(qapp: Any) -> None:
    layer = OctreeLabels(np.zeros((100, 100), np.uint8))

    def stroke() -> None:
        with layer.block_history():
            layer.paint((10, 10), 3)
            layer.paint((50, 50), 300)

    with pytest.raises(ValueError, match="300"):
        stroke()
    assert not layer.has_edits
    assert not layer._undo_history
    layer.paint((10, 10), 3)
    assert len(layer._undo_history) == 1


def test_a_commit_is_carried_out_after_a_crash(tmp_path: Path) -> None:
    about = About("/somewhere", (20, 20), (8, 8), "<u2", "cells")
    store = ScratchStore.create(tmp_path, about)
    chunk = Kept(np.full((8, 8), 3, np.uint16), np.eye(8, dtype=bool))
    store.keep({(0, 0): chunk})
    store._carry_out = lambda: None  # type: ignore[method-assign]
    other = Kept(np.full((8, 8), 4, np.uint16), np.eye(8, dtype=bool))
    empty = Kept(np.zeros((8, 8), np.uint16), np.eye(8, dtype=bool))
    store.keep({(0, 0): other, (1, 1): empty})
    assert store.unsaved() == [(0, 0)]
    again = ScratchStore.open(store.folder)
    assert again.unsaved() == [(0, 0), (1, 1)]
    np.testing.assert_array_equal(again.load((0, 0)).values, other.values)
    np.testing.assert_array_equal(again.load((1, 1)).written, empty.written)
    again.mark_saved([(0, 0), (1, 1)])
    assert again.unsaved() == []
    np.testing.assert_array_equal(again.load((0, 0)).values, other.values)
    again.close()
    assert not store.folder.exists()


@pytest.mark.parametrize("kind", ["memory", "store"])
def test_a_new_label_is_above_those_that_are_known(kind: str, store: Any, qapp: Any) -> None:
    from napari.layers.labels._labels_key_bindings import new_label

    layer = OctreeLabels(store[:]) if kind == "memory" else OctreeLabels([store])
    assert layer.wait_until_settled(30)
    new_label(layer)
    assert layer.selected_label == 3
    layer.paint((100, 100), 77)
    assert layer.wait_until_settled(30)
    new_label(layer)
    assert layer.selected_label == 78
