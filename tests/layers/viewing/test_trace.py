"""Traces: what is recorded is what is played again; a file says so much and no more."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.viewing.player import TracePlayer
from napari_octree.layers.viewing.recorder import TraceRecorder
from napari_octree.layers.viewing.trace import FORMAT, Step, Trace
from napari_octree.layers.viewing.viewer_view import ViewerView

NUMBER = st.floats(-1e9, 1e9)
VIEW = st.builds(
    ViewerView, st.tuples(NUMBER, NUMBER, NUMBER), st.floats(1e-6, 1e6), point=st.just((1.0, 2.0))
)


@given(st.lists(st.tuples(st.floats(0, 10), VIEW, st.booleans()), min_size=1, max_size=9))
def test_a_file_says_all(parts):
    times = np.cumsum([round(t, 4) for t, _, _ in parts]).round(4)
    steps = tuple(
        Step(float(t), view, {1: {"gamma": 0.5}} if looks else {})
        for t, (_, view, looks) in zip(times, parts, strict=True)
    )
    trace = Trace(steps, (800, 600))
    assert Trace.from_dict(json.loads(trace.as_json())) == trace


def viewer_with_an_image():
    viewer = ViewerModel()
    image = Image(np.zeros((3, 50, 60)), name="Smith", contrast_limits=(0, 1))
    viewer.add_layer(image)
    return viewer, image


def test_what_is_recorded_is_played_again():
    viewer, image = viewer_with_an_image()
    recorder = TraceRecorder(viewer)
    viewer.scene.camera.zoom = 3
    viewer.scene.camera.center = (0, 20, 30)
    MAIN_LOOP.drain()  # a turn of the loop: one step for both
    assert len(recorder) == 2
    viewer.dims.set_point(0, 2)
    image.contrast_limits, image.colormap, image.visible = (0.2, 0.7), "magma", False
    MAIN_LOOP.drain()
    added = viewer.add_layer(Image(np.ones((3, 50, 60))))
    MAIN_LOOP.drain()
    added.gamma = 0.5  # it is listened to as well
    MAIN_LOOP.drain()
    trace = recorder.stop((400, 300))
    shown = ViewerView.of(viewer)
    viewer.scene.camera.zoom = 9
    MAIN_LOOP.drain()
    assert len(trace.steps) == len(recorder) == 5
    assert trace.steps[2].looks == {
        0: {"contrast_limits": [0.2, 0.7], "colormap": "magma", "visible": False}
    }
    assert "Smith" not in trace.as_json()

    other, layer = viewer_with_an_image()
    player = TracePlayer(other, trace)
    assert player.show(0) == pytest.approx(trace.steps[1].time - trace.steps[0].time)
    assert player.show(trace.duration) is None
    assert player.over
    assert ViewerView.of(other) == shown
    assert tuple(layer.contrast_limits) == (0.2, 0.7)
    assert layer.colormap.name == "magma"
    assert not layer.visible


def test_it_is_played_in_time():
    viewer, _ = viewer_with_an_image()
    view = ViewerView.of(viewer)
    steps = [Step(5 + t, ViewerView(view.center, 1 + t, point=view.point)) for t in range(4)]
    player = TracePlayer(viewer, Trace(tuple(steps)), speed=2)
    assert player.show(0) == 0.5
    assert viewer.scene.camera.zoom == 1
    assert player.show(1.1) == pytest.approx(0.4)  # the second was late: only the third is shown
    assert viewer.scene.camera.zoom == 3
    with pytest.raises(ValueError, match="speed"):
        TracePlayer(viewer, Trace(tuple(steps)), speed=0)


GOOD = {"t": 0, "view": {"center": [0, 0, 0], "zoom": 1}}


@pytest.mark.parametrize(
    "said",
    ["", "[]", "{}", {"format": FORMAT}, {"version": 2, "steps": [GOOD]}, {"steps": []},
     {"steps": [{}]}, {"steps": [{**GOOD, "t": "x"}, GOOD]}, {"steps": [GOOD], "canvas": [0, 5]},
     {"steps": [GOOD, {"t": -1}]}, {"steps": [{**GOOD, "t": float("nan")}]}, {"steps": 5},
     {"steps": [{**GOOD, "looks": {"a": {}}}]}, {"steps": [{**GOOD, "looks": {"0": 3}}]},
     {"steps": [GOOD], "canvas": ["a", "b"]}],
)  # fmt: skip
def test_what_is_no_trace_is_refused_with_its_path(said, tmp_path):
    path = tmp_path / "trace.json"
    if isinstance(said, dict) and "steps" in said:
        said = {"format": FORMAT, "version": 1, **said}
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    with pytest.raises(ValueError, match=r"trace\.json: no trace"):
        Trace.load(path)
    with pytest.raises(ValueError, match="gone"):
        Trace.load(tmp_path / "gone.json")


def test_looks_that_a_layer_cannot_have_are_left():
    viewer, image = viewer_with_an_image()
    looks = {"gamma": -5, "colormap": "of another machine", "nothing": 1, "opacity": 0.5}
    TracePlayer(viewer, Trace((Step(0, ViewerView.of(viewer), {0: looks, 7: looks}),))).show(0)
    assert image.opacity == 0.5
    assert image.colormap.name == "gray"
