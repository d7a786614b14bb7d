"""Chunks of zarr arrays, equal or of any sizes, which zarr has had since 3.2."""

from itertools import pairwise

import numpy as np
import pytest
import zarr

from napari_octree.sources import as_level_source
from napari_octree.sources.arrays.zarr_arrays import zarr_array as module
from napari_octree.sources.arrays.zarr_arrays.zarr_chunks import (
    chunk_grid,
    chunk_sizes,
    stored_index,
)
from napari_octree.sources.chunk_grid import RegularGrid
from recording_array import random_pixels

HAS_RECTILINEAR = "rectilinear_chunks" in zarr.config.get("array")


class Rectilinear:
    """What an array with chunks of any sizes says, in shards or not."""

    shape = (100, 60)
    write_chunk_sizes = ((50, 30, 20), (60,))

    def __init__(self, inner):
        self.read_chunk_sizes = inner

    @property
    def chunks(self):
        raise NotImplementedError("only for regular chunk grids")

    shards = chunks


def test_chunks_of_any_sizes_fill_the_array():
    array = Rectilinear(((50, 30, 20), (60,)))
    grid = chunk_grid(array)
    everything = tuple((0, n) for n in array.shape)
    boxes = [grid.region(index) for index in grid.indices(everything)]
    assert boxes == [((a, b), (0, 60)) for a, b in pairwise((0, 50, 80, 100))]
    assert [stored_index(array, box) for box in boxes] == [(0, 0), (1, 0), (2, 0)]
    assert hash(chunk_sizes(array))


def test_equal_chunks_in_shards_of_any_sizes():
    array = Rectilinear(((10,) * 10, (10,) * 6))
    assert chunk_grid(array) == RegularGrid((100, 60), (10, 10))
    places = [((y, y + 10), (30, 40)) for y in (0, 40, 50, 79, 80, 90)]
    assert [stored_index(array, box)[0] for box in places] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("shards", [None, (50, 40)])
def test_regular_chunks(shards):
    array = zarr.create_array({}, shape=(95, 60), chunks=(10, 20), shards=shards, dtype="u1")
    assert chunk_sizes(array) == (10, 20)
    assert chunk_grid(array) == RegularGrid((95, 60), (10, 20))
    assert stored_index(array, ((90, 95), (40, 60))) == ((1, 1) if shards else (9, 2))


def test_no_pixels_no_chunks():
    assert chunk_grid(zarr.create_array({}, shape=(0, 4), chunks=(1, 4), dtype="u1")) is None


if HAS_RECTILINEAR:  # else there is nothing to test

    @pytest.fixture(params=["by tensorstore", "by zarr-python"])
    def reading(request, monkeypatch):
        if request.param == "by zarr-python":
            monkeypatch.setattr(module, "tensorstore", None)

    @pytest.mark.parametrize("options", [{}, {"shards": [[40, 20, 40], [60]]}], ids=["", "shards"])
    @pytest.mark.parametrize("place", ["folder", "memory"])
    def test_all_chunks_of_a_rectilinear_array(tmp_path, reading, place, options):
        pixels = random_pixels((100, 60), "uint16")
        pixels[:40] = 0  # this part is not stored
        chunks = (10, 20) if options else [[40, 20, 40], [60]]
        with zarr.config.set({"array.rectilinear_chunks": True}):
            array = zarr.create_array(
                tmp_path / "a.zarr" if place == "folder" else {},
                shape=pixels.shape,
                chunks=chunks,
                dtype=pixels.dtype,
                **options,
            )
            array[40:] = pixels[40:]
            storage = as_level_source(array).storage
            shown = np.zeros_like(pixels)
            for index in storage.chunk_grid.indices(((0, 100), (0, 60))):
                region = storage.chunk_grid.region(index)
                block = storage.read(region)
                assert (block is None) == (region[0][1] <= 40)
                if block is not None:
                    shown[tuple(slice(*span) for span in region)] = block
        np.testing.assert_array_equal(shown, pixels)
