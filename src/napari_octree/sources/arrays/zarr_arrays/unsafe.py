"""Zarr arrays that must not be read: pixels that are no numbers, chunks beyond any memory.

Invariants: reads nothing; says what is wrong in words, or None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import zarr

from napari_octree.sources.protocol import MAX_AXIS_PIXELS

LARGEST_CHUNK = 2**31
"""Bytes of a decoded chunk: compressors of zarr hold no more, and it has to fit the memory."""
MOST_AXES = 16
UNSAFE_CODECS = ("pickle",)
"""Codecs that run what is in the file."""
OBJECT_CODECS = ("json2", "msgpack2", "vlen-utf8", "vlen-bytes", "vlen-array", "categorize")
"""Codecs whose result is no array of numbers."""


def problem_of(array: zarr.Array[Any]) -> str | None:
    """Why this array cannot be shown, or None."""
    if array.dtype.kind == "c":
        return (
            f"complex pixels ({array.dtype}) cannot be shown; "
            "give the real part, the magnitude or the phase"
        )
    if array.dtype.kind not in "buif":
        return f"pixels of type {array.dtype} cannot be shown"
    if len(array.shape) < 2:
        return f"has the shape {array.shape}; an image needs at least two axes"
    if len(array.shape) > MOST_AXES:
        return f"has {len(array.shape)} axes; at most {MOST_AXES} can be shown"
    if 0 in array.shape:
        return f"has no pixels, since an axis has size zero: shape {array.shape}"
    if min(array.shape) < 0 or min(array.chunks) < 1:
        return f"has the shape {array.shape} and chunks of {array.chunks}"
    if max(array.shape) > MAX_AXIS_PIXELS:
        return (
            f"has an axis of {max(array.shape)} pixels; napari's sliders count to less than "
            "10^9, so leave out the finest levels or cut the axis"
        )
    # Chunks may be larger than the array: what is stored, and decoded, is the whole chunk.
    size = math.prod(int(n) for n in array.chunks) * array.dtype.itemsize
    if size > LARGEST_CHUNK:
        return (
            f"has chunks of {tuple(array.chunks)} pixels, {size / 2**30:.1f} GiB each; "
            f"more than {LARGEST_CHUNK // 2**30} GiB cannot be read"
        )
    return codec_problem(array)


def codec_problem(array: zarr.Array[Any]) -> str | None:
    """Why the chunks of this array must not be decoded, or None."""
    for name in codec_names(array):
        plain = name.rpartition(".")[2]
        if plain in UNSAFE_CODECS:
            return f"is stored with the codec {name!r}, which runs code of the file"
        if plain in OBJECT_CODECS:
            return f"is stored with the codec {name!r}, which holds objects, not pixels"
    return None


def codec_names(array: zarr.Array[Any]) -> Iterator[str]:
    """The names of all codecs of an array."""
    metadata: dict[str, Any] = dict(array.metadata.to_dict())
    values: list[Any] = [metadata.get("compressor")]
    for key in ("filters", "codecs"):
        values += list(metadata.get(key) or ())
    while values:
        value = values.pop()
        if isinstance(value, Mapping):
            name = value.get("id") or value.get("name")
            values += list((value.get("configuration") or {}).get("codecs") or ())
        else:
            name = getattr(value, "codec_id", None)
        if isinstance(name, str):
            yield name
