"""What is looked at in a local file, or in the directory of an archive, before a chunk is read.

Files may be of any size, and tensorstore unpacks blosc whatever size its header says.

Invariants: costs a call of the system or three; a file that is absent or cut short is left to the
reader, which has words for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec

from napari_octree.sources.arrays.zarr_arrays.bounded import blosc_size, too_large
from napari_octree.sources.arrays.zarr_arrays.bounded_codecs import GROWTH, SLACK
from napari_octree.sources.arrays.zarr_arrays.unsafe import codec_names
from napari_octree.sources.arrays.zarr_arrays.zarr_chunks import stored_sizes
from napari_octree.sources.errors import SourceError

ENTRY = 16
"""Bytes of an inner chunk's offset and size in the index of a shard."""
NOTHING = 2**64 - 1
"""Offset of an inner chunk that is not there."""


@runtime_checkable
class KnowsSizes(Protocol):
    """A store that says at no cost how large its objects are."""

    def nbytes_of(self, name: str) -> int | None:
        """Bytes of an object once it is read; None if it is not there."""
        ...


def most_stored(array: zarr.Array[Any]) -> int | None:
    """Return how many bytes an object of an array may have; None for chunks of many sizes."""
    sizes = stored_sizes(array)
    if sizes is None:
        return None
    pixels = math.prod(sizes) * array.dtype.itemsize
    growth = GROWTH if getattr(array.metadata, "filters", None) else 2
    return growth * pixels + SLACK + ENTRY * math.prod(sizes) // max(math.prod(array.chunks), 1)


def check_size(size: int | None, most: int) -> None:
    """Refuse an object that is larger than any chunk of its array.

    Raises
    ------
    SourceError
    """
    if size is not None and size > most:
        raise SourceError(
            f"a chunk of {size:,} bytes in its store, where at most {most:,} make sense; "
            "it is not read"
        )


@dataclass(frozen=True)
class BloscHeaders:
    """Where the headers of blosc lie in the files of an array.

    Attributes
    ----------
    most : int
        Bytes that a chunk may unpack to.
    inner : tuple of int or None
        Inner chunks of a shard, axis by axis; None of an array without shards.
    at_end : bool
        The index of a shard is at its end.
    """

    most: int
    inner: tuple[int, ...] | None = None
    at_end: bool = True

    def check(self, file: Path, index: Sequence[int]) -> None:
        """Refuse a chunk that says that it unpacks to more than it may.

        Parameters
        ----------
        file : Path
        index : sequence of int
            Of the chunk in the array's grid.

        Raises
        ------
        SourceError
        """
        try:
            with open(file, "rb", buffering=0) as opened:
                if self.inner is not None and not self._go_to(opened, index):
                    return
                head = opened.read(8)
        except OSError:
            return
        size = blosc_size(head) if len(head) == 8 else 0
        if size > self.most:
            raise too_large(size, self.most)

    def _go_to(self, opened: Any, index: Sequence[int]) -> bool:
        """Go to where an inner chunk begins; whether there is one."""
        assert self.inner is not None
        number = 0
        for at, count in zip(index, self.inner, strict=True):
            number = number * count + at % count
        if self.at_end:
            opened.seek(-(math.prod(self.inner) * ENTRY + 4), 2)
        else:
            opened.seek(0)
        opened.seek(number * ENTRY, 1)
        offset = int.from_bytes(opened.read(8), "little")
        if offset == NOTHING:
            return False
        opened.seek(offset)
        return True


def blosc_headers(array: zarr.Array[Any]) -> BloscHeaders | None:
    """Return where to look at the headers of an array's chunks; None if there are none.

    Raises
    ------
    NotImplementedError
        There are, but nobody knows where.
    """
    if "blosc" not in {name.rpartition(".")[2] for name in codec_names(array)}:
        return None
    size = math.prod(array.chunks) * array.dtype.itemsize
    filters = getattr(array.metadata, "filters", None)
    most = size if not filters else GROWTH * size + SLACK
    if array.shards is None:
        return BloscHeaders(most)
    outer: Any
    (outer,) = array.metadata.codecs  # type: ignore[union-attr]
    kinds = [type(codec) for codec in outer.index_codecs]
    nested = any(isinstance(codec, ShardingCodec) for codec in outer.codecs)
    if nested or kinds != [BytesCodec, Crc32cCodec]:
        raise NotImplementedError("a shard of another make")
    inner = tuple(a // b for a, b in zip(array.shards, array.chunks, strict=True))
    location = getattr(outer.index_location, "value", outer.index_location)
    return BloscHeaders(most, inner, location == "end")
