"""How many bytes a compressed chunk unpacks to, as it says itself, before it is unpacked.

A chunk of a few kilobytes may unpack to gigabytes. zarr's decoders believe what it says; here it
is compared with what the array's metadata promise.

Invariants: cheap (some bytes of the chunk are looked at; only zlib, which says nothing, is
unpacked once more, up to the limit); chunks in shards are not checked.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import zarr

from napari_octree.sources.arrays.zarr_arrays.unsafe import codec_names
from napari_octree.sources.errors import SourceError

SLACK = 2**20
GROWTH = 16
"""Filters may make a chunk's numbers smaller once it is unpacked, not by more than this."""
HEAD = 32
CODECS = ("blosc", "zstd", "gzip", "zlib", "lz4")
STEP = 2**20


@dataclass(frozen=True)
class UnpackedLimit:
    """What chunks of an array may unpack to.

    Attributes
    ----------
    codec : str
    limit : int
        Bytes.
    """

    codec: str
    limit: int

    def check(self, chunk: bytes | memoryview, tail: bytes | memoryview, name: str) -> None:
        """Refuse a chunk that would unpack to more.

        Parameters
        ----------
        chunk : bytes
            All of it, or its first 32 bytes where its codec is not zlib.
        tail : bytes
            Its last 4 bytes.
        name : str
            For the message.

        Raises
        ------
        SourceError
        """
        size = self._size(chunk, tail)
        if size is not None and size > self.limit:
            raise SourceError(
                f"{name}: a chunk that would unpack to {size:,} bytes, where at most "
                f"{self.limit:,} make sense; it is not read"
            )

    def _size(self, chunk: bytes | memoryview, tail: bytes | memoryview) -> int | None:
        if self.codec == "zlib":
            return _unpacked(chunk, self.limit)
        head = bytes(chunk[:HEAD])
        if self.codec == "blosc":
            return int.from_bytes(head[4:8], "little") if len(head) >= 16 else None
        if self.codec == "lz4":
            return int.from_bytes(head[:4], "little") if len(head) >= 4 else None
        if self.codec == "gzip":
            return int.from_bytes(bytes(tail), "little") if len(head) >= 18 else None
        return _size_of_zstd(head)


def unpacked_limit(array: zarr.Array[Any]) -> UnpackedLimit | None:
    """The limit for the chunks of an array; None where its chunks do not say their size."""
    if array.shards is not None:
        return None
    names = [name.rpartition(".")[2] for name in codec_names(array)]
    found = [name for name in names if name in CODECS]
    if len(found) != 1:
        return None
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or not all(isinstance(n, int) for n in chunks):
        return None
    size = math.prod(chunks) * array.dtype.itemsize
    return UnpackedLimit(found[0], GROWTH * size + SLACK)


def _unpacked(chunk: bytes | memoryview, limit: int) -> int | None:
    """How much zlib unpacks, counted up to a little more than the limit."""
    unpacker, total, rest = zlib.decompressobj(), 0, bytes(chunk)
    try:
        while rest and total <= limit:
            total += len(unpacker.decompress(rest, STEP))
            rest = unpacker.unconsumed_tail
    except zlib.error:
        return None  # its decoder will say so
    return total


def _size_of_zstd(head: bytes) -> int | None:
    """The content size of a frame's header (RFC 8878, 3.1.1.1)."""
    if head[:4] != b"\x28\xb5\x2f\xfd" or len(head) < 18:
        return None
    flags = head[4]
    is_single = bool(flags & 0x20)
    begin = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    count = (1 if is_single else 0, 2, 4, 8)[flags >> 6]
    if not count:
        return None
    size = int.from_bytes(head[begin : begin + count], "little")
    return size + 256 if count == 2 else size
