"""Opening keeps the window alive, can be cancelled, and tells what is wrong once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import zarr
from napari.utils import progress
from qtpy.QtCore import QTimer

from napari_octree.plugin import reader
from napari_octree.plugin.opening.waiting import Cancelled, open_and_wait


@pytest.fixture
def gate() -> Any:
    """A store that answers when it is let; it is let at the end."""
    opened = threading.Event()
    yield opened
    opened.set()


def when_waiting(action: Any, turns: int = 5) -> None:
    """Do something in the main thread after some turns of the event loop."""

    def turn(left: int) -> None:
        if left and any(hasattr(bar, "cancel") for bar in progress._all_instances):
            QTimer.singleShot(0, lambda: turn(left - 1))
        elif left:
            QTimer.singleShot(0, lambda: turn(left))
        else:
            action()

    turn(turns)


def test_events_are_served_while_a_slow_store_is_asked(qapp: Any, gate: Any) -> None:
    bars = []

    def answer() -> None:
        bars.extend(str(bar) for bar in progress._all_instances)
        gate.set()

    when_waiting(answer)
    assert open_and_wait("https://host/a.zarr", lambda: gate.wait(30)) is True
    assert [bar for bar in bars if "Opening https://host/a.zarr" in bar]
    assert not progress._all_instances


def test_what_is_cancelled_has_no_result(qapp: Any, gate: Any) -> None:
    when_waiting(lambda: next(iter(progress._all_instances)).cancel())
    with pytest.raises(Cancelled):
        open_and_wait("https://host/a.zarr", lambda: gate.wait(30))
    assert not progress._all_instances


def test_what_goes_wrong_is_raised(qapp: Any) -> None:
    def fail() -> None:
        raise ValueError("no such bucket")

    with pytest.raises(ValueError, match="no such bucket"):
        open_and_wait("s3://b/a.zarr", fail)


def test_other_threads_read_by_themselves() -> None:
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(open_and_wait("a", threading.get_ident))
    )
    thread.start()
    thread.join()
    assert answers == [thread.ident]


def test_a_cancelled_reader_adds_no_layers(
    octree_plugin: Any, make_napari_viewer: Any, monkeypatch: Any, gate: Any
) -> None:
    viewer = make_napari_viewer()
    monkeypatch.setattr(reader, "prepare_image", lambda *_: gate.wait(30))

    def cancel() -> None:
        for bar in list(progress._all_instances):
            if hasattr(bar, "cancel"):
                bar.cancel()

    when_waiting(cancel)
    assert viewer.open("https://host/a.zarr", plugin="napari-octree") == []
    assert not viewer.layers


def test_folders_are_zarr_by_what_lies_in_them(tmp_path: Any) -> None:
    for number, version in ((2, 2), (3, 3)):
        zarr.save_array(tmp_path / f"slide{number}", np.zeros((8, 8)), zarr_format=version)
        assert reader.get_reader(str(tmp_path / f"slide{number}")) is reader.read_layers
    group = zarr.create_group(tmp_path / "plate.zarr", zarr_format=2)
    group.create_array("A/1/0/0", data=np.zeros((8, 8)))
    assert reader.get_reader(str(tmp_path / "plate.zarr" / "A" / "1" / "0" / "0"))
    assert reader.get_reader(str(tmp_path)) is None
    (tmp_path / "folder").mkdir()
    assert reader.get_reader(str(tmp_path / "folder")) is None


@pytest.mark.parametrize("where", ["https://host/plate.zarr/A/1/0", "s3://b/x.ome.zarr/0/"])
def test_addresses_inside_a_zarr_are_ours(where: str) -> None:
    assert reader.get_reader(where) is reader.read_layers
