"""Chunks on disk that are cut off, empty, or noise: they fail, and never come as other pixels.

(Where only a part of a checksum is missing, some decoders give the pixels, which are right.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec

from napari_octree.sources import as_level_source
from napari_octree.sources.arrays.zarr_arrays import zarr_array as module
from recording_array import random_pixels

SHAPE, CHUNKS = (32, 32), (16, 16)

V3 = {
    "raw": {"compressors": None},
    "gzip": {"compressors": GzipCodec()},
    "zstd with checksum": {"compressors": ZstdCodec(checksum=True)},
    "blosc": {"compressors": BloscCodec()},
    "crc32c": {"compressors": None, "serializer": BytesCodec(), "filters": None},
    "sharded": {"shards": (32, 32), "compressors": [ZstdCodec(), Crc32cCodec()]},
}
V2 = {
    "raw": {"compressors": None},
    "zlib": {"compressors": numcodecs.Zlib()},
    "lz4": {"compressors": numcodecs.LZ4()},
    "bz2": {"compressors": numcodecs.BZ2()},
    "blosc": {"compressors": numcodecs.Blosc()},
}
KINDS = [pytest.param(3, V3[name], id=f"v3 {name}") for name in V3] + [
    pytest.param(2, V2[name], id=f"v2 {name}") for name in V2
]

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda data: data[: len(data) // 2],
    "last byte missing": lambda data: data[:-1],
    "empty": lambda data: b"",
    "noise": lambda data: np.random.default_rng(0).bytes(max(8, len(data) // 3)),
}


@pytest.fixture(params=["by tensorstore", "by zarr-python"])
def reading(request, monkeypatch):
    """What reads local arrays."""
    if request.param == "by zarr-python":
        monkeypatch.setattr(module, "tensorstore", None)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(("zarr_format", "kind"), KINDS)
def test_a_damaged_chunk_fails(reading, tmp_path: Path, zarr_format, kind, damage) -> None:
    pixels = random_pixels(SHAPE, "uint16")
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=SHAPE, chunks=CHUNKS, dtype="uint16", zarr_format=zarr_format,
        **kind,
    )  # fmt: skip
    array[:] = pixels
    files = [p for p in (tmp_path / "a.zarr").rglob("*") if p.is_file() and p.name[0] in "0123"]
    victim = sorted(files)[0]
    victim.write_bytes(DAMAGE[damage](victim.read_bytes()))
    storage = as_level_source(array).storage
    try:
        found = storage.read(((0, 16), (0, 16)))
    except Exception:  # each codec has its own
        pass
    else:
        assert damage == "last byte missing"
        np.testing.assert_array_equal(found, pixels[:16, :16])
    if len(files) > 1:  # what was not damaged is there
        np.testing.assert_array_equal(storage.read(((16, 32), (16, 32))), pixels[16:, 16:])
