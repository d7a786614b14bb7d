import json

import dask.array as da
import numcodecs
import numpy as np
import pytest
import zarr
from zarr.storage import WrapperStore

from napari_octree.sources import as_level_source
from napari_octree.sources.arrays.zarr_arrays import zarr_array as module
from napari_octree.sources.arrays.zarr_arrays.zarr_array import is_all
from recording_array import random_pixels

STORES = {
    "local": lambda tmp_path: tmp_path / "a.zarr",
    "local by fsspec": lambda tmp_path: zarr.storage.FsspecStore.from_url(
        f"file://{tmp_path}/b", storage_options={"auto_mkdir": True}
    ),
    "memory": lambda tmp_path: zarr.storage.MemoryStore(),
    "fsspec": lambda tmp_path: zarr.storage.FsspecStore.from_url(f"memory://{tmp_path}"),
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    return STORES[request.param](tmp_path)


@pytest.fixture(params=["by tensorstore", "by zarr-python"])
def reading(request, monkeypatch):
    """What reads local arrays."""
    if request.param == "by zarr-python":
        monkeypatch.setattr(module, "tensorstore", None)


@pytest.mark.parametrize("fill_value", [0, 7])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_absent_chunks_are_told_from_stored_ones(reading, store, zarr_format, fill_value):
    array = zarr.create_array(
        store,
        shape=(6, 4),
        chunks=(2, 4),
        dtype="int16",
        fill_value=fill_value,
        zarr_format=zarr_format,
        config={"write_empty_chunks": True},
    )
    array[0:2] = fill_value
    array[2:4] = 3
    storage = as_level_source(array).storage
    assert storage.fill_value == fill_value
    assert (storage.read(((0, 2), (0, 4))) == fill_value).all()
    assert (storage.read(((2, 4), (0, 4))) == 3).all()
    assert storage.read(((4, 6), (0, 4))) is None


def test_absent_shards_are_told(reading, store):
    array = zarr.create_array(
        store, shape=(8, 4), chunks=(2, 4), shards=(4, 4), dtype="f4", fill_value=np.nan
    )
    array[0:2] = 3
    storage = as_level_source(array).storage
    assert (storage.read(((0, 2), (0, 4))) == 3).all()
    assert np.isnan(storage.read(((2, 4), (0, 4)))).all()  # its shard is there
    assert storage.read(((4, 6), (0, 4))) is None


def test_of_a_shard_only_the_inner_chunk_is_fetched():
    fetched = []

    class Counted(WrapperStore):
        async def get(self, key, prototype, byte_range=None):
            value = await super().get(key, prototype, byte_range)
            fetched.append(0 if value is None else len(value))
            return value

    pixels = random_pixels((256, 256), "u1")
    array = zarr.create_array(
        Counted(zarr.storage.MemoryStore()),
        shape=pixels.shape,
        chunks=(32, 32),
        shards=pixels.shape,
        dtype=pixels.dtype,
        compressors=None,
    )
    array[:] = pixels
    storage = as_level_source(array).storage
    fetched.clear()
    np.testing.assert_array_equal(storage.read(((32, 64), (64, 96))), pixels[32:64, 64:96])
    index = 64 * 16 + 4  # where each inner chunk is, and a checksum
    assert 32 * 32 <= sum(fetched) <= 32 * 32 + index


def test_fresh_arrays_tell_absent_chunks_too(store):
    array = zarr.create_array(store, shape=(2, 4), chunks=(2, 4), dtype="u1")
    assert as_level_source(array, fresh=True).storage.read(((0, 2), (0, 4))) is None


def test_the_store_is_never_listed(store, monkeypatch):
    array = zarr.create_array(store, shape=(6, 4), chunks=(2, 4), dtype="u1")

    def refuse(*_):
        raise AssertionError("listed")

    for name in ("list", "list_dir", "list_prefix"):
        monkeypatch.setattr(type(array.store), name, refuse)
    assert as_level_source(array).storage.read(((0, 2), (0, 4))) is None


CODECS = {
    "zlib": {"compressors": numcodecs.Zlib(), "zarr_format": 2},
    "lzma": {"compressors": numcodecs.LZMA(), "zarr_format": 2},
    "delta": {"filters": numcodecs.Delta(dtype="<u2"), "zarr_format": 2},
    "fortran": {"order": "F", "zarr_format": 2},
    "slashes": {
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
        "zarr_format": 2,
    },
    "gzip": {"compressors": zarr.codecs.GzipCodec()},
    "transposed": {"filters": zarr.codecs.TransposeCodec(order=(1, 0))},
    "big-endian": {"serializer": zarr.codecs.BytesCodec(endian="big")},
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_the_same_pixels_either_way(tmp_path, codec, monkeypatch):
    pixels = random_pixels((50, 70), "uint16")
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(50, 70), chunks=(16, 32), dtype="uint16", **CODECS[codec]
    )
    array[:] = pixels
    region = ((48, 50), (64, 70))
    expected = pixels[48:, 64:]
    np.testing.assert_array_equal(as_level_source(array).storage.read(region), expected)
    monkeypatch.setattr(module, "tensorstore", None)
    np.testing.assert_array_equal(as_level_source(array).storage.read(region), expected)


@pytest.mark.parametrize("dtype", ["bool", "i1", ">u2", "<i4", ">f4", "f8", "u8"])
def test_every_type_gives_the_same_pixels_either_way(tmp_path, dtype, monkeypatch):
    pixels = np.arange(64).reshape(8, 8).astype(dtype)
    zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(4, 4), zarr_format=2)
    for fast in (module.tensorstore, None):
        monkeypatch.setattr(module, "tensorstore", fast)
        storage = as_level_source(zarr.open_array(tmp_path / "a.zarr", mode="r")).storage
        block = storage.read(((4, 8), (0, 4)))
        assert block.dtype == storage.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_array_equal(block, pixels[4:, :4])


