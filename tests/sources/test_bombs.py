"""Chunks that would unpack to far more than they should are refused before they are unpacked."""

import bz2
import gzip
import lzma
import tracemalloc
import zipfile
import zlib

import numcodecs
import numpy as np
import pytest
import zarr

from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.arrays.zarr_arrays import zarr_array
from napari_octree.sources.arrays.zarr_arrays.bounded import bounded_decoder, zstd_size
from napari_octree.sources.arrays.zarr_arrays.direct_zarr_array import array_from_document
from napari_octree.sources.ome_zarr.nodes import open_node
from napari_octree.sources.stores.byte_store import LocalBytes

SIZE = 2**25
ZEROS = bytes(SIZE)
REGION = ((0, 64), (0, 64))
PIXELS = np.random.default_rng(1).integers(0, 9, (64, 64)).astype("u1")


def zstd_without_size():
    """A frame of blocks that each repeat one byte, as no library writes it."""
    block, count = 2**17, SIZE // 2**17
    blocks = [
        (block << 3 | 2 | (n == count - 1)).to_bytes(3, "little") + b"\7" for n in range(count)
    ]
    return b"\x28\xb5\x2f\xfd\0\x38" + b"".join(blocks)


BOMBS = {
    "gzip": gzip.compress(ZEROS),
    "gzip that lies": gzip.compress(ZEROS)[:-4] + (4096).to_bytes(4, "little"),
    "gzip in parts": gzip.compress(bytes(4096)) * 9000,
    "zlib": zlib.compress(ZEROS),
    "bz2": bz2.compress(ZEROS),
    "lzma": lzma.compress(ZEROS),
    "zstd": bytes(numcodecs.Zstd(1).encode(ZEROS)),
    "zstd in parts": bytes(numcodecs.Zstd(1).encode(bytes(4096))) * 9000,
    "zstd without size": zstd_without_size(),
    "blosc": bytes(numcodecs.Blosc("zstd").encode(np.zeros(SIZE, "u1"))),
    "lz4": bytes(numcodecs.LZ4().encode(ZEROS)),
}
CRC = numcodecs.CRC32C(location="end")
V2 = {
    "gzip": numcodecs.GZip(),
    "zlib": numcodecs.Zlib(),
    "bz2": numcodecs.BZ2(),
    "lzma": numcodecs.LZMA(),
    "zstd": numcodecs.Zstd(),
    "blosc": numcodecs.Blosc(),
    "lz4": numcodecs.LZ4(),
}
V3 = {
    "gzip": zarr.codecs.GzipCodec(),
    "zstd": zarr.codecs.ZstdCodec(),
    "blosc": zarr.codecs.BloscCodec(),
}
CASES = [(name, 2, None) for name in BOMBS]
CASES += [
    (name, 3, shards) for name in BOMBS if name.split()[0] in V3 for shards in (None, (64, 64))
]


def index(*entry):
    """Return the index of a shard of one chunk."""
    return bytes(CRC.encode(np.array(entry, "<u8").tobytes()))


def write(path, name, zarr_format, shards):
    """Write an array of one chunk, and return where a bomb has to lie in it."""
    codec = (V2 if zarr_format == 2 else V3)[name.split()[0]]
    options = {"zarr_format": zarr_format, "compressors": codec}
    zarr.create_array(path, data=PIXELS, chunks=(64, 64), shards=shards, **options)
    (chunk,) = [p for p in path.rglob("*") if p.name in ("0.0", "0") and p.is_file()]
    return chunk


def arm(chunk, name, shards):
    data = BOMBS[name]
    if shards:
        data += index(0, len(data))
    chunk.write_bytes(data)


def peak_of_reading(storage):
    tracemalloc.start()
    try:
        with pytest.raises((SourceError, ValueError, zlib.error, EOFError)):
            storage.read(REGION)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "zarr_format", "shards"), CASES)
