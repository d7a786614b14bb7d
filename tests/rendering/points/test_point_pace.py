"""Points that arrive are uploaded while the frame after an expensive one waits."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreePoints
from napari_octree.rendering.points.point_drawing import PointDrawing


@pytest.fixture
def drawing(viewer: Any) -> Any:
    positions = np.random.default_rng(0).uniform(0, 1000, (3000, 2))
    layer = viewer.add_layer(OctreePoints(positions))
    assert layer.wait_until_settled(30)
    (view,) = layer._views
    return view.tiles


def test_what_arrives_waits_after_an_expensive_frame_also_if_it_came_during_that(
    drawing: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(PointDrawing, "more", True)  # there is something to come
    now = time.perf_counter()
    drawing.frame_pace.begin(now - 2.001)
    drawing.frame_pace.end(now - 2)  # a cheap one
    drawing.frame_pace.begin(now - 1)  # of which it is not yet told that it has ended
    assert 1000 < drawing.refine(now) < 10_000
    monkeypatch.undo()
    assert drawing.refine(now) == 0  # nothing is to come


def test_points_are_uploaded_between_frames_that_are_expensive(
    drawing: Any, pump_until: Any, monkeypatch: Any
) -> None:
    layer, nodes = drawing.layer, drawing._nodes
    # As if a frame had taken so long that the next one is far off.
    monkeypatch.setattr(drawing.frame_pace, "wait_ms", lambda now: 100_000)
    frames = drawing.frames
    nodes._buffer.slots.clear()
    drawing.client.replace([])
    place = drawing._places.current
    drawing.client.replace([place.request(key.node) for key in nodes.wanted])
    pump_until(lambda: len(nodes._buffer.slots) == len(nodes.wanted))
    assert drawing.frames <= frames + 1
    monkeypatch.undo()
    layer._views[0]._patience.stop()
    layer._views[0].request_frame()
    assert layer.wait_until_settled(30)
