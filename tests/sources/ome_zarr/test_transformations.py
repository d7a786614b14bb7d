"""Coordinate systems of 0.6: a pixel lies where the transformations of the file take it."""

import math
import warnings

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree import open_ome_zarr
from napari_octree.sources import SourceError
from napari_octree.sources.ome_zarr.coordinates.matrices import (
    Context,
    UnusableError,
    inverted,
    matrix_of,
)
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning
from napari_octree.sources.ome_zarr.multiscales import no_parameters

number = st.integers(-8, 8).map(lambda n: n / 4)
positive = st.integers(1, 8).map(lambda n: n / 4)


def vectors(n, of=number):
    return st.lists(of, min_size=n, max_size=n)


def leaves(n):
    return st.one_of(
        st.just({"type": "identity"}),
        vectors(n, positive).map(lambda v: {"type": "scale", "scale": v}),
        vectors(n).map(lambda v: {"type": "translation", "translation": v}),
        st.permutations(range(n)).map(lambda v: {"type": "mapAxis", "mapAxis": list(v)}),
        st.lists(vectors(n + 1), min_size=n, max_size=n).map(
            lambda rows: {"type": "affine", "affine": rows}
        ),
    )


def by_dimension(n):
    def build(values):
        order, parts = values
        items = [
            {"inputAxes": [k], "outputAxes": [axis], "transformation": part}
            for k, (axis, part) in enumerate(zip(order, parts, strict=True))
        ]
        return {"type": "byDimension", "transformations": items}

    return st.tuples(st.permutations(range(n)), st.lists(leaves(1), min_size=n, max_size=n)).map(
        build
    )


def documents(n):
    return st.recursive(
        leaves(n) | by_dimension(n),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3).map(
                lambda parts: {"type": "sequence", "transformations": parts}
            )
            | inner.map(
                lambda d: {"type": "bijection", "forward": d, "inverse": {"type": "identity"}}
            )
        ),
        max_leaves=5,
    )


def moved(document, point):
    """Where a transformation takes a point: as the specification says it, number by number."""
    kind = document["type"]
    if kind == "identity":
        return point
    if kind == "scale":
        return [a * b for a, b in zip(document["scale"], point, strict=True)]
    if kind == "translation":
        return [a + b for a, b in zip(document["translation"], point, strict=True)]
    if kind == "mapAxis":
        return [point[axis] for axis in document["mapAxis"]]
    if kind == "affine":
        return [
            sum(a * b for a, b in zip(row, [*point, 1], strict=True)) for row in document["affine"]
        ]
    if kind == "sequence":
        for part in document["transformations"]:
            point = moved(part, point)
        return point
    if kind == "bijection":
        return moved(document["forward"], point)
    assert kind == "byDimension"
    result = [math.nan] * len(point)
    for part in document["transformations"]:
        inner = moved(part["transformation"], [point[axis] for axis in part["inputAxes"]])
        for axis, value in zip(part["outputAxes"], inner, strict=True):
            result[axis] = value
    return result


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(2, 4))
def test_a_matrix_moves_points_as_the_specification_says(data, n):
    document = data.draw(documents(n))
    point = data.draw(vectors(n))
    matrix = matrix_of(document, n, Context(no_parameters))
    np.testing.assert_allclose((matrix @ [*point, 1])[:-1], moved(document, point), atol=1e-9)