def test_a_bomb_is_refused(tmp_path, name, zarr_format, shards, monkeypatch):
    monkeypatch.setattr(zarr_array, "tensorstore", None)
    path = tmp_path / "a.zarr"
    chunk = write(path, name, zarr_format, shards)
    storage = as_level_source(open_node(str(path))).storage
    np.testing.assert_array_equal(storage.read(REGION), PIXELS)
    arm(chunk, name, shards)
    assert peak_of_reading(storage) < SIZE / 2
    if shards is None:  # as a plate reads its fields
        document = storage.array.metadata.to_dict()
        direct = array_from_document(LocalBytes(tmp_path), "a.zarr", document)
        assert peak_of_reading(direct) < SIZE / 2


@pytest.mark.parametrize("shards", [None, (64, 64)])
@pytest.mark.parametrize("location", ["start", "end"])
def test_tensorstore_is_not_given_a_bomb(tmp_path, shards, location):
    pytest.importorskip("tensorstore")
    path = tmp_path / "a.zarr"
    chunk = write(path, "blosc", 3, shards)
    if shards and location == "start":
        data = numcodecs.Blosc().encode(PIXELS)
        document = (path / "zarr.json").read_text()
        (path / "zarr.json").write_text(document.replace('"end"', '"start"'))
        chunk.write_bytes(index(20, len(data)) + bytes(data))
    storage = as_level_source(open_node(str(path))).storage
    np.testing.assert_array_equal(storage.read(REGION), PIXELS)
    assert storage._fast is not None
    arm(chunk, "blosc", shards)
    if shards and location == "start":
        start = bytes(numcodecs.CRC32C(location="end").encode(np.array([20, 9], "<u8").tobytes()))
        chunk.write_bytes(start + BOMBS["blosc"])
    with pytest.raises(
        SourceError, match=r"a\.zarr, chunk \(0, 0\): .*would unpack to 33,554,432"
    ):
        storage.read(REGION)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_file_larger_than_any_chunk_is_not_read(tmp_path, kind):
    path = tmp_path / "a.zarr"
    chunk = write(path, "zstd", 3, None)
    with chunk.open("wb") as file:
        file.truncate(SIZE)
    where = path
    if kind == "zip":
        where = tmp_path / "a.zarr.zip"
        with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in (path / "zarr.json", chunk):
                archive.write(file, file.relative_to(path))
    storage = as_level_source(open_node(str(where))).storage
    with pytest.raises(SourceError, match=r"a chunk of 33,554,432 bytes in its store"):
        storage.read(REGION)


@pytest.mark.parametrize("level", [0, 9])
@pytest.mark.parametrize("count", [1, 200, 300, 70_000, 2**24])
def test_zstd_says_its_size(count, level):
    packed = bytes(numcodecs.Zstd(level).encode(bytes(count)))
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    assert zstd_size(skipped + packed + packed) == (2 * count, True)
    assert zstd_size(zstd_without_size()) == (SIZE, False)
    assert zstd_size(zlib.compress(b"no")) == (0, True)


@pytest.mark.parametrize("name", V2)
def test_what_is_of_the_right_size_is_unpacked(name):
    data = bytes(range(256)) * 16
    packed = V2[name].encode(data)
    for exact in (True, False):
        decode = bounded_decoder({"id": name}, len(data), exact)
        assert bytes(decode(packed)) == data
    with pytest.raises((SourceError, EOFError, RuntimeError, ValueError, zlib.error)):
        decode(packed[: len(packed) // 2])


def test_frames_without_a_size_are_unpacked():
    decode = bounded_decoder({"id": "zstd"}, SIZE, True)
    assert bytes(decode(zstd_without_size())) == b"\7" * SIZE


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shards", [None, (64, 64)])
def test_ordinary_chunks_are_read(tmp_path, zarr_format, shards):
    if zarr_format == 2:
        shards = None
    data = np.arange(64 * 64, dtype="f8").reshape(64, 64)
    zarr.create_array(
        tmp_path / "a", data=data, chunks=(32, 32), shards=shards, zarr_format=zarr_format
    )
    storage = as_level_source(zarr.open_array(tmp_path / "a", mode="r")).storage
    np.testing.assert_array_equal(storage.read(((32, 64), (0, 32))), data[32:, :32])
