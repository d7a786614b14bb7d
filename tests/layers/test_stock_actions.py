"""napari's own actions on layers: they make of ours what they make of stock ones."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, _layer_actions
from napari.layers._multiscale_data import MultiScaleData
from npe2 import PluginManager

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.layers.data.saving import MOST_READ_BYTES, NotSavedError
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources import SourceError

STACK = np.arange(3 * 40 * 50, dtype=np.uint16).reshape(3, 40, 50)


@pytest.fixture
def writers() -> None:
    """The writers of napari and of napari-svg, which a window would register."""
    PluginManager.instance().discover()


def model_with(*layers: Layer) -> ViewerModel:
    model = ViewerModel()
    for layer in layers:
        model.add_layer(layer)
    model.layers.selection = set(layers)
    if len(layers) == 1:
        model.layers.selection.active = layers[0]
    return model


def pyramid() -> list[np.ndarray]:
    return [np.arange(80 * 64, dtype=np.uint16).reshape(80, 64), np.zeros((40, 32), np.uint16)]


def test_a_stack_is_split_and_merged_again() -> None:
    model = model_with(OctreeImage(STACK))
    _layer_actions._split_stack(model.layers)
    assert [layer.data.tolist() for layer in model.layers] == STACK.tolist()
    ours = [OctreeImage(plane, contrast_limits=(0, 6000)) for plane in STACK]
    model = model_with(*ours)
    _layer_actions._merge_stack(model.layers)
    (merged,) = model.layers
    assert merged.multiscale is False
    np.testing.assert_array_equal(merged.data, STACK)


def test_a_lazy_stack_is_split_into_lazy_planes() -> None:
    import dask.array as da

    model = model_with(OctreeImage(da.from_array(STACK, chunks=(1, 40, 50))))
    _layer_actions._split_stack(model.layers)
    assert [layer.data.compute().tolist() for layer in model.layers] == STACK.tolist()


def test_colours_are_split_and_merged() -> None:
    colours = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    model = model_with(OctreeImage(colours, rgb=True))
    _layer_actions._split_rgb(model.layers)
    for index, layer in enumerate(model.layers):
        np.testing.assert_array_equal(layer.data, colours[..., index])
    ours = [
        OctreeImage(colours[..., i].copy(), colormap=name)
        for i, name in enumerate(("red", "green", "blue"))
    ]
    model = model_with(*ours)
    _layer_actions._merge_stack(model.layers, rgb=True)
    (merged,) = model.layers
    assert merged.rgb
    np.testing.assert_array_equal(merged.data, colours)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_an_image_becomes_labels_that_can_be_edited(kind: Any) -> None:
    model = model_with(OctreeImage(STACK.astype(kind)))
    _layer_actions._convert_to_labels(model.layers)
    labels = model.layers[-1]
    assert type(labels) is Labels
    assert labels.editable
    np.testing.assert_array_equal(labels.data, STACK)
    model.layers.selection = {labels}
    _layer_actions._convert_to_image(model.layers)
    np.testing.assert_array_equal(model.layers[-1].data, STACK)


def test_a_projection_is_one_of_all_planes() -> None:
    model = model_with(OctreeImage(STACK))
    _layer_actions._project(model.layers, mode="max")
    np.testing.assert_array_equal(np.asarray(model.layers[-1].data[0]), STACK.max(0))


def test_a_copy_has_the_settings_that_napari_knows_nothing_of() -> None:
    config = OctreeConfig(octree={"tile_size": 64})
    transforms = (
        LevelTransform((1.0, 1.0), (0.0, 0.0)),
        LevelTransform((2.0, 2.0), (0.0, 0.0)),
    )
    for data, level_transforms in ((pyramid(), transforms), (STACK[0], None)):
        layer = OctreeImage(data, config, level_transforms=level_transforms, gamma=0.5)
        state = layer.as_layer_data_tuple()[1]
        assert set(state) <= set(inspect.signature(Image.__init__).parameters)
        model = model_with(layer)
        _layer_actions._duplicate_layer(model.layers)
        twin = model.layers[1]
        assert type(twin) is OctreeImage
        assert (twin.config, twin.gamma) == (config, 0.5)
        assert twin._level_transforms == level_transforms


def test_the_type_is_the_stock_one_to_all_but_those_who_make_layers() -> None:
    kind = OctreeImage(STACK).as_layer_data_tuple()[2]
    assert kind == "image"
    assert f"{kind}_to_xml" == "image_to_xml"
    assert type(Layer.create(STACK, {}, kind)) is OctreeImage
    (layer,) = ViewerModel()._add_layer_from_data(STACK, {}, kind)
    assert type(layer) is OctreeImage


# ------------------------------------------------------------------ containers


def dataset_of(level: np.ndarray) -> Any:
    xarray = pytest.importorskip("xarray")
    return xarray.Dataset({"image": (("y", "x"), level)})


def containers() -> dict[str, Any]:
    import xarray

    levels = pyramid()
    group, ome = (zarr.create_group(zarr.storage.MemoryStore()) for _ in range(2))
    for number, level in enumerate(levels):
        group.create_array(f"s{number}", data=level)
        ome.create_array(f"scale{number}", data=level)
    datasets = [{"path": f"scale{number}"} for number in range(2)]
    ome.attrs["multiscales"] = [{"version": "0.4", "datasets": datasets}]
    objects = np.empty(2, object)
    objects[:] = levels
    tree = xarray.DataTree.from_dict(
        {f"scale{n}": dataset_of(level) for n, level in enumerate(levels)}
    )
    return {
        "tuple": tuple(levels),
        "generator": (level for level in levels),
        "stock": Image(levels).data,
        "ours": OctreeImage(levels).data,
        "objects": objects,
        "mapping": {"coarse": levels[1], "fine": levels[0]},
        "zarr group": group,
        "OME-Zarr group": ome,
        "tree": tree,
    }


@pytest.mark.parametrize("name", [
    "tuple", "generator", "stock", "ours", "objects", "mapping", "zarr group", "OME-Zarr group",
    "tree",
])  # fmt: skip
def test_levels_are_found_in_whatever_holds_them(name: str) -> None:
    layer = OctreeImage(containers()[name])
    assert layer.level_shapes.tolist() == [[80, 64], [40, 32]]
    np.testing.assert_array_equal(np.asarray(layer.data[0]), pyramid()[0])
    layer.data = containers()[name]
    layer.data = layer.data
    assert layer.level_shapes.tolist() == [[80, 64], [40, 32]]


def test_a_dataset_of_one_variable_is_an_image() -> None:
    assert OctreeImage(dataset_of(STACK[0])).level_shapes.tolist() == [[40, 50]]


def test_what_is_no_pyramid_is_told_with_what_it_holds() -> None:
    group = zarr.create_group(zarr.storage.MemoryStore())
    group.create_group("tables")
    with pytest.raises(SourceError, match="holds tables"):
        OctreeImage(group)
    with pytest.raises(SourceError, match="holds a, b, which are no levels"):
        OctreeImage({"a": np.zeros((8, 8)), "b": np.zeros((8, 8))})


def test_data_assigned_to_themselves_keep_where_their_levels_lie() -> None:
    transforms = (
        LevelTransform((1.0, 1.0), (0.0, 0.0)),
        LevelTransform((2.0, 2.0), (0.0, 0.0)),
    )
    layer = OctreeImage(pyramid(), level_transforms=transforms)
    layer.data = layer.data
    assert layer._level_transforms == transforms
    layer.data = MultiScaleData(pyramid())
    assert layer._level_transforms is None


# ---------------------------------------------------------------------- saving


def test_an_array_is_saved_as_a_stock_layer_would(writers: None, tmp_path: Any) -> None:
    for name, data in (("array", STACK), ("pyramid", pyramid()), ("bool", STACK > 99)):
        finest = data[0] if isinstance(data, list) else data
        path = str(tmp_path / f"{name}.tif")
        assert OctreeImage(data).save(path) == [path]
        np.testing.assert_array_equal(tifffile.imread(path), finest)


def test_a_store_of_modest_size_is_read_and_saved(writers: None, tmp_path: Any) -> None:
    array = zarr.create_array(
        zarr.storage.MemoryStore(), shape=(50, 70), chunks=(16, 16), dtype="i2", fill_value=-7
    )
    array[:20, :20] = 5
    OctreeImage(array).save(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), array[:])


def test_a_huge_store_is_refused_before_a_file_is_made(writers: None, tmp_path: Any) -> None:
    side = int(MOST_READ_BYTES**0.5) + 1
    huge = zarr.create_array(zarr.storage.MemoryStore(), shape=(side, side), dtype="u1")
    model = model_with(OctreeImage(huge, name="slide"), Image(np.zeros((4, 4))))
    with pytest.raises(NotSavedError, match=r"slide: not saved.*Export selected octree layers…"):
        model.layers[0].save(str(tmp_path / "a.tif"))
    with pytest.raises(NotSavedError, match="slide"):
        model.layers.save(str(tmp_path / "all"))
    assert not list(tmp_path.iterdir())


def test_pixels_that_cannot_be_read_are_told(writers: None, tmp_path: Any) -> None:
    class Broken:
        shape, dtype = (8, 8), np.dtype("u1")

        def __getitem__(self, index: Any) -> np.ndarray:
            raise OSError("the disk is on fire")

    with pytest.raises(NotSavedError, match=r"broken: .*the disk is on fire"):
        OctreeImage(Broken(), name="broken").save(str(tmp_path / "a.tif"))
    assert not list(tmp_path.iterdir())


# -------------------------------------------------------------------- contrast


@pytest.mark.parametrize(
    "data",
    [
        STACK.astype(np.int64) - 4000,
        STACK.astype(np.float32) / 7,
        STACK[0] > 30,
        np.full((6, 7), 9, np.uint32),
        np.arange(1100 * 1100, dtype=np.uint32).reshape(1100, 1100),  # reckoned in a thread
    ],
)
def test_limits_of_an_array_in_memory_are_those_of_a_stock_layer(data: np.ndarray) -> None:
    stock, ours = Image(data), OctreeImage(data)
    assert ours.wait_until_settled(30)
    for name in ("contrast_limits", "contrast_limits_range"):
        assert list(map(float, getattr(ours, name))) == list(map(float, getattr(stock, name)))
    assert ours.iso_threshold == pytest.approx(stock.iso_threshold)


def test_limits_that_somebody_chose_meanwhile_stay() -> None:
    ours = OctreeImage(np.arange(1100 * 1100, dtype=np.uint32).reshape(1100, 1100))
    ours.contrast_limits = (3, 4)
    assert ours.wait_until_settled(30)
    assert list(ours.contrast_limits) == [3, 4]


# --------------------------------------------------------------------- refresh


def test_refresh_shows_pixels_that_were_changed_in_place() -> None:
    data = np.full((60, 80), 50, np.uint8)
    for given in (data, [data, data[::2, ::2].copy()]):
        layer = OctreeImage(given)
        assert layer.wait_until_settled(30)
        for value in (200, 30):
            data[:] = value
            if isinstance(given, list):
                given[1][:] = value
            layer.refresh()
            assert layer.wait_until_settled(30)
            assert layer._slice.image.raw.max() == value
            assert np.ravel(layer.get_value((5, 6)))[-1] == value


def test_what_napari_refreshes_by_itself_reads_no_store_again() -> None:
    reads = []

    class Counted:
        shape, dtype = (8, 8), np.dtype("u1")

        def __getitem__(self, index: Any) -> np.ndarray:
            reads.append(index)
            return np.zeros((8, 8), np.uint8)[index]

    layer = OctreeImage(Counted())
    assert layer.wait_until_settled(30)
    before = len(reads)
    layer.refresh()
    layer.scale = (2, 2)
    assert layer.wait_until_settled(30)
    assert len(reads) == before


def test_labels_are_copied_converted_and_saved_too(writers: None, tmp_path: Any) -> None:
    labels = np.arange(40 * 50, dtype=np.int32).reshape(40, 50)
    model = model_with(OctreeLabels(labels))
    _layer_actions._duplicate_layer(model.layers)
    assert [type(layer) for layer in model.layers] == [OctreeLabels] * 2
    model.layers[0].save(str(tmp_path / "labels.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "labels.tif"), labels)
    model = model_with(OctreeLabels(labels))
    _layer_actions._convert_to_image(model.layers)
    (image,) = model.layers
    assert type(image) is Image
    np.testing.assert_array_equal(image.data, labels)


def test_an_array_given_by_itself_is_what_plugins_get() -> None:
    import dask.array as da

    array = STACK.copy()
    layer = OctreeImage(array)
    assert layer.data is array
    assert layer.multiscale is False
    layer.data[0, :5] = 7
    np.testing.assert_array_equal(layer.data + 1, array + 1)
    np.testing.assert_array_equal(layer.data[1], array[1])
    assert [plane.sum() for plane in layer.data] == [plane.sum() for plane in array]
    lazy = da.from_array(array, chunks=(1, 40, 50))
    assert OctreeImage(lazy).data is lazy
    in_a_list = OctreeImage([array])
    assert in_a_list.multiscale
    assert in_a_list.data[0] is array


def test_the_value_of_an_array_given_by_itself_has_no_level() -> None:
    layer = OctreeImage(STACK)
    assert layer.wait_until_settled(30)
    assert layer.get_value((0, 5, 6)) == STACK[0, 5, 6]
    assert layer.get_value((0, -1, 6)) is None
    assert layer.get_status((0, 5, 6))["value"] == str(STACK[0, 5, 6])
    assert layer.get_status((0, -1, 6))["value"] == ""


def through_pickle(layer: Layer) -> Any:
    return pickle.loads(pickle.dumps(layer))  # our own


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, through_pickle])
@pytest.mark.parametrize("data", [STACK, pyramid()], ids=["array", "levels"])
def test_a_layer_can_be_copied_and_pickled(copied: Any, data: Any) -> None:
    layer = OctreeImage(data, name="cells", gamma=0.5)
    layer.events.gamma.connect(lambda event: None)
    other = copied(layer)
    assert type(other) is OctreeImage
    assert (other.name, other.gamma, other.multiscale) == ("cells", 0.5, layer.multiscale)
    assert other.wait_until_settled(30)
    np.testing.assert_array_equal(other.level(0).compute(), layer.level(0).compute())


@pytest.mark.parametrize(("ours", "stock"), [(OctreeImage, Image), (OctreeLabels, Labels)])
def test_the_keys_of_modes_are_told_as_of_stock_layers(ours, stock):
    """Napari looks them up by the very class."""
    told = []
    for kind in (ours, stock):
        model = ViewerModel()
        layer = model.add_layer(kind(np.eye(8, dtype=int)))
        texts = [layer.help, model.help]
        for mode in ("transform", "pan_zoom"):
            layer.mode = mode
            texts += [layer.help, model.help]
        told.append(texts)
    assert told[0] == told[1]
    assert "transform" in told[0][0]


def test_contrast_limits_of_all_data_are_those_of_all_planes() -> None:
    stack = np.ones((3, 40, 50), np.float32) * np.arange(3, dtype=np.float32)[:, None, None]
    large = np.repeat(stack, 200, axis=1)
    for data in (stack, [stack, stack[:, ::2, ::2].copy()], large):
        ours, stock = OctreeImage(data), Image(data)
        model = model_with(ours, stock)
        model.dims.set_current_step(0, 0)
        assert ours.wait_until_settled(30)
        for layer in (ours, stock):
            layer.reset_contrast_limits("data")
            layer.reset_contrast_limits_range("data")
        assert tuple(ours.contrast_limits) == tuple(stock.contrast_limits) == (0, 2)
        assert tuple(ours.contrast_limits_range) == (0, 2)
        with pytest.raises(ValueError, match="planes"):
            ours.reset_contrast_limits("planes")
