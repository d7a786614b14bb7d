"""Every kind of array gives the same pixels, chunk by chunk, and is not read before."""

import gc
import pickle
import subprocess
import sys

import dask
import dask.array as da
import h5py
import numpy as np
import pytest
import tensorstore
import xarray
import zarr
from dask.cache import Cache
from dask.callbacks import Callback

from napari_octree.sources import AxisView, SourceError, as_level_source, as_level_sources
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.protocol import LevelSource, StorageArray
from recording_array import random_pixels

SHAPE = (3, 50, 70)
HINT = (1, 32, 32)
PIXELS = random_pixels(SHAPE, "uint16")


def in_numpy(tmp_path):
    return PIXELS


def in_memmap(tmp_path):
    mapped = np.memmap(tmp_path / "pixels", "uint16", "w+", shape=SHAPE)
    mapped[:] = PIXELS
    return mapped


def in_zarr(zarr_format, **keywords):
    def make(tmp_path):
        array = zarr.create_array(
            tmp_path / "pixels.zarr",
            shape=SHAPE,
            dtype="uint16",
            zarr_format=zarr_format,
            **{"chunks": (1, 16, 32), **keywords},
        )
        array[:] = PIXELS
        return array

    return make


def in_zarr_memory(tmp_path):
    array = zarr.create_array({}, shape=SHAPE, chunks=(2, 16, 32), dtype="uint16")
    array[:] = PIXELS
    return array


def in_dask(chunks):
    return lambda tmp_path: da.from_array(PIXELS, chunks=chunks) + 0


def dask_of_zarr(tmp_path):
    in_zarr(3)(tmp_path)
    return da.from_zarr(str(tmp_path / "pixels.zarr"))


def xarray_of_numpy(tmp_path):
    return xarray.DataArray(PIXELS, dims=("z", "y", "x"))


def xarray_of_dask(tmp_path):
    return xarray.DataArray(in_dask((1, 20, 20))(tmp_path), dims=("z", "y", "x"))


def xarray_of_file(tmp_path):
    data = xarray.DataArray(PIXELS, dims=("z", "y", "x"), name="pixels")
    encoding = {"pixels": {"chunks": (1, 16, 32)}}
    data.to_dataset().to_zarr(tmp_path / "pixels.zarr", encoding=encoding)
    return xarray.open_zarr(tmp_path / "pixels.zarr", chunks=None)["pixels"]


def in_tensorstore(**keywords):
    def make(tmp_path):
        in_zarr(3, **keywords)(tmp_path)
        kvstore = {"driver": "file", "path": str(tmp_path / "pixels.zarr")}
        return tensorstore.open({"driver": "zarr3", "kvstore": kvstore}).result()

    return make


def in_h5py(tmp_path):
    file = h5py.File(tmp_path / "pixels.h5", "w")
    return file.create_dataset("pixels", data=PIXELS, chunks=(1, 10, 70))


class OwnArray:
    """The least that an array can be; pixels come as lists."""

    shape = SHAPE
    dtype = "uint16"

    def __getitem__(self, index):
        return PIXELS[index].tolist()