@pytest.mark.parametrize(
    "document",
    [
        None, [], "scale", {}, {"type": "elastic"}, {"type": None}, {"type": ["scale"]},
        {"type": "scale"}, {"type": "scale", "scale": [1]}, {"type": "scale", "scale": [1, 0]},
        {"type": "scale", "scale": [1, -1]}, {"type": "scale", "scale": [1, 10**400]},
        {"type": "scale", "scale": [1, True]}, {"type": "translation", "translation": "12"},
        {"type": "affine", "affine": [[1, 0], [0, 1]]}, {"type": "affine", "path": "elsewhere"},
        {"type": "affine", "affine": [[1, 0, float("nan")], [0, 1, 0]]},
        {"type": "rotation", "rotation": [[1, 0], [1, 0]]}, {"type": "rotation", "rotation": [1]},
        {"type": "mapAxis", "mapAxis": [0, 0]}, {"type": "mapAxis", "mapAxis": [0]},
        {"type": "mapAxis", "mapAxis": [0, -1]}, {"type": "sequence"},
        {"type": "sequence", "transformations": []},
        {"type": "sequence", "transformations": [{"type": "scale", "scale": [1e20, 1]}] * 50},
        {"type": "byDimension", "transformations": []},
        {"type": "byDimension", "transformations": [
            {"inputAxes": [0], "outputAxes": [0], "transformation": {"type": "identity"}},
            {"inputAxes": [1], "outputAxes": [0], "transformation": {"type": "identity"}},
        ]},
        {"type": "bijection", "forward": {"type": "identity"}},
        {"type": "projectAxis"}, {"type": "projectAxis", "droppedInputs": [5]},
        {"type": "projectAxis", "droppedInputs": [0, 1]},
    ],
)  # fmt: skip
def test_what_is_no_matrix_is_said_to_be_none(document):
    with pytest.raises(UnusableError):
        matrix_of(document, 2, Context(no_parameters))


def test_older_spellings_are_the_same():
    names = {"inputs": ("i", "j"), "outputs": ("x", "y")}
    expected = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    for document in (
        {"type": "mapAxis", "mapAxis": {"x": "j", "y": "i"}},
        {"type": "mapAxis", "mapAxis": [1, 0]},
        {"type": "affine", "affine": [0, 1, 0, 1, 0, 0]},
        {"type": "affine", "affine": expected},
        {"type": "inverseOf", "transformation": {"type": "mapAxis", "mapAxis": [1, 0]}},
        {
            "type": "byDimension",
            "transformations": [
                {"type": "identity", "input": ["j"], "output": ["x"]},
                {"type": "identity", "input_axes": ["i"], "output_axes": ["y"]},
            ],
        },
    ):
        matrix = matrix_of(document, 2, Context(no_parameters, [], **names))
        assert matrix.tolist() == expected, document


def test_what_is_not_linear_is_noted_and_left_out():
    context = Context(no_parameters)
    parts = [{"type": "displacements", "path": "field"}, {"type": "scale", "scale": [2, 3]}]
    matrix = matrix_of({"type": "sequence", "transformations": parts}, 2, context)
    assert matrix.tolist() == [[2, 0, 0], [0, 3, 0], [0, 0, 1]]
    assert context.notes == ["displacements 'field'"]


def test_matrices_of_axes_in_very_different_units_have_inverses():
    matrix = np.diag([1e-9, 1e9, 1])
    np.testing.assert_allclose(inverted(matrix) @ matrix, np.eye(3))
    with pytest.raises(UnusableError):
        inverted(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1.0]]))


# ---------------------------------------------------------------- images

SHAPE = (6, 40, 50)


def space(*names, kind="space"):
    return [{"name": name, "type": kind, "unit": "micrometer"} for name in names]


def write(path, edges, inputs=None, outputs=None, shape=SHAPE, extra=(), version="0.6"):
    """An image of two levels; value = z * 10000 + y * 100 + x."""
    pixels = np.arange(shape[0])[:, None, None] * 10000
    pixels = pixels + np.arange(shape[1])[:, None] * 100 + np.arange(shape[2])
    group = zarr.create_group(path, overwrite=True)
    group.create_array("0", data=pixels.astype("f4"), chunks=(2, 16, 16))
    group.create_array("1", data=pixels[:, ::2, ::2].astype("f4"))
    datasets = [
        {
            "path": str(k),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [3, 0.5 * 2**k, 0.25 * 2**k],
                    "input": {"path": str(k)},
                    "output": {"name": "physical"},
                }
            ],
        }
        for k in range(2)
    ]
    inputs, outputs = inputs or space(*"zyx"), outputs or space(*"zyx")
    image = {
        "coordinateSystems": [
            {"name": "world", "axes": outputs},
            {"name": "physical", "axes": inputs},
            *extra,
        ],
        "datasets": datasets,
        "coordinateTransformations": edges,
    }
    group.attrs["ome"] = {"version": version, "multiscales": [image]}
    return path


