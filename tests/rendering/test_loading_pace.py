"""Frames that only show more of what loads, where frames are expensive."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractItemView

from napari_octree import OctreeImage
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.rendering.tiles.tile_frame import TileFrame
from napari_octree.rendering.view import loading_pace
from napari_octree.rendering.view.loading_pace import MOST_WAIT_MS, LoadingPace, loading_pace_of


def after(cost_s: float) -> tuple[LoadingPace, float]:
    """A pace, and the time right after a frame that took so long."""
    pace, now = LoadingPace(), time.perf_counter()
    pace._pace.begin(now - cost_s)
    pace._pace.end(now)
    return pace, now


def test_after_a_cheap_frame_nothing_waits() -> None:
    pace, now = after(0.01)
    assert pace.wait_ms(now) == 0


def test_an_expensive_frame_is_followed_by_a_pause_that_has_a_limit() -> None:
    pace, now = after(0.05)
    assert 240 <= pace.wait_ms(now) <= 250
    assert pace.wait_ms(now + 0.25) == 0
    pace, now = after(3.0)
    assert pace.wait_ms(now) == MOST_WAIT_MS


def test_a_frame_has_ended_when_the_event_loop_comes_round() -> None:
    pace = LoadingPace()
    pace.begin()
    assert pace._pace.under_way
    MAIN_LOOP.drain()
    assert not pace._pace.under_way


def test_blank_places_wait_after_an_expensive_frame(
    viewer: Any, recording_pyramid: Any, read_log: Any, look_at: Any, pump_until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    levels = recording_pyramid((2048, 2048), levels=4, chunks=(256, 256))
    layer = viewer.add_layer(OctreeImage(levels))
    assert layer.wait_until_settled()
    drawing = layer._views[0].tiles
    read_log.hold()
    look_at(viewer, (1500, 1500), 1.0)
    pump_until(lambda: drawing.client.pending and not drawing.moving)
    monkeypatch.setattr(TileFrame, "covered", False)
    pace, now = loading_pace_of(drawing.node.canvas)._pace, time.perf_counter()
    pace.begin(now - 0.001)
    pace.end(now)
    assert drawing.refine(now) == 0
    pace.begin(now - 0.1)
    pace.end(now)
    assert drawing.refine(now) == MOST_WAIT_MS
    monkeypatch.undo()
    read_log.release()
    assert layer.wait_until_settled()
    pace.begin(now - 0.1)
    pace.end(now)
    assert drawing.refine(now) == 0  # nothing else is to come


@pytest.mark.parametrize("in_software", [True, False])
def test_napari_s_sign_turns_slowly_where_that_is_expensive(
    viewer: Any, in_software: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading_pace, "draws_in_software", lambda: in_software)
    loading_pace._paces.clear()
    movies = [
        view.itemDelegate()._load_movie
        for view in viewer.window._qt_window.findChildren(QAbstractItemView)
        if hasattr(view.itemDelegate(), "_load_movie")
    ]
    assert movies
    for movie in movies:
        movie.setSpeed(100)
    layer = viewer.add_layer(OctreeImage(np.ones((64, 64), np.uint8)))
    loading_pace_of(layer._views[0].node.canvas)  # as in the first frame that is not complete
    for movie in movies:
        assert (movie.speed() < 50) is in_software