KINDS = {
    "numpy": (in_numpy, HINT),
    "memmap": (in_memmap, HINT),
    "zarr 2": (in_zarr(2), (1, 16, 32)),
    "zarr 3": (in_zarr(3), (1, 16, 32)),
    "zarr 3 sharded": (in_zarr(3, shards=(3, 32, 64)), (1, 16, 32)),
    "zarr in memory": (in_zarr_memory, (2, 16, 32)),
    "dask": (in_dask((2, 20, 30)), (2, 20, 30)),
    "dask irregular": (in_dask(((1, 2), (7, 0, 43), (70,))), (1, 7, 70)),
    "dask of zarr": (dask_of_zarr, (1, 16, 32)),
    "xarray of numpy": (xarray_of_numpy, HINT),
    "xarray of dask": (xarray_of_dask, (1, 20, 20)),
    "xarray of a file": (xarray_of_file, (1, 16, 32)),
    "tensorstore": (in_tensorstore(), (1, 16, 32)),
    "tensorstore sharded": (in_tensorstore(shards=(3, 32, 64)), (1, 16, 32)),
    "h5py": (in_h5py, (1, 10, 70)),
    "own class": (lambda tmp_path: OwnArray(), HINT),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def array(kind, tmp_path):
    array = KINDS[kind][0](tmp_path)
    yield array
    if kind == "h5py":
        array.file.close()


def read_all(source, hint=HINT):
    grid = source.storage.grid(hint)
    pixels = np.zeros(source.storage.shape, source.dtype)
    for index in grid.indices(tuple((0, n) for n in source.storage.shape)):
        region = grid.region(index)
        block = source.storage.read(region)
        pixels[tuple(slice(*edges) for edges in region)] = (
            source.storage.fill_value if block is None else block
        )
    return source.drop_fixed(pixels) if None not in source.fixed else pixels


def test_chunks_hold_the_pixels(array):
    source = as_level_source(array)
    assert isinstance(source.storage, StorageArray)
    assert (source.shape, source.dtype) == (SHAPE, PIXELS.dtype)
    np.testing.assert_array_equal(read_all(source), PIXELS)


def test_chunks_are_those_of_the_store(kind, array):
    region = as_level_source(array).storage.grid(HINT).region((0, 0, 0))
    assert tuple(stop for _, stop in region) == KINDS[kind][1]


def test_only_numpy_in_memory_is_in_memory(kind, array):
    storage = as_level_source(array).storage
    assert storage.in_memory == (kind in ("numpy", "xarray of numpy"))


def test_the_same_array_has_the_same_key(array):
    first, second = as_level_source(array), as_level_source(array)
    assert first.storage.key == second.storage.key
    assert hash(first.storage.key) == hash(second.storage.key)


def test_fresh_arrays_have_keys_of_their_own(array):
    keys = {
        as_level_source(array).storage.key,
        as_level_source(array, fresh=True).storage.key,
        as_level_source(array, fresh=True).storage.key,
    }
    assert len(keys) == 3


def test_fresh_arrays_have_the_same_pixels(array):
    np.testing.assert_array_equal(read_all(as_level_source(array, fresh=True)), PIXELS)


@pytest.mark.parametrize(
    "kind", sorted(KINDS.keys() - {"h5py"}), indirect=True
)  # its files stay here
def test_other_processes_read_the_same_pixels_under_the_same_key(kind, array):
    storage = as_level_source(array).storage
    region = storage.grid(HINT).region((0, 0, 0))
    expected = storage.read(region)
    twin = pickle.loads(pickle.dumps(storage))
    assert twin.key == storage.key
    np.testing.assert_array_equal(twin.read(region), expected)


def test_reads_in_memory_are_views():
    block = as_level_source(PIXELS).storage.read(((0, 1), (3, 9), (0, 70)))
    assert np.shares_memory(block, PIXELS)


def test_views_of_memory_maps_are_no_memory(tmp_path):
    assert not as_level_source(np.asarray(in_memmap(tmp_path))[1:]).storage.in_memory


def test_arrays_that_come_and_go_are_never_mistaken():
    keys = set()
    for _ in range(50):
        keys.add(as_level_source(np.zeros((2, 2))).storage.key)
        gc.collect(0)
    assert len(keys) == 50


def test_an_array_opened_twice_has_one_key(tmp_path):
    zarr.create_group(tmp_path)
    in_zarr(3)(tmp_path)
    from_array = zarr.open_array(tmp_path / "pixels.zarr", mode="r")
    from_group = zarr.open_group(tmp_path, mode="r")["pixels.zarr"]
    assert as_level_source(from_array).storage.key == as_level_source(from_group).storage.key


def test_an_array_that_was_written_anew_is_another_one(tmp_path):
    path = tmp_path / "pixels.zarr"
    before = as_level_source(in_zarr(3)(tmp_path)).storage.key
    zarr.create_array(path, shape=SHAPE, chunks=(1, 16, 32), dtype="uint16", overwrite=True)
    assert as_level_source(zarr.open_array(path)).storage.key != before


def test_arrays_of_one_store_differ():
    store = zarr.storage.MemoryStore()
    group = zarr.create_group(store)
    keys = {
        as_level_source(group.create_array(name, shape=(4, 4), dtype="u1")).storage.key
        for name in "ab"
    }
    assert len(keys) == 2


def test_equal_stores_in_memory_differ():
    first, second = (as_level_source(in_zarr_memory(None)) for _ in range(2))
    assert first.storage.key != second.storage.key


@pytest.mark.parametrize("chunks", [None, (1, 16, 32)])
def test_nothing_is_read_before_it_is_asked_for(recording_array, read_log, chunks):
    source = as_level_sources([recording_array(PIXELS, chunks)])[0]
    as_level_source(AxisView(recording_array(PIXELS, chunks), 0, 1))
    source.storage.grid(HINT)
    assert read_log.reads == []
    source.storage.read(((0, 1), (0, 16), (0, 32)))
    assert [read.index for read in read_log.reads] == [(slice(0, 1), slice(0, 16), slice(0, 32))]


def test_a_dask_array_that_changes_its_zarr_array_is_computed(tmp_path):
    stored = in_zarr(3)(tmp_path)
    wrapper = da.from_zarr(stored)
    assert as_level_source(wrapper).storage.array is stored
    fused = dask.optimize(wrapper + 1, wrapper[::-1])
    changes = [wrapper + 1, *fused, wrapper[:, 1:], wrapper.T, wrapper.astype("f4"), wrapper[::-1]]
    for changed in changes:
        source = as_level_source(changed)
        assert not isinstance(source.storage.array, zarr.Array)
        hint = changed.shape
        np.testing.assert_array_equal(read_all(source, hint), changed.compute())


def test_a_dask_block_reads_its_own_pixels_only(recording_array, read_log):
    view = da.from_array(recording_array(PIXELS), chunks=(3, 10, 10))[1, 5:]
    source = as_level_source(view)
    before = len(read_log.reads)
    block = source.storage.read(((0, 5), (10, 20)))
    np.testing.assert_array_equal(block, PIXELS[1, 5:10, 10:20])
    (read,) = read_log.reads[before:]
    np.testing.assert_array_equal(PIXELS[read.index], block)


def test_dasks_own_cache_is_left_alone():
    """What is read here is cached by the loader; others go on to use theirs meanwhile."""
    seen = []

    def note(block):
        seen.append(set(Callback.active))
        return block + 1

    source = as_level_source(da.from_array(PIXELS, chunks=(3, 10, 10)).map_blocks(note))
    with Cache(2**30) as cache:
        active = set(Callback.active)
        source.storage.read(((0, 3), (0, 10), (10, 20)))
        assert Callback.active == active
    assert seen[-1] == active
    assert not cache.cache.data


def test_chunks_of_a_cut_tensorstore_stay_those_of_the_store(tmp_path):
    source = as_level_source(in_tensorstore()(tmp_path)[:, 5:45, 32:])
    grid = source.storage.grid(HINT)
    assert [grid.region((0, row, 0))[1] for row in range(3)] == [(0, 11), (11, 27), (27, 40)]
    assert grid.region((0, 0, 0))[2] == (0, 32)
    np.testing.assert_array_equal(read_all(source), PIXELS[:, 5:45, 32:])


def test_parts_of_a_tensorstore_have_versions_of_their_own(tmp_path):
    """Planes of one store have one address, shape and type: a cache on disk tells them apart."""
    whole = in_tensorstore()(tmp_path)
    again = tensorstore.open(whole.spec()).result()

    def versions(array):
        parts = [array, *(array[i] for i in range(3)), array[:, :8, :8], array[:, 8:16, :8]]
        return [as_level_source(part).storage.version for part in parts]

    assert len(set(versions(whole))) == 6
    assert versions(whole) == versions(again)


def test_libraries_of_others_are_not_imported():
    code = (
        "import sys; from napari_octree.sources import as_level_source; import numpy as np;"
        "as_level_source(np.zeros((2, 2)));"
        "print({'h5py', 'napari', 'vispy', 'qtpy'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


def test_channels_share_storage():
    sources = [as_level_source(AxisView(PIXELS, 0, channel)) for channel in range(3)]
    assert len({source.storage.key for source in sources}) == 1
    assert [source.fixed for source in sources] == [(c, None, None) for c in range(3)]
    for channel, source in enumerate(sources):
        region = ((4, 20), (0, 70))
        np.testing.assert_array_equal(read_region(source, region), PIXELS[channel, 4:20])


def test_a_level_source_is_taken_as_it_is():
    source = as_level_source(AxisView(PIXELS, 0, 1))
    assert as_level_source(source) is source
    fresh = as_level_source(source, fresh=True)
    assert fresh.fixed == source.fixed
    assert fresh.storage.key != source.storage.key
    assert isinstance(as_level_source(source.storage), LevelSource)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([1, 2], "list: not an array"),
        ("pixels.zarr", "str: not an array"),
        (zarr.create_group({}), "a zarr group is no array; open it with open_ome_zarr"),
        (da.from_array(np.arange(9), chunks=3)[np.arange(9) > da.ones(9)], "is not known"),
    ],
)
def test_what_is_no_array_is_named(array, message):
    with pytest.raises(SourceError, match=message):
        as_level_source(array)


def test_a_block_of_another_shape_is_an_error():
    class Liar(OwnArray):
        def __getitem__(self, index):
            return np.zeros((1, 2))

    with pytest.raises(SourceError, match=r"Liar: asked for a block of \(1, 5, 5\), got .*\(1, 2"):
        as_level_source(Liar()).storage.read(((0, 1), (0, 5), (0, 5)))


def test_a_block_of_another_type_is_converted():
    class Liar(OwnArray):
        def __getitem__(self, index):
            return PIXELS[index].astype("f8")

    assert as_level_source(Liar()).storage.read(((0, 1), (0, 5), (0, 5))).dtype == "uint16"