def edge(document, start="physical", end="world"):
    return {**document, "input": {"name": start}, "output": {"name": end}}


def world_of(layer, axes, expected_value):
    """The value and the world coordinates, by axis name, of a pixel of a layer."""
    data = np.asarray(layer.data[0])
    index = np.argwhere(data == expected_value)[0]
    place = layer.data_to_world(index)
    return [dict(zip(layer.axis_labels, place, strict=True))[axis] for axis in axes]


@settings(max_examples=25, deadline=None)
@given(document=documents(3))
def test_pixels_lie_where_the_file_says(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("image") / "a.zarr"
    write(path, [edge(document)])
    z, y, x = 4, 31, 7
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (layer,) = open_ome_zarr(path, coordinate_system="world")
    found = world_of(layer, "zyx", z * 10000 + y * 100 + x)
    if any("cannot be used" in str(w.message) for w in caught):  # it makes the image flat
        matrix = matrix_of(document, 3, Context(no_parameters))
        assert abs(np.linalg.det(matrix)) < 1e-6
        np.testing.assert_allclose(found, [z * 3, y * 0.5, x * 0.25])
    else:
        expected = moved(document, [z * 3, y * 0.5, x * 0.25])
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_intrinsic_system_is_shown_unless_another_is_asked_for(tmp_path):
    rotation = {"type": "rotation", "rotation": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]}
    path = write(tmp_path / "a.zarr", [edge(rotation)])
    (layer,) = open_ome_zarr(path)
    assert tuple(layer.scale) == (3, 0.5, 0.25)
    assert np.array_equal(layer.affine.affine_matrix, np.eye(4))
    facts = layer.metadata["ome_zarr"]
    assert facts["coordinate_system"] == "physical"
    assert facts["coordinate_systems"] == ["world", "physical"]
    with pytest.raises(SourceError, match=r"a\.zarr: has no coordinate system 'stage'; it has "):
        open_ome_zarr(path, coordinate_system="stage")


def test_a_shear_stays_beside_the_scales(tmp_path):
    shear = {"type": "affine", "affine": [[1, 0, 0, 0], [0, 1, 0.5, 0], [0, 0, 1, 0]]}
    (layer,) = open_ome_zarr(write(tmp_path / "a.zarr", [edge(shear)]), coordinate_system="world")
    assert tuple(layer.scale) == (3, 0.5, 0.25)
    assert layer.affine.affine_matrix[1, 2] == 0.5


def test_an_order_of_axes_is_one_of_the_data(tmp_path):
    order = {"type": "mapAxis", "mapAxis": [2, 0, 1]}
    path = write(tmp_path / "a.zarr", [edge(order)], outputs=space("x", "z", "y"))
    (layer,) = open_ome_zarr(path, coordinate_system="world")
    assert [level.shape for level in layer.data] == [(50, 6, 40), (25, 6, 20)]
    assert layer.axis_labels == ("x", "z", "y")
    assert tuple(layer.scale) == (0.25, 3, 0.5)
    stored = np.asarray(zarr.open_array(path / "0"))
    np.testing.assert_array_equal(np.asarray(layer.data[0]), stored.transpose(2, 0, 1))
    np.testing.assert_array_equal(
        np.asarray(layer.data[0][10:20, 1:3, ::2]), stored.transpose(2, 0, 1)[10:20, 1:3, ::2]
    )


