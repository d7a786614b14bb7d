"""A layer's pixels for other programs: dask arrays, crops, the visible box."""

import copy

import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_octree import OctreeImage, OctreeLabels
from napari_octree.octree.transform import LevelTransform

PIXELS = np.random.default_rng(0).integers(0, 60000, (5, 300, 410)).astype(np.uint16)


def pyramid(tmp_path):
    levels = []
    for step in (1, 2, 4):
        data = PIXELS[:, ::step, ::step]
        levels.append(
            zarr.create_array(str(tmp_path / f"{step}.zarr"), data=data, chunks=(1, 64, 64))
        )
    return levels


def test_levels_are_dask_arrays_cut_as_the_store_is(tmp_path):
    layer = OctreeImage(pyramid(tmp_path))
    for number, step in enumerate((1, 2, 4)):
        level = layer.level(number)
        assert level.chunksize == (1, 64, 64)
        np.testing.assert_array_equal(level.compute(), PIXELS[:, ::step, ::step])
    assert [level.shape for level in layer.as_dask()] == [tuple(s) for s in layer.level_shapes]


def test_a_level_as_image_lies_where_the_layer_has_it(tmp_path):
    layer = OctreeImage(
        pyramid(tmp_path), scale=[2, 0.5, 3], translate=[1, 2, 3], rotate=[0, 0, 30]
    )
    image = Image(layer.level(2), affine=layer.level_affine(2))
    for pixel in ([0, 0, 0], [3, 20, 77]):
        centre = [pixel[0], pixel[1] * 4 + 1.5, pixel[2] * 4 + 1.5]
        np.testing.assert_allclose(image.data_to_world(pixel), layer.data_to_world(centre))


@pytest.mark.parametrize("box", [((1, 3), (37, 190), (64, 300)), ((0, 5), (299, 300), (0, 1))])
def test_a_crop_shows_the_same_pixels_in_the_same_place(tmp_path, box):
    whole = OctreeImage(
        pyramid(tmp_path), scale=[2, 0.5, 3], rotate=[0, 0, 30], shear=[0, 0.1, 0],
        affine=np.diag([1, 2, 1, 1]), colormap="magma", contrast_limits=(3, 999), name="cells",
    )  # fmt: skip
    crop = whole.crop(box)
    index = tuple(slice(*side) for side in box)
    np.testing.assert_array_equal(crop.data[0][...], PIXELS[index])
    assert crop.colormap.name == "magma"
    assert crop.contrast_limits == [3, 999]
    assert crop.name == "cells crop"
    for point in ([0, 0, 0], [1, 0, 0], [0, 7, 5]):
        there = np.add(point, [start for start, _ in box])
        np.testing.assert_allclose(crop.data_to_world(point), whole.data_to_world(there))


def test_a_crop_of_a_crop_is_a_crop():
    whole = OctreeImage([PIXELS, PIXELS[:, ::2, ::2]])
    twice = whole.crop([(0, 5), (10, 200), (20, 400)]).crop([(1, 4), (11, 99), (3, 200)])
    np.testing.assert_array_equal(twice.data[0][...], PIXELS[1:4, 21:109, 23:220])


def test_coarse_levels_of_a_crop_keep_their_place():
    data = np.arange(100).reshape(10, 10)
    coarse = data[::4, ::4]
    whole = OctreeImage([data, coarse], level_transforms=[
        LevelTransform((1, 1), (0, 0)), LevelTransform((4, 4), (0, 0))])  # fmt: skip
    crop = whole.crop([(3, 9), (5, 10)])
    np.testing.assert_array_equal(crop.data[1][...], coarse[0:3, 1:3])
    assert crop._level_places[1] == LevelTransform((4, 4), (-3, -1))


def test_a_crop_reads_chunks_of_the_whole_once(recording_array):
    array = recording_array(PIXELS[0], chunks=(64, 64))
    crop = OctreeImage(array).crop([(70, 250), (130, 390)])
    assert crop.data[0].chunks == (64, 64)
    grid = crop.data[0].grid((50, 50))
    regions = [grid.region(index) for index in grid.indices(((0, 180), (0, 260)))]
    assert sum(np.prod([b - a for a, b in region]) for region in regions) == 180 * 260
    edges = {(a + 70, b + 130) for (a, _), (b, _) in regions}
    assert all(y % 64 == 0 or y == 70 for y, _ in edges)
    assert all(x % 64 == 0 or x == 130 for _, x in edges)


def test_boxes_that_hold_nothing_are_refused(tmp_path):
    layer = OctreeImage(PIXELS[0], name="cells")
    with pytest.raises(ValueError, match="cells: nothing lies in the box"):
        layer.crop([(400, 500), (0, 10)])
    with pytest.raises(ValueError, match="a box of 1 axes"):
        layer.crop([(0, 10)])


def test_the_visible_region_follows_the_camera(make_viewer, look_at):
    viewer = make_viewer((300, 400))
    layer = viewer.add_layer(OctreeImage(PIXELS[0]))
    look_at(viewer, (100, 200), 4)
    assert layer.wait_until_settled(20)
    (top, bottom), (left, right) = layer.visible_region()
    assert 62 - 2 <= top <= 62 + 2
    assert 137 - 2 <= bottom <= 137 + 2
    assert 150 - 2 <= left <= 150 + 2
    assert 250 - 2 <= right <= 250 + 2
    crop = viewer.add_layer(layer.crop(layer.visible_region()))
    assert crop.wait_until_settled(20)


def test_crops_can_be_duplicated():
    crop = OctreeImage(PIXELS).crop([(0, 2), (0, 100), (0, 100)])
    data, state, kind = crop.as_layer_data_tuple()
    twin = OctreeImage.create(copy.deepcopy(data), state, kind)
    np.testing.assert_array_equal(twin.data[0][...], PIXELS[:2, :100, :100])


def test_a_crop_is_read_again_when_asked() -> None:
    data = np.full((80, 90), 7, np.uint8)
    crop = OctreeImage(data).crop([(10, 60), (20, 70)])
    assert crop.wait_until_settled(30)
    data[:] = 9
    crop.reload()
    assert crop.wait_until_settled(30)
    assert crop._slice.image.raw.max() == 9


@pytest.mark.parametrize("kind", ["zarr", "numpy", "labels"])
def test_dask_levels_are_indexed_as_numpy_arrays_are(tmp_path, kind):
    data = np.random.default_rng(0).integers(0, 99, (3, 70, 90)).astype(np.uint16)
    if kind == "labels":
        layer = OctreeLabels(data)
        layer.data_setitem((np.array([1]), np.array([2]), np.array([4])), 500)
        data = data.copy()
        data[1, 2, 4] = 500
    elif kind == "numpy":
        layer = OctreeImage(data, rgb=False)
    else:
        layer = OctreeImage(
            zarr.create_array(str(tmp_path / "a.zarr"), data=data, chunks=(1, 32, 32)), rgb=False
        )
    level = layer.level(0)
    assert level.chunksize[0] == 1  # never all slices at once
    indices = [np.s_[1, 2, 4], np.s_[..., ::3], np.s_[::-1, 5:40:7, -3], np.s_[:, 3:3]]
    for index in (*indices, np.s_[:, :, [4, 80, 5]], np.s_[None, 0], np.s_[-1]):
        np.testing.assert_array_equal(level[index].compute(), data[index])
    with pytest.raises(IndexError, match="no level 5, but 0 to 0"):
        layer.level(5)