def test_tensorstore_reads_what_it_can(tmp_path):
    plain = zarr.create_array(tmp_path / "a.zarr", data=np.zeros((4, 4)), zarr_format=2)
    odd = zarr.create_array(
        tmp_path / "b.zarr", data=np.zeros((4, 4)), compressors=numcodecs.LZMA(), zarr_format=2
    )
    remote = zarr.create_array({}, data=np.zeros((4, 4)))
    fast = [as_level_source(array).storage._fast is not None for array in (plain, odd, remote)]
    assert fast == [True, False, False]


def test_pixels_written_after_wrapping_are_read(reading, tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(4, 4), chunks=(4, 4), dtype="u1")
    storage = as_level_source(array).storage
    region = ((0, 4), (0, 4))
    assert storage.read(region) is None
    for value in (1, 2):
        array[:] = value
        assert (storage.read(region) == value).all()


def test_broken_chunks_raise(reading, tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", data=np.ones((4, 4)), chunks=(4, 4))
    (tmp_path / "a.zarr" / "c" / "0" / "0").write_bytes(b"broken")
    with pytest.raises((ValueError, RuntimeError)):
        as_level_source(array).storage.read(((0, 4), (0, 4)))


def test_dask_and_zarr_find_the_same_chunks(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(8, 8), chunks=(4, 4), dtype="u1")
    by_dask = da.from_zarr(str(tmp_path / "a.zarr"))
    assert as_level_source(by_dask).storage.key == as_level_source(array).storage.key


def test_names_say_where_the_array_is(tmp_path):
    local = zarr.create_array(tmp_path / "a.zarr", shape=(2, 2), dtype="u1")
    assert as_level_source(local).storage.source_name == str(tmp_path / "a.zarr")
    url = zarr.storage.FsspecStore.from_url("memory://some/where")
    remote = zarr.create_array(url, name="a", shape=(2, 2), dtype="u1")
    assert as_level_source(remote).storage.source_name == "memory:///some/where/a"


@pytest.mark.parametrize(
    ("block", "value", "expected"),
    [
        ([[1, 1]], 1, True),
        ([[1, 2]], 1, False),
        ([[2, 1]], 1, False),
        ([[np.nan, np.nan]], np.nan, True),
        ([[np.nan, 1]], np.nan, False),
        ([[]], 0, False),
    ],
)
def test_is_all(block, value, expected):
    assert is_all(np.array(block), value) is expected


@pytest.mark.parametrize("changed", [{"chunks": [2**20, 2**20]}, {"dtype": "<f8"}])
def test_metadata_written_anew_do_not_end_the_process(tmp_path, changed):
    """tensorstore takes the memory of a chunk first: a terabyte would be `std::bad_alloc`."""
    array = zarr.create_array(
        str(tmp_path / "a.zarr"), data=np.ones((32, 32), np.uint8), chunks=(16, 16), zarr_format=2
    )
    source = as_level_source(array)
    file = tmp_path / "a.zarr" / ".zarray"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    assert source.storage._fast is None
    np.testing.assert_array_equal(source.storage.read(((0, 16), (0, 16))), 1)
