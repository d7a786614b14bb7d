"""The dock records and plays; the command line plays with figures."""

import json

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.layers.viewing.trace import Trace
from napari_octree.plugin.command_line import main
from napari_octree.plugin.terminal.replay import replay
from napari_octree.qt.desk.traces import Traces

PIXELS = np.random.default_rng(1).integers(0, 255, (1024, 1024)).astype(np.uint8)


@pytest.fixture
def layer(viewer, recording_array):
    levels = [recording_array(PIXELS[::n, ::n], (128, 128), f"level {n}") for n in (1, 2, 4)]
    alone = OctreeConfig(render={"prefetch": {"ring": 0}})  # reads are those of the views
    layer = viewer.add_layer(OctreeImage(levels, alone, contrast_limits=(0, 255)))
    assert layer.wait_until_settled(20)
    return layer


@pytest.fixture
def recorded(viewer, layer, qtbot, pump):
    traces = Traces(viewer, lambda: layer)
    qtbot.addWidget(traces)
    traces.show()
    assert not traces.play.isEnabled()
    traces.record.click()
    for zoom in (1, 2, 4):
        viewer.scene.camera.zoom = zoom
        pump()
    layer.gamma = 0.5
    pump()
    traces.record.click()
    yield traces
    traces.close_down()


def test_the_dock_records_saves_loads_and_plays(viewer, layer, recorded, tmp_path, pump_until):
    assert recorded.trace.canvas == (400, 300)
    assert "5 steps" in recorded.message.text()
    path = tmp_path / "trace.json"
    recorded.save_to(str(path))
    trace, recorded.trace = recorded.trace, None
    recorded.load_from(str(path))
    assert len(recorded.trace.steps) == len(trace.steps)
    viewer.scene.camera.zoom, layer.gamma = 0.3, 1
    recorded.play.click()
    assert not recorded.record.isEnabled()
    pump_until(lambda: not recorded.play.isChecked())
    assert viewer.scene.camera.zoom == 4
    assert layer.gamma == 0.5
    assert "frames" in recorded.message.text()
    assert not recorded._timer.isActive()
    recorded.play.click()
    recorded.play.click()  # stopped
    assert recorded._player is None


def test_a_replay_counts(viewer, layer, recorded, read_log, let_rest):
    viewer.scene.camera.zoom = 0.3
    let_rest(layer)
    before = len(read_log.reads)
    figures = replay(viewer, recorded.trace, speed=0.1)
    assert figures.settled
    assert figures.steps == 5
    assert figures.frames > 0
    assert figures.gap_longest_ms >= figures.gap_median_ms > 0
    assert figures.reads == len(read_log.reads) - before
    assert figures.read_bytes == figures.reads * 128 * 128
    assert f"{figures.reads} chunks" in figures.as_text()
    viewer.layers.clear()
    with pytest.raises(ValueError, match="no octree layer"):
        replay(viewer, recorded.trace)


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["replay", str(tmp_path / "gone.json"), "--demo", "labels"]) == 1
    assert "gone.json" in capsys.readouterr().err
    path = tmp_path / "trace.json"
    path.write_text("{}")
    assert main(["replay", str(path), "--demo", "labels"]) == 1
    assert "no trace" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["replay", str(path), "--demo", "labels", "--speed", "0"])


def test_the_command_plays(recorded, tmp_path, capsys, monkeypatch, make_napari_viewer):
    monkeypatch.setattr("napari.Viewer", lambda **k: make_napari_viewer(show=True, **k))
    path, figures = tmp_path / "trace.json", tmp_path / "figures.json"
    recorded.trace.save(path)
    arguments = ["replay", str(path), "--demo", "checkerboard", "--json", str(figures)]
    assert main(arguments) == 0
    assert "Settled after" in capsys.readouterr().out
    assert json.loads(figures.read_text())["steps"] == len(Trace.load(path).steps)