def test_pixels_are_counted_only_where_nothing_else_is_known(tmp_path):
    scaling = {"type": "scale", "scale": [2, 2, 2]}
    arrays = space("dim_0", "dim_1", "dim_2", kind="array")
    path = write(tmp_path / "a.zarr", [edge(scaling)], inputs=arrays)
    (layer,) = open_ome_zarr(path)
    assert layer.axis_labels == ("z", "y", "x")
    assert tuple(layer.scale) == (6, 1, 0.5)


def test_a_plane_in_space_gets_an_axis_of_one_pixel(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", data=np.arange(12, dtype="u1").reshape(3, 4))
    embed = {"type": "affine", "affine": [[0, 0, 7], [2, 0, 1], [0, 2, 1]]}
    scale = {"type": "scale", "scale": [1, 1], "input": {"path": "0"}}
    dataset = {"path": "0", "coordinateTransformations": [{**scale, "output": {"name": "yx"}}]}
    image = {
        "coordinateSystems": [
            {"name": "yx", "axes": space(*"yx")},
            {"name": "zyx", "axes": space(*"zyx")},
        ],
        "datasets": [dataset],
        "coordinateTransformations": [edge(embed, "yx", "zyx")],
    }
    group.attrs["ome"] = {"version": "0.6", "multiscales": [image]}
    (layer,) = open_ome_zarr(tmp_path / "a.zarr", coordinate_system="zyx")
    assert layer.data[0].shape == (1, 3, 4)
    assert tuple(layer.data_to_world((0, 2, 3))) == (7, 5, 7)


def test_transformations_are_followed_backwards_and_through_others(tmp_path):
    extra = [{"name": "atlas", "axes": space(*"zyx")}]
    shift = {"type": "translation", "translation": [10, 20, 30]}
    doubled = {"type": "scale", "scale": [2, 2, 2]}
    edges = [edge(shift, "world", "physical"), edge(doubled, "world", "atlas")]
    path = write(tmp_path / "a.zarr", edges, extra=extra)
    (layer,) = open_ome_zarr(path, coordinate_system="atlas")
    assert world_of(layer, "zyx", 10000) == [(3 - 10) * 2, -40, -60]


def test_matrices_may_lie_in_arrays(tmp_path):
    by_path = {"type": "affine", "path": "transformations/matrix"}
    path = write(tmp_path / "a.zarr", [edge(by_path)])
    rows = np.array([[1, 0, 0, 5], [0, 1, 0.5, 6], [0, 0, 1, 7.0]])
    zarr.open_group(path).create_group("transformations").create_array("matrix", data=rows)
    (layer,) = open_ome_zarr(path, coordinate_system="world")
    assert world_of(layer, "zyx", 10002) == [8, 6.25, 7.5]
    zarr.open_group(path)["transformations"].create_array("zeros", shape=(3, 4), dtype="f8")
    write(tmp_path / "b.zarr", [edge({"type": "affine", "path": "../a.zarr/0"})])
    with pytest.warns(OmeZarrWarning, match="which is no path"):
        (layer,) = open_ome_zarr(tmp_path / "b.zarr", coordinate_system="world")
    assert tuple(layer.scale) == (3, 0.5, 0.25)


def test_what_is_not_linear_is_warned_of(tmp_path):
    field = {"type": "displacements", "path": "field"}
    path = write(tmp_path / "a.zarr", [edge(field)])
    with pytest.warns(OmeZarrWarning, match="only its linear part is shown"):
        (layer,) = open_ome_zarr(path, coordinate_system="world")
    assert tuple(layer.scale) == (3, 0.5, 0.25)


@pytest.mark.parametrize("version", ["0.6.dev1", "0.6.dev2", "0.6.dev3"])
def test_drafts_name_systems_by_texts(tmp_path, version):
    shift = {"type": "translation", "translation": [1, 2, 3]}
    path = write(tmp_path / "a.zarr", [{**shift, "input": "physical", "output": "world"}])
    group = zarr.open_group(path)
    ome = group.attrs["ome"]
    for dataset in ome["multiscales"][0]["datasets"]:
        (document,) = dataset["coordinateTransformations"]
        document["input"], document["output"] = dataset["path"], "physical"
    group.attrs["ome"] = {**ome, "version": version}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (layer,) = open_ome_zarr(path, coordinate_system="world")
    assert tuple(layer.translate) == (1, 2, 3)


def test_levels_that_are_turned_alike_are_a_pyramid(tmp_path):
    path = write(tmp_path / "a.zarr", [])
    group = zarr.open_group(path)
    ome = group.attrs["ome"]
    for k, dataset in enumerate(ome["multiscales"][0]["datasets"]):
        (document,) = dataset["coordinateTransformations"]
        n = 2**k
        document["type"] = "affine"
        document["affine"] = [[1, 0, 0, 0], [0, n, n, 0], [0, -n, n, 0]]
    group.attrs["ome"] = ome
    with pytest.warns(OmeZarrWarning, match="has a transformation of 'affine'"):
        (layer,) = open_ome_zarr(path)
    assert layer._level_transforms[1].factor == (1, 2, 2)
    assert world_of(layer, "zyx", 304) == [0, 7, 1]


# ---------------------------------------------------------------- scenes


def write_tile(group, path, shape=(20, 30), name="physical"):
    tile = group.create_group(path)
    tile.create_array("0", data=np.arange(np.prod(shape), dtype="u2").reshape(shape))
    scale = {
        "type": "scale",
        "scale": [0.5, 0.5],
        "input": {"path": "0"},
        "output": {"name": name},
    }
    image = {
        "name": "multiscales",
        "coordinateSystems": [{"name": name, "axes": space(*"yx")}],
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    tile.attrs["ome"] = {"version": "0.6", "multiscales": [image]}


def write_scene(path, edges, systems=("world",), tiles=("tile_0", "tile_1")):
    group = zarr.create_group(path, overwrite=True)
    for tile in tiles:
        write_tile(group, tile)
    scene = {
        "coordinateSystems": [{"name": name, "axes": space(*"yx")} for name in systems],
        "coordinateTransformations": edges,
    }
    group.attrs["ome"] = {"version": "0.6", "scene": scene}
    return path


def shift_of(path, y, x, end=None, name="physical"):
    document = {"type": "translation", "translation": [y, x]}
    start = {"path": path, "name": name}
    return {**document, "input": start, "output": end or {"name": "world"}}


def test_images_of_a_scene_lie_beside_each_other(tmp_path):
    edges = [shift_of("tile_0", 0, 0), shift_of("tile_1", 0, 15)]
    path = write_scene(tmp_path / "a.zarr", edges)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers = open_ome_zarr(path)
    assert [layer.name for layer in layers] == ["tile_0", "tile_1"]
    assert [tuple(layer.translate) for layer in layers] == [(0, 0), (0, 15)]
    assert [tuple(layer.scale) for layer in layers] == [(0.5, 0.5)] * 2


def test_a_scene_without_systems_is_shown_in_the_one_that_most_lead_to(tmp_path):
    to_first = {"path": "tile_0", "name": "physical"}
    path = write_scene(tmp_path / "a.zarr", [shift_of("tile_1", 3, 4, to_first)], systems=())
    layers = open_ome_zarr(path)
    places = {layer.name: tuple(layer.translate) for layer in layers}
    assert places == {"tile_0": (0, 0), "tile_1": (3, 4)}
    layers = open_ome_zarr(path, coordinate_system="tile_1/physical")
    places = {layer.name: tuple(layer.translate) for layer in layers}
    assert places == {"tile_0": (-3, -4), "tile_1": (0, 0)}


def test_what_a_scene_lacks_costs_the_rest_nothing(tmp_path):
    edges = [shift_of("tile_0", 0, 9), shift_of("gone", 0, 15), shift_of("../out", 0, 1)]
    edges.append(shift_of("tile_1", 1, 1, {"name": "elsewhere"}))
    path = write_scene(tmp_path / "a.zarr", edges)
    with pytest.warns(OmeZarrWarning) as caught:
        layers = open_ome_zarr(path)
    told = "\n".join(str(w.message) for w in caught)
    for text in (
        "'gone', which is not there",
        "has no input",
        "no transformation places 'tile_1'",
    ):
        assert text in told
    assert {layer.name: tuple(layer.translate) for layer in layers} == {
        "tile_0": (0, 9),
        "tile_1": (0, 0),
    }


def test_a_scene_of_drafts_is_at_the_root(tmp_path):
    path = write_scene(tmp_path / "a.zarr", [])
    group = zarr.open_group(path)
    scene = group.attrs["ome"]["scene"]
    edges = [
        {
            "type": "translation",
            "translation": [1, 2],
            "input": "tile_0/physical",
            "output": "world",
        }
    ]
    group.attrs["ome"] = {**scene, "version": "0.6.dev2", "coordinateTransformations": edges}
    (layer,) = open_ome_zarr(path)
    assert tuple(layer.translate) == (1, 2)


@pytest.mark.parametrize("edges", [None, [], [1], {}, [{}], [shift_of("gone", 0, 0)]])
def test_scenes_without_images_are_refused(tmp_path, edges):
    path = write_scene(tmp_path / "a.zarr", edges)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OmeZarrWarning)
        with pytest.raises(SourceError, match=r"a\.zarr: a scene"):
            open_ome_zarr(path)


def test_scenes_in_a_circle_come_to_an_end(tmp_path):
    first, second = ({"path": f"tile_{n}", "name": "physical"} for n in range(2))
    edges = [shift_of("tile_0", 1, 1, second), shift_of("tile_1", 1, 1, first)] * 50
    path = write_scene(tmp_path / "a.zarr", edges, systems=())
    assert len(open_ome_zarr(path)) == 2


def test_a_way_around_a_transformation_that_cannot_be_used_is_taken(tmp_path):
    flat = {**shift_of("tile_0", 0, 0), "type": "scale", "scale": [0, 1]}
    edges = [flat, shift_of("tile_0", 5, 6, {"path": "tile_1", "name": "physical"})]
    edges.append(shift_of("tile_1", 1, 1))
    path = write_scene(tmp_path / "a.zarr", edges)
    layers = open_ome_zarr(path)
    assert {layer.name: tuple(layer.translate) for layer in layers} == {
        "tile_0": (6, 7),
        "tile_1": (1, 1),
    }


def test_thousands_of_transformations_that_cannot_be_used_are_looked_at_once(tmp_path):
    flat = {**shift_of("tile_0", 0, 0), "type": "scale", "scale": [0, 1]}
    path = write_scene(tmp_path / "a.zarr", [flat] * 2000 + [shift_of("tile_0", 2, 3)])
    (layer,) = open_ome_zarr(path)
    assert tuple(layer.translate) == (2, 3)


def test_a_scene_above_images_of_another_zarr_format(tmp_path):
    path = write_scene(tmp_path / "a.zarr", [shift_of("old", 2, 3)], tiles=())
    old = zarr.create_group(path / "old", zarr_format=2)
    old.create_array("0", data=np.zeros((20, 30), "u1"))
    transformations = [{"type": "scale", "scale": [0.5, 0.5]}]
    dataset = {"path": "0", "coordinateTransformations": transformations}
    old.attrs["multiscales"] = [{"version": "0.4", "axes": space(*"yx"), "datasets": [dataset]}]
    (layer,) = open_ome_zarr(path)
    assert tuple(layer.translate) == (2, 3)
    assert tuple(layer.scale) == (0.5, 0.5)
