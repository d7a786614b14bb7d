"""The layer of points: what it is given, what it shows, and what it refuses."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Points

from napari_octree import OctreeConfig, OctreePoints
from napari_octree.layers.points.read_only_points import NotEditableError
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.feature import relative

RNG = np.random.default_rng(0)
POINTS = RNG.random((500, 2)) * 100
FEATURES = {"score": RNG.random(500), "gene": np.array(list("ab"))[RNG.integers(0, 2, 500)]}


def test_a_script_needs_no_window():
    viewer = ViewerModel()
    layer = viewer.add_layer(OctreePoints(POINTS, features=FEATURES, face_color="gene"))
    assert layer.n_points == 500
    np.testing.assert_allclose(layer.extent.data, [POINTS.min(axis=0), POINTS.max(axis=0)])
    assert layer.settled
    assert viewer.layers[0].name == "POINTS"


@pytest.mark.parametrize(
    ("points", "ndim"),
    [
        (np.zeros((0, 2)), 2),
        (np.zeros((0, 3)), 3),
        (np.array([[1.0, 2.0]]), 2),
        (np.zeros((40, 3)), 3),
        (np.array([[np.nan, 1.0], [2.0, 3.0], [np.inf, 0.0]]), 2),
        (np.arange(20).reshape(5, 4), 4),
        (RNG.random((30, 5)), 5),
        ([[1, 2, 3]], 3),
        (None, 2),
    ],
)
def test_odd_sets_make_layers(points, ndim):
    viewer = ViewerModel()
    layer = viewer.add_layer(OctreePoints(points))
    assert layer.ndim == ndim
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
    layer.opacity = 0.5
    assert layer.thumbnail.shape == (32, 32, 4)


def test_points_that_are_not_finite_are_left_out():
    layer = OctreePoints(np.array([[np.nan, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    assert layer.points_source.table.count == 2
    np.testing.assert_array_equal(np.sort(layer.points_source.sample["index"]), [1, 2])


@pytest.mark.parametrize(
    ("source", "keywords", "problem"),
    [
        (np.zeros((3, 2, 2)), {}, "N × axes"),
        (np.zeros((3, 2), complex), {}, "N × axes"),
        (np.zeros((3, 1)), {}, "one axis"),
        (POINTS, {"features": {"a": np.zeros(3)}}, "3 values for 500 points"),
        (object(), {}, "build"),
    ],
)
def test_what_are_no_points_is_said(source, keywords, problem):
    with pytest.raises(SourceError, match=problem):
        OctreePoints(source, **keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {"text": "score"},
        {"shown": RNG.random(500) > 0.5},
        {"symbol": ["o", "s"] * 250},
        {"border_width": RNG.random(500)},
        {"face_color": RNG.random((500, 4))},
    ],
)
def test_what_is_of_single_points_is_refused(keywords):
    with pytest.raises(TypeError, match="cannot be held"):
        OctreePoints(POINTS, features=FEATURES, **keywords)


def test_editing_is_refused_and_changes_nothing():
    layer = OctreePoints(POINTS, name="spots")
    for edit in (
        lambda: layer.add([1, 2]),
        lambda: layer.remove([0]),
        lambda: layer.pop(),
    ):
        with pytest.raises(NotEditableError, match=r"spots.*Extract region as Points"):
            edit()
    layer.remove_selected()
    for mode in ("add", "select"):
        layer.mode = mode
        assert layer.mode == "pan_zoom"
    layer.selected_data = {1}
    assert not len(layer.selected_data)
    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.ndisplay = 3
    assert not layer.editable
    assert layer.n_points == len(layer.data) == 500


def test_what_is_of_new_points_in_napari_is_of_all():
    layer = OctreePoints(POINTS)
    layer.current_size = 7
    layer.current_symbol = "square"
    layer.current_face_color = "red"
    layer.current_border_color = "blue"
    layer.current_border_width = 0.2
    look = layer.point_look
    assert (look.size, look.symbol, look.border_width) == (7, "square", 0.2)
    np.testing.assert_array_equal(look.face.table.ravel(), [1, 0, 0, 1])
    np.testing.assert_array_equal(look.border.table.ravel(), [0, 0, 1, 1])
    np.testing.assert_array_equal(np.unique(layer.size), [7])


def test_controls_show_what_holds_for_all():
    layer = OctreePoints(POINTS, features=FEATURES, face_color="red", border_color="blue")
    assert (layer.current_face_color, layer.current_border_color) == ("red", "blue")
    layer.face_color, layer.symbol, layer.size = [0, 1, 0, 1], "square", 4
    assert (layer.current_face_color, layer.current_size) == ("lime", 4)
    assert str(layer.current_symbol) == "square"
    layer.current_symbol = "star"
    assert str(layer.symbol[0]) == "star"
    layer.face_color = "gene"
    assert layer.colour_feature("face") == "gene"


def test_colours_follow_features_and_back():
    layer = OctreePoints(POINTS, features=FEATURES)
    for colour, column in (("score", "score"), ("gene", "gene"), ("red", None), ("gene", "gene")):
        layer.face_color = colour
        assert layer.point_look.face.column == (None if column is None else f"feature {column}")
    layer.face_color = "score"
    assert layer.face_contrast_limits == (FEATURES["score"].min(), FEATURES["score"].max())
    layer.face_contrast_limits = (0.2, 0.4)
    assert (layer.point_look.face.low, layer.point_look.face.high) == (0.2, 0.4)
    layer.face_colormap = "red"
    np.testing.assert_allclose(layer.point_look.face.table[0, -1], [1, 0, 0, 1])


def test_a_filter_by_range_and_by_category():
    layer = OctreePoints(POINTS, features=FEATURES)
    layer.shown_range = ("score", 0.2, 0.4)
    assert layer.shown_range == ("score", 0.2, 0.4)
    layer.show_categories("gene", ["a"])
    shown = layer.point_look.filter
    assert shown is not None
    assert shown.low == shown.high
    layer.shown_range = None
    assert layer.point_look.filter is None
    with pytest.raises(ValueError, match="no feature"):
        layer.shown_range = ("nothing", 0, 1)


def test_many_points_are_indexed_in_the_background(qapp, pump_until):
    points = RNG.random((60_000, 2)) * 100
    layer = OctreePoints(points, features={"score": points[:, 0]})
    assert layer.n_points == 60_000
    assert 0 < layer.points_source.table.count < 60_000  # a first sample
    assert not layer.settled
    assert layer.wait_until_settled(30)
    assert layer.points_source.table.count == 60_000
    assert layer.points_source.feature("score").high == points[:, 0].max()


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: setattr(layer, "data", POINTS[:3]),
        lambda layer: setattr(layer, "features", {"score": np.zeros(500)}),
        lambda layer: setattr(layer, "properties", {"score": np.zeros(500)}),
        lambda layer: setattr(layer, "shown", np.arange(500) > 3),
        lambda layer: setattr(layer, "text", "gene"),
        lambda layer: setattr(layer, "symbol", ["o", "s"] * 250),
        lambda layer: layer.to_mask(shape=(100, 100)),
    ],
)
def test_what_is_of_the_set_or_of_single_points_cannot_be_set(change):
    layer = OctreePoints(POINTS, features=FEATURES, name="spots", face_color="gene")
    look = layer.point_look
    with pytest.raises(NotEditableError, match="spots"):
        change(layer)
    assert layer.point_look is look
    assert layer.n_points == len(layer.data) == len(layer.shown) == 500
    layer.shown, layer.text, layer.symbol = True, None, "square"
    assert layer.point_look.symbol == "square"


def test_features_of_every_type():
    n = len(POINTS)
    times = np.datetime64("2024-01-01") + np.arange(n).astype("m8[h]")
    times[3] = np.datetime64("NaT")
    table = pd.DataFrame(
        {
            "category": pd.Categorical(FEATURES["gene"]),
            "text": pd.array([*FEATURES["gene"][:-1], None], dtype="string"),
            "flag": np.arange(n) % 2 == 0,
            "maybe": pd.array([None, *[True] * (n - 1)], dtype="boolean"),
            "whole": pd.array([None, *range(n - 1)], dtype="Int64"),
            "objects": np.array([None, *range(n - 1)], object),
            "time": times,
            "zoned": pd.date_range("2024-01-01", periods=n, tz="Europe/Berlin"),
            "duration": np.arange(n).astype("m8[s]"),
            "huge": 2**63 + np.arange(n).astype(np.uint64),
            "half": np.linspace(0, 1, n).astype(">f2"),
            7: np.arange(n),
        }
    )
    layer = OctreePoints(POINTS, features=table)
    kinds = {f.name: f for f in layer.points_source.features}
    assert kinds["category"].categories == ("a", "b")
    assert kinds["flag"].categories == kinds["maybe"].categories == ("False", "True")
    assert (kinds["whole"].low, kinds["objects"].high) == (0, n - 2)
    whole = layer.features["whole"].to_numpy()
    np.testing.assert_array_equal(np.sort(whole[np.isfinite(whole)]), np.arange(n - 1))
    shown = layer.features.sort_values("7")  # the sample is in random order
    pd.testing.assert_series_equal(
        shown["time"].astype("M8[ns]"), table["time"].astype("M8[ns]"), check_index=False
    )
    zone = table["zoned"].dt.tz_convert(None)
    np.testing.assert_array_equal(shown["zoned"].to_numpy(), zone.to_numpy())
    assert shown["text"].iloc[-1] == ""
    for name in kinds:
        if kinds[name].time is None:
            layer.face_color = name
        else:
            with pytest.raises(TypeError, match="colours follow numbers and categories"):
                layer.face_color = name
    layer.shown_range = ("time", np.datetime64("2024-01-01T05"), np.datetime64("2024-01-01T07"))
    shown_filter = layer.point_look.filter
    assert shown_filter is not None
    assert shown_filter.high - shown_filter.low == 7200  # pandas counts seconds


def test_what_float32_could_not_tell_apart_is_given_to_the_gpu_from_its_origin():
    ns = 1_700_000_000_000_000_000
    far = {
        "float": 1e9 + np.arange(500) / 4,
        "whole": ns + np.arange(500),
        "unsigned": 2**63 + np.arange(500).astype(np.uint64),
        "time": (ns + np.arange(500)).view("M8[ns]"),
    }
    layer = OctreePoints(POINTS, features=far)
    source = layer.points_source
    for name, column in far.items():
        feature = source.feature(name)
        values = source.reader.gather(np.arange(500), [f"feature {name}"])[f"feature {name}"]
        vertices = relative(values, feature.origin).astype(np.float32)
        steps = np.diff(vertices)
        assert (steps == (0.25 if name == "float" else 1)).all(), (name, column[:3])


def test_copies_by_python():
    layer = OctreePoints(
        POINTS,
        OctreeConfig(render={"points": 12_345}),
        features=FEATURES,
        face_color="score",
        face_colormap="magma",
        size=3,
        scale=(2, 3),
    )
    layer.shown_range = ("score", 0.2, 0.5)
    for copied in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert copied.n_points == 500
        assert copied.config.render.points == 12_345
        assert copied.shown_range == layer.shown_range
        np.testing.assert_array_equal(copied.scale, layer.scale)
        own, other = copied.point_look, layer.point_look
        assert (own.size, own.columns) == (other.size, other.columns)
        np.testing.assert_array_equal(own.face.table, other.face.table)
    # Who makes a stock layer of a copy's data gets the points.
    data, _, _ = layer.as_layer_data_tuple()
    np.testing.assert_array_equal(Points(np.asarray(data)).data, POINTS)
