"""Points in a viewer: hover, sliders, commands, copies, failures, two viewers, closing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.layers import Points
from napari.utils.notifications import notification_manager

from napari_octree import OctreePoints
from napari_octree.config import OctreeConfig
from napari_octree.layers.data.saving import NotSavedError
from napari_octree.plugin.commands.points_actions import (
    count_region,
    extract_region,
    reload_points,
)
from napari_octree.sources.points.memory_points import index_points
from napari_octree.sources.points.points_source import PointsSource

RNG = np.random.default_rng(0)
POINTS = np.stack(np.meshgrid(np.arange(40.0), np.arange(50.0), indexing="ij"), -1).reshape(-1, 2)
FEATURES = {"score": POINTS[:, 1] / 50, "gene": np.where(POINTS[:, 0] < 20, "a", "b")}


class Gate:
    """A store that waits, counts and fails when it is told to."""

    def __init__(self, reader):
        self._reader = reader
        self.open = threading.Event()
        self.open.set()
        self.fails = False
        self.reads: list[tuple[int, tuple[str, ...]]] = []

    def read(self, node, start, stop, columns):
        self.open.wait(30)
        self.reads.append((node, tuple(columns)))
        assert threading.current_thread() is not threading.main_thread()
        if self.fails:
            raise OSError("the disk is gone")
        return self._reader.read(node, start, stop, columns)


@pytest.fixture
def stored():
    """`stored(points=POINTS, quota=100)`: a set that is read node by node, and its gate."""
    gates = []

    def make(points=POINTS, quota=100, **features):
        known = index_points(
            points, features or FEATURES if points is POINTS else features, quota=quota
        )
        gate = Gate(known.reader)
        gates.append(gate)
        return PointsSource(
            "a store",
            known.table,
            known.features,
            known.sample,
            gate,
            known.total,
            known.key,
            False,
            known.position_dtype,
        ), gate

    yield make
    for gate in gates:
        gate.open.set()


def test_hover_in_2d_and_in_3d(viewer, pump, pump_until, stored):
    source, _ = stored()
    layer = viewer.add_layer(OctreePoints(source, size=0.5, scale=(2, 2)))
    pump()
    assert layer.wait_until_settled(20)
    number = 7 * 50 + 11
    place = (14.2, 22.2)
    assert layer.get_value(place, world=True) is None  # its columns are asked for
    pump_until(lambda: layer.get_value(place, world=True) == number)
    status = layer.get_status(place, world=True)
    assert status["value"] == f"{number}; score: 0.22, gene: a"
    assert layer.get_value((15.0, 22.2), world=True) is None
    assert layer.pick((7, 11)).position == (7, 11)
    viewer.dims.ndisplay = 3
    pump()
    assert layer.wait_until_settled(20)


def test_hover_along_a_line_of_sight(viewer, pump):
    points = np.array([[5.0, 5, 5], [9, 5, 5], [5, 9, 9]])
    layer = viewer.add_layer(OctreePoints(points, size=1))
    viewer.dims.ndisplay = 3
    pump()
    assert layer.wait_until_settled(20)
    look = {"view_direction": np.array([1.0, 0, 0]), "dims_displayed": [0, 1, 2], "world": True}
    assert layer.get_value((0, 5.1, 5.1), **look) == 0
    assert layer.get_value((0, 9, 9), **look) == 2
    look["view_direction"] = np.array([-1.0, 0, 0])
    assert layer.get_value((20, 5.1, 5.1), **look) == 1
    assert layer.get_value((20, 7, 7), **look) is None


def test_a_part_of_the_points_says_so(viewer, pump):
    points = RNG.random((30_000, 2)) * 100
    config = OctreeConfig(render={"points": 1000})
    layer = viewer.add_layer(OctreePoints(points, config))
    pump()
    assert layer.wait_until_settled(20)
    assert (
        "[1 of 30 shown, the others as density]" in layer.get_status((50, 50), world=True)["value"]
    )
    assert layer._drawing.shown_points <= 1001


def test_what_is_drawn_is_fair_at_every_zoom(viewer, pump):
    """Densities of what is drawn against those of the whole: a chi-square test by cells."""
    points = np.concatenate([RNG.random((60_000, 2)) * 1000, RNG.normal(600, 30, (40_000, 2))])
    layer = viewer.add_layer(OctreePoints(points, OctreeConfig(render={"points": 20_000})))
    pump()
    assert layer.wait_until_settled(60)
    for centre, width in (((500, 500), 1000.0), ((600, 600), 200.0), ((600, 600), 40.0)):
        viewer.scene.camera.center = (0, *centre)
        viewer.scene.camera.zoom = 300 / width
        pump()
        assert layer.wait_until_settled(30)
        source, drawing = layer.points_source, layer._drawing
        share = drawing.selection.share
        for node in drawing.shown_nodes:
            # A node is a sample of what its ancestors have left in its cell.
            below, waiting = [node], [node]
            while waiting:
                children = source.table.children(np.array([waiting.pop()]))[1].tolist()
                below += children
                waiting += children
            if len(below) < 2:
                continue
            rows = source.reader.order
            whole = np.concatenate(
                [rows[source.table.starts[i] : source.table.ends[i]] for i in below]
            )
            own = whole[: int(source.table.counts[node] * share)]
            low, high = source.table.lows[node], source.table.highs[node]

            def counts(chosen, low=low, high=high):
                cells = np.clip((points[chosen] - low) / (high - low) * 4, 0, 3).astype(int)
                return np.bincount(cells[:, 0] * 4 + cells[:, 1], minlength=16)

            expected = counts(whole) * len(own) / len(whole)
            likely = expected > 5
            square = ((counts(own) - expected)[likely] ** 2 / expected[likely]).sum()
            degrees = max(np.count_nonzero(likely) - 1, 1)
            assert square < degrees + 5 * np.sqrt(2 * degrees), (node, square, degrees)


def test_sliders_show_each_plane(viewer, pump):
    points = np.c_[RNG.integers(0, 3, 300), RNG.random((300, 2)) * 30].astype(float)
    layer = viewer.add_layer(OctreePoints(points))
    for z in range(3):
        viewer.dims.set_point(0, z)
        pump()
        assert layer.wait_until_settled(20)
        assert layer._drawing.shown_points == np.count_nonzero(points[:, 0] == z)
    viewer.dims.thickness = (4, 1, 1)
    pump()
    assert layer.wait_until_settled(20)
    assert layer._drawing.shown_points == 300


def test_a_look_uploads_nothing_and_a_new_column_does(viewer, pump):
    layer = viewer.add_layer(OctreePoints(POINTS, features=FEATURES, face_color="score"))
    pump()
    assert layer.wait_until_settled(20)
    before = layer.statistics.views[0].uploads
    layer.current_size = 3
    layer.face_contrast_limits = (0.2, 0.5)
    layer.face_colormap = "magma"
    layer.current_symbol = "square"
    layer.border_width = 0.3
    layer.opacity = 0.5
    layer.current_border_color = "red"
    pump()
    assert layer.wait_until_settled(20)
    assert layer.statistics.views[0].uploads == before
    layer.face_color = "gene"
    pump()
    assert layer.wait_until_settled(20)
    assert layer.statistics.views[0].uploads > before


def test_a_filter_hides_points(viewer, pump, screenshot):
    layer = viewer.add_layer(OctreePoints(POINTS, features=FEATURES, size=0.8, border_width=0))
    pictures = []
    for shown in (None, ("score", 0.0, 0.4), ("score", 2.0, 3.0)):
        layer.shown_range = shown
        pump()
        assert layer.wait_until_settled(20)
        pictures.append((screenshot(viewer)[..., 0] > 0).mean())
    assert pictures[0] > 0.1
    assert pictures[1] == pytest.approx(pictures[0] * 0.42, rel=0.1)
    assert pictures[2] == 0


def test_nodes_that_fail_are_told_and_read_again(viewer, pump, pump_until, stored, monkeypatch):
    monkeypatch.setattr("napari_octree.loading.retry.FIRST_DELAY_S", 0.001)
    source, gate = stored()
    gate.fails = True
    layer = viewer.add_layer(OctreePoints(source))
    pump()
    pump_until(lambda: layer.progress.failed > 0)
    assert not layer.wait_until_settled(20)
    assert "failed" in layer.get_status((0, 0), world=True)["value"]
    gate.fails = False
    viewer.layers.selection = {layer}
    reload_points(viewer)
    pump_until(lambda: layer.settled)
    assert layer.progress.failed == 0


def test_a_slow_store_never_blocks_and_closing_ends_it(viewer, pump, stored):
    source, gate = stored()
    gate.open.clear()
    layer = viewer.add_layer(OctreePoints(source, features=None))
    pump()
    assert not layer.settled
    assert layer.progress.loading == layer.progress.ideal > 0
    viewer.dims.ndisplay = 3
    pump()
    viewer.layers.remove(layer)
    gate.open.set()
    pump()
    assert len(gate.reads) <= 16


def test_an_exported_picture_waits_for_its_nodes(viewer, pump, stored):
    source, _ = stored()
    viewer.add_layer(OctreePoints(source, size=0.8))
    picture = viewer.screenshot(canvas_only=True, flash=False, scale=1.5)
    assert (picture[..., 0] > 0).mean() > 0.1


def test_two_viewers_share_what_is_read(make_viewer, pump, stored):
    source, gate = stored()
    first, second = make_viewer(), make_viewer()
    layer = first.add_layer(OctreePoints(source))
    pump()
    assert layer.wait_until_settled(20)
    reads = len(gate.reads)
    other = second.add_layer(OctreePoints(source))
    pump()
    assert other.wait_until_settled(20)
    assert len(gate.reads) == reads


def test_a_copy_shows_the_same_set_with_the_same_look(viewer, pump):
    from napari.layers._layer_actions import _duplicate_layer

    layer = viewer.add_layer(
        OctreePoints(
            POINTS, features=FEATURES, face_color="gene", size=3, symbol="square", scale=(2, 2)
        )
    )
    layer.shown_range = ("score", 0.1, 0.5)
    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    copy = viewer.layers[-1]
    assert type(copy) is OctreePoints
    assert copy.n_points == layer.n_points
    own, other = copy.point_look, layer.point_look
    assert (own.size, own.symbol, own.columns) == (other.size, other.symbol, other.columns)
    np.testing.assert_array_equal(own.face.table, other.face.table)
    np.testing.assert_array_equal(copy.scale, layer.scale)
    assert copy.shown_range == layer.shown_range


def test_saving_writes_all_points(viewer, tmp_path, pump):
    points = np.c_[RNG.random((9000, 2)) * 10]
    layer = viewer.add_layer(OctreePoints(points, features={"a": np.arange(9000)}))
    layer.save(str(tmp_path / "points.csv"))
    table = np.genfromtxt(tmp_path / "points.csv", delimiter=",", names=True)
    np.testing.assert_allclose(table["axis0"], points[:, 0])
    np.testing.assert_array_equal(table["a"], np.arange(9000))


def test_too_many_to_save_are_refused(viewer, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_octree.layers.points.copies.MOST_SAVED", 100)
    layer = viewer.add_layer(OctreePoints(POINTS))
    with pytest.raises(NotSavedError, match="too many"):
        layer.save(str(tmp_path / "points.csv"))
    assert not (tmp_path / "points.csv").exists()


def test_extract_and_count_a_drawn_rectangle(viewer, pump, pump_until):
    layer = viewer.add_layer(
        OctreePoints(POINTS, features=FEATURES, face_color="gene", scale=(2, 1), name="spots")
    )
    pump()
    shapes = viewer.add_shapes([[[9.0, 4.5], [9.0, 10.5], [21.0, 10.5], [21.0, 4.5]]])
    viewer.layers.selection = {layer, shapes}
    told = []
    notification_manager.notification_ready.connect(lambda n: told.append(n.message))
    task = count_region(viewer)
    pump_until(lambda: task.finished)
    assert any("36 points in the drawn region" in message for message in told)
    task = extract_region(viewer)
    pump_until(lambda: task.finished)
    made = viewer.layers[-1]
    assert type(made) is Points
    inside = (POINTS[:, 0] >= 4.5) & (POINTS[:, 0] <= 10.5)
    inside &= (POINTS[:, 1] >= 4.5) & (POINTS[:, 1] <= 10.5)
    np.testing.assert_array_equal(np.unique(made.data, axis=0), np.unique(POINTS[inside], axis=0))
    np.testing.assert_array_equal(made.scale, layer.scale)
    assert set(made.features["gene"]) == set(FEATURES["gene"][inside])


def test_extract_what_is_in_view(viewer, pump, pump_until, look_at):
    layer = viewer.add_layer(OctreePoints(POINTS))
    look_at(viewer, (20, 25), 30)  # 10 × 13 data units
    assert layer.wait_until_settled(20)
    task = extract_region(viewer)
    pump_until(lambda: task.finished)
    made = viewer.layers[-1]
    assert 100 <= len(made.data) <= 160
    assert np.abs(made.data - [20, 25]).max() < 8


def test_a_view_of_more_nodes_than_the_buffer_has_slots_for(viewer, pump, look_at, stored):
    """The buffer grows, and what had been taken for the former one comes again."""
    source, _ = stored(quota=10)
    layer = viewer.add_layer(OctreePoints(source, OctreeConfig(render={"points": 1000})))
    look_at(viewer, (20, 25), 200)
    assert layer.wait_until_settled(20)
    slots = layer.statistics.views[0].slots
    for zoom in (60, 20, 5, 8):
        look_at(viewer, (20, 25), zoom)
        assert layer.wait_until_settled(20), (zoom, layer.progress)
    assert layer.statistics.views[0].slots > slots


def test_small_large_and_small_points_again(viewer, pump, screenshot):
    """Sprites, quads, sprites: each another program."""
    layer = viewer.add_layer(OctreePoints(POINTS, features=FEATURES))
    pictures = []
    for size, by in ((0.5, "red"), (12, "score"), (0.5, "red")):
        layer.size, layer.face_color = size, by
        for shading in ("spherical", "none"):
            layer.shading = shading
            pump()
            assert layer.wait_until_settled(20)
            pictures.append(screenshot(viewer).astype(int))
    assert (pictures[1][..., 0] > 0).mean() < (pictures[3][..., 0] > 0).mean()
    np.testing.assert_array_equal(pictures[1], pictures[5])
    np.testing.assert_array_equal(pictures[0], pictures[4])
