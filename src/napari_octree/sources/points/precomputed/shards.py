"""Shards of Neuroglancer's precomputed formats: many small objects in one, found by its index.

Follows the description of ``neuroglancer_uint64_sharded_v1``. All objects of a shard are listed at
once, so their hashes are never needed.

Invariants: worker threads; what an index says is checked against the size of the shard as far as
it is known; nothing unpacks to more than it may.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.stores.byte_store import ByteStore
from napari_octree.sources.stores.object_parts import read_part

KIND = "neuroglancer_uint64_sharded_v1"

MOST_SHARDS = 2**20
LARGEST_INDEX = 2**28
"""Bytes of an index once it is unpacked."""


@dataclass(frozen=True)
class Sharding:
    """How objects are spread over shards.

    Attributes
    ----------
    minishard_bits, shard_bits : int
    packed_index, packed_data : bool
        Whether these are compressed by gzip.
    """

    minishard_bits: int
    shard_bits: int
    packed_index: bool
    packed_data: bool

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Sharding:
        """Read what an info says.

        Raises
        ------
        ValueError
        """
        if document.get("@type") != KIND:
            raise ValueError(f"shards of the type {document.get('@type')!r}")
        packed = []
        for part in ("minishard_index_encoding", "data_encoding"):
            encoding = document.get(part, "raw")
            if encoding not in ("raw", "gzip"):
                raise ValueError(f"shards with the encoding {encoding!r}")
            packed.append(encoding == "gzip")
        minishard, shard = int(document["minishard_bits"]), int(document["shard_bits"])
        if not (0 <= minishard <= 24 and shard >= 0 and 2**shard <= MOST_SHARDS):
            raise ValueError(f"shards of {shard} bits with minishards of {minishard}")
        return cls(minishard, shard, packed[0], packed[1])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all shards that there may be."""
        digits = -(-self.shard_bits // 4)
        return tuple(
            f"{number:0{digits}x}.shard" if digits else "0.shard"
            for number in range(2**self.shard_bits)
        )


@dataclass(frozen=True, eq=False)
class ShardedObjects:
    """The objects of one shard.

    Attributes
    ----------
    numbers : (n,) uint64
    starts, sizes : (n,) int64
        Bytes in the shard.
    """

    numbers: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray


def objects_of_shard(store: ByteStore, name: str, sharding: Sharding) -> ShardedObjects | None:
    """Read the index of a shard; None if there is no such shard.

    Raises
    ------
    SourceError
        The index is broken.
    """
    end = 16 << sharding.minishard_bits
    raw = read_part(store, name, 0, end)
    if raw is None:
        return None
    where = f"{store.address}/{name}"
    if len(raw) < end:
        raise SourceError(f"{where}: a shard that ends within its index")
    ranges = np.frombuffer(raw, "<u8").reshape(-1, 2).astype(np.int64)
    found = [np.zeros((3, 0), np.int64)]
    for start, stop in ranges[ranges[:, 1] > ranges[:, 0]].tolist():
        if not 0 <= start < stop <= start + LARGEST_INDEX:
            raise SourceError(f"{where}: an index of the bytes {start} to {stop}")
        packed = read_part(store, name, end + start, end + stop) or b""
        index = unpacked(packed, LARGEST_INDEX, where) if sharding.packed_index else packed
        if len(packed) < stop - start or len(index) % 24:
            raise SourceError(f"{where}: an index of {len(index)} bytes")
        numbers, gaps, sizes = np.frombuffer(index, "<u8").reshape(3, -1).astype(np.int64)
        places = end + np.cumsum(gaps) + np.cumsum(sizes) - sizes
        if (sizes < 0).any() or (places < end).any():
            raise SourceError(f"{where}: an index that points outside of the shard")
        found.append(np.stack([np.cumsum(numbers), places, sizes]))
    numbers, places, sizes = np.concatenate(found, axis=1)
    return ShardedObjects(numbers.astype(np.uint64), places, sizes)


def unpacked(data: bytes, most: int, where: str) -> bytes:
    """Undo gzip; at most so many bytes are made.

    Raises
    ------
    SourceError
        It is no gzip, or there are more.
    """
    unpacker = zlib.decompressobj(31)
    try:
        made = unpacker.decompress(data, most)
    except zlib.error as error:
        raise SourceError(f"{where}: cannot be unpacked: {error}") from error
    if unpacker.unconsumed_tail:
        raise SourceError(f"{where}: unpacks to more than {most} bytes")
    return made


def morton_cells(numbers: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """Return the cells of compressed Morton codes: (n, ndim) int64, in the order of the grid.

    Each axis has as many bits as its number of cells needs; bits of the axes alternate as long
    as an axis has any.
    """
    bits = [(n - 1).bit_length() for n in grid]
    cells = np.zeros((len(numbers), len(grid)), np.int64)
    place = 0
    for bit in range(max(bits, default=0)):
        for axis, own in enumerate(bits):
            if bit < own:
                found = (numbers >> np.uint64(place)) & np.uint64(1)
                cells[:, axis] |= found.astype(np.int64) << bit
                place += 1
    return cells
