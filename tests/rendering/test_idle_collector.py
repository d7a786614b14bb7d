"""The garbage collector works while nobody waits: with a pretended one, and with Python's own."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.canvas.idle_collector import (
    FAR,
    IDLE_COLLECTOR,
    IDLE_MS,
    MOST_FROZEN,
    WORTHWHILE,
    IdleCollector,
)


@pytest.fixture(autouse=True)
def _nothing_is_frozen(_no_idle_collector, monkeypatch) -> Iterator[None]:
    """The tests of this module, all of which freeze, do not begin with what others froze."""
    monkeypatch.setattr(IDLE_COLLECTOR, "_gc", gc)
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.fixture
def viewer(viewer) -> Any:
    """The window that is lent, of which nothing is frozen either."""
    gc.unfreeze()
    return viewer


class Pretended:
    """What the module `gc` does, written down."""

    def __init__(self) -> None:
        self.callbacks: list[Any] = []
        self.did: list[str] = []
        self.enabled = True
        self.thresholds = (700, 10, 10)
        self.old = self.frozen = 0

    def isenabled(self) -> bool:
        return self.enabled

    def get_threshold(self) -> tuple[int, ...]:
        return self.thresholds

    def set_threshold(self, *thresholds: int) -> None:
        self.thresholds = thresholds

    def get_count(self) -> tuple[int, int, int]:
        return 0, 0, self.old

    def collect(self) -> int:
        for callback in list(self.callbacks):
            callback("start", {"generation": 2})
        self.did.append("collect")
        self.old = 0
        return 0

    def get_freeze_count(self) -> int:
        return self.frozen

    def freeze(self) -> None:
        self.did.append("freeze")

    def unfreeze(self) -> None:
        self.did.append("thaw")


class Setting:
    def __init__(self) -> None:
        self.gc, self.now = Pretended(), 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.tame = IdleCollector(self.gc, lambda: self.now, self.later)  # type: ignore[arg-type]
        self.view = Setting.View()
        self.tame.enter(self.view)

    class View:
        pass

    def later(self, ms: int, call: Callable[[], None]) -> None:
        self.due.append((self.now + ms / 1000, call))

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; returns what was done meanwhile."""
        end, done = self.now + seconds, len(self.gc.did)
        while self.due and min(self.due)[0] <= end:
            due = min(self.due, key=lambda entry: entry[0])
            self.due.remove(due)
            self.now = due[0]
            due[1]()
        self.now = end
        return self.gc.did[done:]


def test_once_the_first_picture_rests_all_is_frozen_without_a_collection() -> None:
    s = Setting()
    assert s.gc.thresholds == (700, 10, FAR)
    assert s.wait(60) == []
    s.tame.rests()
    assert s.wait(IDLE_MS / 1000 - 0.01) == []
    assert s.wait(0.02) == ["freeze"]
    assert not s.due
    s.tame.rests()
    assert s.wait(1) == []  # nothing new is worth it


def test_nothing_is_done_while_the_user_moves() -> None:
    s = Setting()
    s.tame.rests()
    s.wait(1)
    s.gc.old = 3 * WORTHWHILE
    for _ in range(200):  # twenty seconds of moves, with short rests
        s.tame.moved()
        s.tame.rests()
        assert s.wait(0.1) == []
    assert s.wait(IDLE_MS / 1000) == ["collect", "freeze"]
    assert not s.due


def test_who_collects_gets_all() -> None:
    s = Setting()
    s.tame.rests()
    s.wait(1)
    s.gc.did.clear()
    s.gc.collect()
    assert s.gc.did == ["thaw", "collect"]
    s.tame.rests()
    assert s.wait(1) == ["freeze"]


def test_what_is_frozen_is_looked_at_again_in_the_end() -> None:
    s = Setting()
    done: list[str] = []
    for _ in range(MOST_FROZEN + 2):
        s.gc.old = WORTHWHILE
        s.tame.rests()
        done += s.wait(1)
    assert done.count("thaw") == 1
    assert done[-3:] == ["thaw", "collect", "freeze"]


def test_the_last_view_leaves_all_as_it_was() -> None:
    s = Setting()
    other = Setting.View()
    s.tame.enter(other)
    s.tame.rests()
    s.wait(1)
    s.tame.leave(s.view)
    assert s.gc.thresholds[2] == FAR
    s.tame.leave(other)
    assert s.gc.thresholds == (700, 10, 10)
    assert s.gc.did == ["freeze", "thaw"]
    assert not s.gc.callbacks


def test_who_freezes_already_is_left_alone() -> None:
    gc_before = Pretended()
    gc_before.frozen = 1000
    tame = IdleCollector(gc_before, lambda: 0.0, lambda ms, call: call())  # type: ignore[arg-type]
    tame.enter(view := Setting.View())
    tame.rests()
    tame.leave(view)
    assert not gc_before.did
    assert gc_before.thresholds == (700, 10, 10)


@pytest.mark.parametrize("how", ["switched off", "thresholds of somebody else"])
def test_it_is_left_alone(how) -> None:
    s = Setting()
    if how == "switched off":
        s.gc.enabled = False
    else:
        s.gc.thresholds = (1000, 20, 30)
    s.tame.rests()
    assert s.wait(5) == []
    s.tame.leave(s.view)
    assert s.gc.thresholds == ((700, 10, 10) if s.gc.enabled is False else (1000, 20, 30))


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that Python collects."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def image(**render: Any) -> OctreeImage:
    return OctreeImage(np.zeros((300, 300), np.uint8), config=OctreeConfig(render=render))


def test_moving_makes_no_full_collection(viewer, pump_until, collections, request) -> None:
    request.addfinalizer(partial(gc.set_threshold, *gc.get_threshold()))
    gc.set_threshold(*(before := (700, 10, 10)))  # which differ with the version of Python
    layer = viewer.add_layer(image())
    assert layer.wait_until_settled(30)
    pump_until(lambda: gc.get_freeze_count() > 100_000)
    collections.clear()
    kept = []
    for step in range(12):  # so much is made that Python would collect all
        viewer.scene.camera.zoom *= 1.01
        kept.append([[] for _ in range(10_000)])
        pump_until(lambda step=step: layer._views[0].tiles.frames > step)
    assert max(collections) == 1
    assert collections.count(1) > 10
    kept.clear()
    viewer.layers.clear()
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()
    assert 2 in collections  # napari's own


def test_it_can_be_switched_off(viewer) -> None:
    before = gc.get_threshold()
    layer = viewer.add_layer(image(collect_when_idle=False))
    assert layer.wait_until_settled(30)
    assert gc.get_threshold() == before
    assert not IDLE_COLLECTOR._views


def test_what_was_frozen_goes_when_it_is_removed(viewer, pump_until) -> None:
    kept = viewer.add_layer(image())
    gone = []
    for _ in range(2):
        layer = viewer.add_layer(image())
        assert layer.wait_until_settled(30)
        pump_until(gc.get_freeze_count)
        gone.append(weakref.ref(layer))
        viewer.layers.remove(layer)
        del layer

        def is_gone() -> bool:
            gc.collect()  # as of stock layers, Qt's events hold some of it for a while
            return gone[-1]() is None

        pump_until(is_gone)
    assert kept in viewer.layers
