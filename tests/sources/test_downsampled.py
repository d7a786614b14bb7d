import itertools
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_octree.sources import AxisView, as_level_source
from napari_octree.sources.derived.downsampled import DownsampledArray, read_region
from napari_octree.sources.derived.mode import reduce_mode
from napari_octree.sources.derived.reduction import reduce_mean, reduce_nearest
from napari_octree.sources.protocol import StorageArray

DTYPES = ["bool", "uint8", "int16", "uint16", "int64", "uint64", "float32", "float64"]


def boxes(shape, factors):
    coarse = tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))
    for index in itertools.product(*map(range, coarse)):
        yield index, tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True))


@given(st.data())
def test_means_are_those_of_each_box(data):
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES)))
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=7))
    elements = {"f": {"min_value": -1e3, "max_value": 1e3}, "i": {}, "u": {}, "b": {}}[dtype.kind]
    if dtype.itemsize == 8 and dtype.kind in "iu":
        elements = {"max_value": 2**52}
        if dtype.kind == "i":
            elements["min_value"] = -(2**52)
    pixels = data.draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(dtype, **elements)))
    factors = data.draw(st.tuples(*[st.integers(1, 4)] * len(shape)))
    result = reduce_mean(pixels, factors)
    assert result.dtype == dtype
    for index, box in boxes(shape, factors):
        mean = pixels[box].astype("f8").mean()
        if dtype.kind == "f":
            assert result[index] == pytest.approx(mean, rel=1e-5, abs=1e-3)
        else:
            assert abs(float(result[index]) - mean) <= 0.5 + 1e-6 * abs(mean)


def test_integers_are_rounded_and_the_largest_stay():
    assert reduce_mean(np.array([[1, 2, 2, 2]], "u1"), (1, 4))[0, 0] == 2
    for dtype in ("uint8", "uint16", "int16", "int32"):
        largest = np.full((2, 2), np.iinfo(dtype).max, dtype)
        assert reduce_mean(largest, (2, 2)) == np.iinfo(dtype).max
    for dtype in ("int64", "uint64"):
        largest = np.full((2, 2), np.iinfo(dtype).max, dtype)
        assert float(reduce_mean(largest, (2, 2))[0, 0]) == pytest.approx(
            2.0 ** (63 + (dtype[0] == "u"))
        )


def test_nan_is_left_out():
    nan = np.nan
    pixels = np.array([[nan, 2, nan, nan, 5], [4, 6, nan, nan, nan]], "f4")
    np.testing.assert_array_equal(reduce_mean(pixels, (2, 2)), np.array([[4, nan, 5]], "f4"))


@given(st.data())
def test_blocks_fit_together(data):
    shape = data.draw(st.tuples(*[st.integers(1, 20)] * 2))
    factors = data.draw(st.tuples(*[st.integers(1, 5)] * 2))
    chunks = data.draw(st.sampled_from([None, (3, 7), (64, 64)]))
    reduction = data.draw(st.sampled_from(["mean", "nearest", "mode"]))
    pixels = np.random.default_rng(0).integers(0, 65535, shape, "uint16")

    class Array:
        def __init__(self):
            self.shape, self.dtype = shape, pixels.dtype
            if chunks:
                self.chunks = chunks

        def __getitem__(self, index):
            return pixels[index]

    array = DownsampledArray(as_level_source(Array()), factors, reduction)
    assert isinstance(array, StorageArray)
    whole = tuple((0, n) for n in array.shape)
    expected = array.read(whole)
    assert expected.shape == array.shape
    result = np.zeros(array.shape, array.dtype)
    grid = array.grid((4, 4))
    for index in grid.indices(whole):
        region = grid.region(index)
        result[tuple(slice(*edges) for edges in region)] = array.read(region)
    np.testing.assert_array_equal(result, expected)
    if reduction == "nearest":
        for index, box in boxes(shape, factors):
            centre = tuple((n - 1) // 2 for n in factors)
            inside = pixels[box]
            at = tuple(min(c, n - 1) for c, n in zip(centre, inside.shape, strict=True))
            assert expected[index] == inside[at]


@given(st.data())
def test_the_mode_is_the_first_of_the_commonest_values(data):
    dtype = data.draw(st.sampled_from(["uint8", "int32", "uint64"]))
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=7))
    factors = data.draw(st.tuples(*[st.integers(1, 4)] * len(shape)))
    few = st.sampled_from([0, 1, 2, np.iinfo(dtype).max])
    pixels = data.draw(hnp.arrays(dtype, shape, elements=few))
    result = reduce_mode(pixels, factors)
    assert result.dtype == dtype
    for index, box in boxes(shape, factors):
        inside = pixels[box].ravel().tolist()
        assert result[index] == max(inside, key=inside.count)


