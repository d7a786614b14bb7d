"""zarr arrays whose codecs give no more than a chunk has.

Invariants: an array with other codecs reads the same pixels from the same requests; a chunk that
would unpack to more is a `SourceError`, in shards too. Nothing is written with them.
"""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numcodecs.abc
import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import BytesCodec, ShardingCodec
from zarr.storage import StorePath

from napari_octree.sources.arrays.zarr_arrays.bounded import Decode, bounded_decoder
from napari_octree.sources.stores.own_codecs import own_codecs

SLACK = 2**20
GROWTH = 16
"""Filters may make a chunk's numbers smaller once it is unpacked, not by more than this."""


@own_codecs()
def with_bounded_codecs(array: zarr.Array[Any], place: StorePath) -> zarr.Array[Any]:
    """Return the same array at a place, decoded with bounds."""
    metadata: Any = copy.copy(array.metadata)
    if metadata.zarr_format == 2:
        compressor = metadata.compressor
        if compressor is not None:
            bounded = _of_v2(array, compressor)
            object.__setattr__(metadata, "compressor", bounded)
    else:
        object.__setattr__(metadata, "codecs", tuple(_of_v3(metadata.codecs)))
    return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=place))


def _of_v2(array: zarr.Array[Any], compressor: Any) -> Any:
    size = math.prod(array.chunks) * array.dtype.itemsize
    exact = not array.metadata.filters  # type: ignore[union-attr]
    most = size if exact else GROWTH * size + SLACK
    options = compressor.get_config()
    decode = bounded_decoder(options, most, exact)
    return compressor if decode is None else BoundedNumcodec(compressor, decode)


def _of_v3(codecs: Iterable[Any]) -> Iterator[Any]:
    exact = compressed = False
    for codec in codecs:
        if isinstance(codec, ShardingCodec):
            twin = copy.copy(codec)
            object.__setattr__(twin, "codecs", tuple(_of_v3(codec.codecs)))
            yield twin
            continue
        exact |= isinstance(codec, BytesCodec)
        if not isinstance(codec, BytesBytesCodec):
            yield codec
            continue
        options = _options(codec)
        if bounded_decoder(options, 0, False) is None:
            yield codec
        else:
            yield BoundedCodec(codec, options, exact and not compressed)
        compressed = True


def _options(codec: Any) -> dict[str, Any]:
    """Return a codec as numcodecs names it."""
    document = codec.to_dict()
    configuration = document.get("configuration") or {}
    return {**configuration, "id": str(document["name"]).removeprefix("numcodecs.")}


class BoundedNumcodec(numcodecs.abc.Codec):  # type: ignore[misc]
    """A compressor of zarr format 2, which decodes with a bound."""

    def __init__(self, codec: Any, decode: Decode) -> None:
        self.codec_id = codec.codec_id
        self._codec = codec
        self._decode = decode

    def encode(self, buf: Any) -> Any:
        """Compress, as the codec itself."""
        return self._codec.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Unpack."""
        return self._decode(buf)

    def get_config(self) -> Any:
        """Return what the codec itself says."""
        return self._codec.get_config()


@dataclass(frozen=True)
class BoundedCodec(BytesBytesCodec):
    """A compressor of zarr format 3, which decodes with a bound.

    Attributes
    ----------
    codec : BytesBytesCodec
    options : dict
        As numcodecs has them.
    exact : bool
        What it unpacks to are the pixels.
    """

    codec: BytesBytesCodec
    options: dict[str, Any] = field(hash=False)
    exact: bool
    is_fixed_size = False

    def to_dict(self) -> Any:
        """Return what the codec itself says."""
        return self.codec.to_dict()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Return what the codec itself says."""
        return self.codec.compute_encoded_size(input_byte_length, chunk_spec)

    # The names by which zarr calls codecs; without an event loop from 3.4 on.

    def _decode_sync(self, chunk_data: Any, chunk_spec: Any) -> Any:
        size = math.prod(chunk_spec.shape) * chunk_spec.dtype.item_size
        most = size if self.exact else 2 * size + SLACK
        decode = bounded_decoder(self.options, most, self.exact)
        assert decode is not None  # `_of_v3` has tried
        found = decode(chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(found)

    def _encode_sync(self, chunk_data: Any, chunk_spec: Any) -> Any:
        raise NotImplementedError("read only")

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)
