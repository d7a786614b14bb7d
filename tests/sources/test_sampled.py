"""Levels made of a sample of the chunks: bounded reads, pixels of the nearest that was read."""

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources import as_level_source
from napari_octree.sources.derived.reduction import reduce_mean
from napari_octree.sources.derived.sampled import CHUNKS_PER_TILE, SampledArray, sampled_level


class Counted:
    """Pixels that follow from their place, in chunks that are counted."""

    def __init__(self, shape, chunks, dtype="uint16"):
        self.shape, self.chunks, self.dtype = shape, chunks, np.dtype(dtype)
        self.ndim = len(shape)
        self.reads = []

    def __getitem__(self, index):
        self.reads.append(tuple((s.start, s.stop) for s in index))
        places = np.meshgrid(*(np.arange(s.start, s.stop) for s in index), indexing="ij")
        return (sum(7 ** (i + 1) * p for i, p in enumerate(places)) % 9001).astype(self.dtype)

    def whole(self):
        pixels = self[tuple(slice(0, n) for n in self.shape)]
        self.reads.clear()
        return pixels


def test_what_can_be_read_whole_is_not_sampled() -> None:
    few = as_level_source(Counted((8192, 8192), (256, 256)))
    assert sampled_level(few, (32, 32), (0, 1), (256, 256)) is None
    fine = as_level_source(Counted((100_000, 100_000), (256, 256)))
    assert sampled_level(fine, (8, 8), (0, 1), (256, 256)) is None
    assert sampled_level(fine, (16, 16), (0, 1), (256, 256)) is not None
    large_chunks = as_level_source(Counted((100_000, 100_000), (4096, 4096)))
    assert sampled_level(large_chunks, (128, 128), (0, 1), (256, 256)) is None


@pytest.mark.parametrize("factor", [16, 32, 128, 1024])
def test_a_tile_reads_a_bounded_number_of_chunks(factor) -> None:
    source = as_level_source(Counted((2**20, 2**20), (256, 256)))
    level = sampled_level(source, (factor, factor), (0, 1), (256, 256))
    tile = ((0, min(256, level.shape[0])),) * 2
    assert len(list(level.grid(()).indices(tile))) <= CHUNKS_PER_TILE


@pytest.mark.parametrize("chunks", [(1, 256), (64, 64), (1024, 1024), (1, 65536)])
@pytest.mark.parametrize("shape", [(1, 9 * 10**8), (9 * 10**8, 64), (2**20, 1024)])
def test_the_overview_of_any_shape_reads_few_chunks(shape, chunks) -> None:
    chunks = tuple(min(c, n) for c, n in zip(chunks, shape, strict=True))
    source = as_level_source(Counted(shape, chunks))
    factors = tuple(max(-(-n // 1024), 1) for n in shape)
    level = sampled_level(source, factors, (0, 1), (256, 256))
    cells = list(level.grid(()).indices(tuple((0, n) for n in level.shape)))
    assert len(cells) <= 16 * CHUNKS_PER_TILE


def test_volumes_are_sampled_too() -> None:
    source = as_level_source(Counted((2**14, 2**14, 2**14), (64, 64, 64)))
    level = sampled_level(source, (32, 32, 32), (0, 1, 2), (64, 64, 64))
    assert len(list(level.grid(()).indices(((0, 64),) * 3))) == CHUNKS_PER_TILE


@given(st.data())
def test_each_pixel_is_the_nearest_that_was_read(data) -> None:
    chunk = data.draw(st.integers(2, 9))
    shape = data.draw(st.tuples(st.integers(10, 60), st.integers(10, 60)))
    factor = data.draw(st.integers(2, 6))
    cell = data.draw(st.integers(1, 5))
    array = Counted(shape, (chunk, chunk))
    pixels = array.whole()
    level = SampledArray(as_level_source(array), (factor,) * 2, (cell,) * 2, (4, 4))
    grid = level.grid(())
    for index in grid.indices(tuple((0, n) for n in level.shape)):
        region = grid.region(index)
        array.reads.clear()
        block = level.read(region)
        (box,) = array.reads
        assert block.shape == tuple(stop - start for start, stop in region)
        reduced = reduce_mean(pixels[tuple(slice(*extent) for extent in box)], (factor,) * 2)
        for place in np.ndindex(*block.shape):
            nearest = []
            for p, (start, _), (first, _), n in zip(
                place, region, box, reduced.shape, strict=True
            ):
                at = ((start + p) * factor + factor // 2 - first) // factor
                nearest.append(min(max(at, 0), n - 1))
            assert block[place] == reduced[tuple(nearest)]


@pytest.mark.parametrize("chunks", [(1, 8, 8, 3), (4, 8, 8, 1)])
def test_slices_and_colours_are_never_sampled(chunks) -> None:
    array = Counted((6, 64, 64, 3), chunks, "uint8")
    source = as_level_source(array)
    level = SampledArray(source, (1, 4, 4, 1), (1, 4, 4, 3), (1, 8, 8, 3))
    block = level.read(((5, 6), (0, 4), (4, 8), (0, 3)))
    rows, columns = array.reads[0][1:3]
    pixels = array.whole()[5:6, slice(*rows), slice(*columns)]
    assert (rows, columns) == ((8, 16), (24, 32))
    assert (block[0, 2:, 2:] == reduce_mean(pixels, (1, 4, 4, 1))[0]).all()


def test_what_is_not_stored_is_missing() -> None:
    array = zarr.create_array({}, shape=(64, 64), chunks=(8, 8), dtype="uint16", fill_value=7)
    array[16:] = 9
    level = SampledArray(as_level_source(array), (4, 4), (4, 4), (8, 8))
    assert level.fill_value == 7
    assert level.read(((0, 4), (0, 4))) is None
    assert (level.read(((4, 8), (0, 4))) == 9).all()
