"""Arrays of bool as labels: the same store, chunks and pixels, as uint8."""

import numpy as np
import zarr

from napari_octree.sources import AxisView, as_level_source
from napari_octree.sources.arrays.recast_view import RecastView, recast
from napari_octree.sources.levels.reopen import can_be_reopened, reopened
from napari_octree.sources.protocol import StorageArray

MASK = np.random.default_rng(0).random((20, 30)) > 0.5


def test_arrays_in_memory_are_seen_as_they_are():
    view = recast(MASK, np.uint8)
    assert view.base is MASK
    assert recast(view, np.uint8) is view


def test_stores_keep_their_chunks_and_what_they_do_not_hold():
    array = zarr.create_array({}, shape=(20, 30), chunks=(8, 8), dtype="bool", fill_value=True)
    array[:8] = MASK[:8]
    view = recast(array, np.uint8)
    assert (view.shape, view.dtype, view.ndim, view.size) == ((20, 30), "u1", 2, 600)
    assert len(view) == 20
    np.testing.assert_array_equal(view[2:5, 3:9], MASK[2:5, 3:9].astype("u1"))
    source = as_level_source(view)
    assert isinstance(source.storage, StorageArray)
    assert source.dtype == np.uint8
    assert source.storage.fill_value == 1
    grid = source.storage.grid((20, 30))
    assert grid.region(next(grid.indices(((0, 1), (0, 1))))) == ((0, 8), (0, 8))
    pixels = source.storage.read(((0, 8), (8, 16)))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, MASK[:8, 8:16])
    assert source.storage.key != as_level_source(array).storage.key
    assert source.storage.key == as_level_source(recast(array, np.uint8)).storage.key


def test_views_of_one_axis_and_growth():
    array = zarr.create_array({}, shape=(2, 20, 30), chunks=(1, 8, 8), dtype="bool")
    view = recast(AxisView(array, 0, 1), np.uint8)
    assert as_level_source(view).shape == (20, 30)
    assert can_be_reopened([view])
    array.resize((2, 24, 30))
    (again,) = reopened([view])
    assert isinstance(again, RecastView)
    assert again.shape == (24, 30)
