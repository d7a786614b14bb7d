"""From a chunk's bytes to its pixels, for the codecs that nearly all images use.

zarr-python decodes a chunk in an event loop, which costs five times what the codec does; a plate's
overview has thousands of small chunks. What is not known here is left to zarr-python.

Invariants: pure; a chunk that decodes to another size than its array announces is an error, found
from its header where there is one, before memory is taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numcodecs
import numpy as np

from napari_octree.sources.arrays.zarr_arrays.bounded import Decode, bounded_decoder
from napari_octree.sources.arrays.zarr_arrays.bounded_codecs import SLACK
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.errors import SourceError

_TYPES = {
    "bool": "?", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "float16": "f2", "float32": "f4", "float64": "f8",
}  # fmt: skip
_PLAIN_V2 = frozenset({"blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma"})
_NAMED_FLOATS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


@dataclass(frozen=True, eq=False)
class ChunkFormat:
    """How an array is cut into objects and how each is decoded; arrays of one document share it.

    Attributes
    ----------
    shape, chunk_shape : tuple of int
    dtype : numpy.dtype
        In native byte order.
    fill_value : object
    """

    shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]
    dtype: np.dtype
    fill_value: object
    stored_dtype: np.dtype
    order: tuple[int, ...]
    """Of the axes as they are stored."""
    codecs: tuple[Decode, ...]
    separator: str
    prefix: str

    @cached_property
    def grid(self) -> RegularGrid:
        """The stored chunks."""
        return RegularGrid(self.shape, self.chunk_shape)

    @cached_property
    def _stored_shape(self) -> tuple[int, ...]:
        return tuple(self.chunk_shape[axis] for axis in self.order)

    @cached_property
    def _to_pixels(self) -> tuple[int, ...] | None:
        """What brings stored axes into the array's order; None where they are in it."""
        axes = tuple(int(axis) for axis in np.argsort(self.order))
        return None if axes == tuple(range(len(axes))) else axes

    @cached_property
    def _nbytes(self) -> int:
        return prod(self.chunk_shape) * self.stored_dtype.itemsize

    def object_name(self, index: Sequence[int]) -> str:
        """Name of a chunk's object, below the array's path."""
        return self.prefix + (self.separator.join(map(str, index)) or "0")

    def decode(self, data: bytes) -> np.ndarray:
        """Return the pixels of an object.

        Raises
        ------
        SourceError
            They are not as many as they should be.
        """
        decoded: Any = data
        for codec in self.codecs:
            decoded = codec(decoded)
        size = memoryview(decoded).nbytes
        if size != self._nbytes:
            raise SourceError(f"a chunk holds {size} bytes of pixels instead of {self._nbytes}")
        pixels = np.frombuffer(decoded, self.stored_dtype).reshape(self._stored_shape)
        if self._to_pixels is not None:
            pixels = pixels.transpose(self._to_pixels)
        return pixels.astype(self.dtype, copy=False)


def chunk_format(document: Mapping[str, Any]) -> ChunkFormat | None:
    """Return how an array's chunks are decoded; None if zarr-python has to do it.

    Parameters
    ----------
    document : mapping
        Its ``zarr.json`` or ``.zarray``.
    """
    try:
        if document.get("zarr_format") == 3:
            return _of_v3(document)
        return _of_v2(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # zarr-python finds words for what is wrong


def _of_v2(document: Mapping[str, Any]) -> ChunkFormat | None:
    stored = np.dtype(document["dtype"])
    compressor = document["compressor"]
    if stored.kind not in "biuf" or document.get("filters"):
        return None
    if compressor is not None and compressor["id"] not in _PLAIN_V2:
        return None
    shape, chunk_shape = tuple(document["shape"]), tuple(document["chunks"])
    axes = tuple(range(len(shape)))
    if document.get("order", "C") == "F":
        axes = axes[::-1]
    nbytes = prod(chunk_shape) * stored.itemsize
    codecs = () if compressor is None else (_decoder(compressor, nbytes, exact=True),)
    fill = document.get("fill_value")
    return ChunkFormat(
        shape,
        chunk_shape,
        stored.newbyteorder("="),
        _fill(fill, stored),
        stored,
        axes,
        codecs,
        document.get("dimension_separator", "."),
        "",
    )


def _of_v3(document: Mapping[str, Any]) -> ChunkFormat | None:
    dtype = np.dtype(_TYPES[document["data_type"]])
    grid, keys = document["chunk_grid"], document["chunk_key_encoding"]
    if grid["name"] != "regular" or document.get("storage_transformers"):
        return None
    shape, chunk_shape = tuple(document["shape"]), tuple(grid["configuration"]["chunk_shape"])
    order: tuple[int, ...] = tuple(range(len(shape)))
    stored: np.dtype | None = None
    decoders: list[Decode] = []
    nbytes = prod(chunk_shape) * dtype.itemsize
    for codec in document["codecs"]:
        name = codec if isinstance(codec, str) else codec["name"]
        options = {} if isinstance(codec, str) else codec.get("configuration") or {}
        if stored is None and name == "transpose" and isinstance(options["order"], list):
            order = tuple(order[axis] for axis in options["order"])
        elif stored is None and name == "bytes":
            stored = dtype.newbyteorder(">" if options.get("endian") == "big" else "<")
        elif stored is not None and name in ("blosc", "zstd", "gzip", "crc32c"):
            decoders.append(_decoder({**options, "id": name}, nbytes, exact=not decoders))
        else:
            return None
    if stored is None:
        return None
    default = name == "default" if isinstance(keys, str) else keys["name"] == "default"
    configuration = {} if isinstance(keys, str) else keys.get("configuration") or {}
    return ChunkFormat(
        shape,
        chunk_shape,
        dtype,
        _fill(document.get("fill_value"), dtype),
        stored,
        order,
        tuple(reversed(decoders)),
        configuration.get("separator", "/" if default else "."),
        f"c{configuration.get('separator', '/')}" if default else "",
    )


def _decoder(options: Mapping[str, Any], nbytes: int, exact: bool) -> Decode:
    """Return the decoder of a codec of either format.

    Raises
    ------
    ValueError
        It is not known.
    """
    # What follows a compressor says little of the size before it.
    decode = bounded_decoder(options, nbytes if exact else 2 * nbytes + SLACK, exact)
    if decode is not None:
        return decode
    if options["id"] == "crc32c":
        result: Decode = numcodecs.CRC32C(location="end").decode
        return result
    raise ValueError(options["id"])


def _fill(value: Any, dtype: np.dtype) -> object:
    if value is None:
        return 0
    if isinstance(value, str):
        value = _NAMED_FLOATS[value]  # others (in hexadecimal, in base 64) zarr-python knows
    return dtype.type(value)
