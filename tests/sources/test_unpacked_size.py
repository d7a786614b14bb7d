"""Chunks that would unpack to far more than they should are refused before they are unpacked."""

import zlib

import numcodecs
import numpy as np
import pytest
import zarr

from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.arrays.zarr_arrays import zarr_array
from napari_octree.sources.arrays.zarr_arrays.unpacked_size import unpacked_limit

CODECS = {
    "gzip": numcodecs.GZip(5),
    "zlib": numcodecs.Zlib(5),
    "zstd": numcodecs.Zstd(3),
    "blosc": numcodecs.Blosc("lz4"),
    "lz4": numcodecs.LZ4(),
}
REGION = ((0, 64), (0, 64))
HUGE = np.zeros(2**26, "u1")
PIXELS = np.random.default_rng(1).integers(0, 9, (64, 64)).astype("u1")


@pytest.fixture(params=["tensorstore", "zarr"])
def reader(request, monkeypatch):
    if request.param == "zarr":
        monkeypatch.setattr(zarr_array, "tensorstore", None)
    return request.param


def array(path, codec):
    made = zarr.create_array(
        path, shape=(64, 64), chunks=(64, 64), dtype="u1", zarr_format=2, compressors=codec
    )
    made[:] = PIXELS
    (chunk,) = [p for p in path.rglob("*") if p.name in ("0.0", "0")]
    return as_level_source(zarr.open_array(path, mode="r")).storage, chunk


@pytest.mark.parametrize("name", CODECS)
def test_a_chunk_that_unpacks_to_gigabytes_is_refused(tmp_path, reader, name, monkeypatch):
    storage, chunk = array(tmp_path / "a.zarr", CODECS[name])
    np.testing.assert_array_equal(storage.read(REGION), PIXELS)
    chunk.write_bytes(CODECS[name].encode(HUGE))

    def unpack(*_):
        raise AssertionError("it was unpacked")

    for module in ("gzip", "zlib", "zstd", "blosc", "lz4"):
        monkeypatch.setattr(f"numcodecs.{module}.decompress", unpack, raising=False)
    with pytest.raises((SourceError, ValueError)) as error:
        storage.read(REGION)
    if name == "blosc" or reader == "zarr":
        assert "would unpack to" in str(error.value)


@pytest.mark.parametrize("level", [0, 9])
@pytest.mark.parametrize("count", [1, 200, 300, 70_000, 2**24])
def test_zstd_says_its_size(count, level):
    limit = unpacked_limit(
        zarr.create_array(
            {}, shape=(1,), chunks=(1,), dtype="u1", compressors=zarr.codecs.ZstdCodec()
        )
    )
    packed = numcodecs.Zstd(level).encode(bytes(count))
    assert limit._size(packed + bytes(20), b"") == count
    assert limit._size(zlib.compress(b"no"), b"") is None


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shards", [None, (64, 64)])
def test_ordinary_chunks_are_read(tmp_path, reader, zarr_format, shards):
    if shards and zarr_format == 2:
        shards = None
    data = np.arange(64 * 64, dtype="f8").reshape(64, 64)
    zarr.create_array(
        tmp_path / "a", data=data, chunks=(32, 32), shards=shards, zarr_format=zarr_format
    )
    storage = as_level_source(zarr.open_array(tmp_path / "a", mode="r")).storage
    np.testing.assert_array_equal(storage.read(((32, 64), (0, 32))), data[32:, :32])