@given(st.integers(1, 6), st.integers(2, 3))
def test_taking_pixels_in_turn_stays_near_the_centre(levels, factor):
    pixels = np.arange(factor**levels)
    taken, total = pixels, 1
    for level in range(levels):
        taken = reduce_nearest(taken, (factor,), upper=level % 2 == 1)
        total *= factor
        centres = np.arange(0, len(pixels), total) + total / 2
        assert np.abs(taken + 0.5 - centres).max() <= total / 4


def test_only_the_pixels_below_are_read(recording_array, read_log):
    source = as_level_source(recording_array(np.ones((100, 100), "u1"), (10, 10)))
    array = DownsampledArray(source, (2, 2))
    assert read_log.reads == []
    assert array.read(((0, 5), (5, 15))).shape == (5, 10)
    assert [read.index for read in read_log.reads] == [
        (slice(0, 10), slice(10, 20)),
        (slice(0, 10), slice(20, 30)),
    ]


def test_neighbours_do_not_share_chunks_below():
    class Array:
        shape, dtype, chunks = (64, 512, 512), "u1", (8, 128, 128)

        def __getitem__(self, index):
            raise AssertionError

    array = DownsampledArray(as_level_source(Array()), (1, 2, 2))
    assert array.grid((1, 256, 256)).region((0, 0, 0)) == ((0, 8), (0, 256), (0, 256))


def test_levels_of_levels_and_channels():
    pixels = np.random.default_rng(0).random((3, 16, 16))
    first = DownsampledArray(as_level_source(AxisView(pixels, 0, 1)), (2, 2))
    second = DownsampledArray(as_level_source(first), (2, 2))
    assert second.shape == (4, 4)
    np.testing.assert_allclose(
        read_region(as_level_source(second), ((0, 4), (0, 4))),
        pixels[1].reshape(4, 4, 4, 4).mean((1, 3)),
    )


def test_missing_below_is_missing():
    import zarr

    stored = zarr.create_array({}, shape=(8, 8), chunks=(2, 2), dtype="u1", fill_value=4)
    array = DownsampledArray(as_level_source(stored), (2, 2))
    assert array.read(((0, 2), (0, 2))) is None
    stored[0, 0] = 8
    np.testing.assert_array_equal(array.read(((0, 2), (0, 2))), [[5, 4], [4, 4]])


def test_the_key_says_how_pixels_are_made():
    source = as_level_source(np.zeros((8, 8)))
    keys = [
        DownsampledArray(source, (2, 2)).key,
        DownsampledArray(source, (2, 2)).key,
        DownsampledArray(source, (2, 1)).key,
        DownsampledArray(source, (2, 2), "nearest").key,
        DownsampledArray(source, (2, 2), "nearest", upper=True).key,
        DownsampledArray(as_level_source(source, fresh=True), (2, 2)).key,
        as_level_source(DownsampledArray(source, (2, 2)), fresh=True).storage.key,
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 6


def test_factors_must_fit():
    with pytest.raises(ValueError, match="do not fit"):
        DownsampledArray(as_level_source(np.zeros((8, 8))), (2,))


def test_a_large_block_is_averaged_in_little_memory_and_not_slowly():
    block = np.random.default_rng(0).integers(0, 255, (4096, 4097), "uint8")
    tracemalloc.start()
    reduced = reduce_mean(block, (2, 3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < reduced.nbytes + 8e6
    rows = [slice(0, 2), slice(2046, 2050), slice(4094, 4096)]
    for slab in rows:
        expected = np.rint(
            block[slab].reshape(-1, 2, 4097)[..., :4095].mean(1).reshape(-1, 1365, 3).mean(2)
        )
        np.testing.assert_array_equal(reduced[slab.start // 2 : slab.stop // 2, :1365], expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_means_are_made_at_least_as_quickly_as_numpy_makes_them(dtype):
    block = np.random.default_rng(0).random((1024, 1024)).astype(dtype)

    def numpys(block):
        return block.reshape(512, 2, 512, 2).mean((1, 3)).astype(dtype)

    def seconds(function):
        start = time.perf_counter()
        function(block)
        return time.perf_counter() - start

    ours, theirs = zip(
        *[(seconds(lambda b: reduce_mean(b, (2, 2))), seconds(numpys)) for _ in range(7)],
        strict=True,
    )
    assert min(ours) < min(theirs)  # about a tenth


def test_a_chunk_is_reduced_without_a_copy_of_it():
    class Array:
        shape, dtype, chunks = (2048, 2048), np.dtype("u1"), (2048, 2048)

        def __getitem__(self, index):
            return np.ones(self.shape, self.dtype)[index]

    array = DownsampledArray(as_level_source(Array()), (2, 2))
    tracemalloc.start()
    array.read(((0, 1024), (0, 1024)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 2048 * 2048


def test_infinities_that_cancel_out_are_no_missing_pixels():
    block = np.array([[np.inf, -np.inf], [1, 1]], "f4")
    assert np.isnan(reduce_mean(block, (2, 2)))
