"""Decoders of compressed chunks that give no more than is due.

A chunk of a few kilobytes may unpack to gigabytes, and the libraries' decoders unpack whatever
they are given.

Invariants: pure; what would be more than `most` bytes is an error before memory is taken for it:
found in the header where that says the size, else by unpacking up to that many bytes.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numcodecs
import numpy as np

from napari_octree.sources.errors import SourceError

Decode = Callable[[Any], Any]

BLOCK = 128 * 2**10
"""Bytes of a block of zstd, at most (RFC 8878, 3.1.1.2.4)."""
ZSTD = 0xFD2FB528
SKIPPABLE = 0x184D2A50, 0xFFFFFFF0
"""Magic number of frames to be passed over, and its mask."""
MOST_DICTIONARY = 2**30
"""Bytes that lzma may take for its own work."""


def bounded_decoder(options: Mapping[str, Any], most: int, exact: bool) -> Decode | None:
    """Return the decoder of a codec.

    Parameters
    ----------
    options : mapping
        As numcodecs has them: "id", and for lzma "format" and "filters".
    most : int
        Bytes of a decoded chunk.
    exact : bool
        It has neither more nor fewer.

    Returns
    -------
    callable or None
        None for codecs that do not compress, and those not known here. It raises `SourceError`
        for what is too large, and other errors for what is broken.
    """
    kind = options["id"]
    if kind in ("gzip", "zlib"):
        return partial(_unpacked, partial(zlib.decompressobj, 31 if kind == "gzip" else 15), most)
    if kind == "bz2":
        return partial(_unpacked, bz2.BZ2Decompressor, most)
    if kind == "lzma":
        return partial(_unpacked, partial(_lzma_decompressor, options), most)
    if kind == "zstd":
        return partial(_zstd, numcodecs.Zstd(), most, exact)
    if kind in ("blosc", "lz4"):
        announced = _blosc_size if kind == "blosc" else _lz4_size
        plain = numcodecs.Blosc() if kind == "blosc" else numcodecs.LZ4()
        return partial(_announced, plain.decode, announced, most)
    return None


def blosc_size(head: bytes) -> int:
    """Return how many bytes a chunk of blosc says that it unpacks to; needs its first 8 bytes."""
    return int.from_bytes(head[4:8], "little")


def too_large(size: int | str, most: int) -> SourceError:
    """Return the error of a chunk that would unpack to `size` bytes instead of `most`."""
    told = f"{size:,}" if isinstance(size, int) else size
    return SourceError(
        f"a chunk that would unpack to {told} bytes, where at most {most:,} make sense; "
        "it is not read"
    )


def _announced(decode: Decode, size_of: Callable[[Any], int], most: int, data: Any) -> Any:
    size = size_of(data)
    if size > most:
        raise too_large(size, most)
    return decode(data)


def _blosc_size(data: Any) -> int:
    """Return what a whole chunk of blosc unpacks to.

    Its decoder takes the packed size from the header too (bytes 12 to 15), and reads on behind
    the end of a chunk that was cut off: pixels of chance.
    """
    head = bytes(memoryview(data).cast("B")[:16])
    if len(head) < 16 or int.from_bytes(head[12:], "little") > memoryview(data).nbytes:
        raise EOFError("a compressed chunk ends too soon")
    return blosc_size(head)


def _lz4_size(data: Any) -> int:
    return int.from_bytes(bytes(memoryview(data)[:4]), "little")


def _unpacked(new: Callable[[], Any], most: int, data: Any) -> bytes:
    """Unpack all streams of `data`, as gzip, bz2 and lzma may have several one after the other."""
    rest: Any = memoryview(data).cast("B")
    parts: list[bytes] = []
    left = most
    while True:
        stream = new()
        parts.append(stream.decompress(rest, left + 1))
        left -= len(parts[-1])
        if left < 0:
            raise too_large("more", most)
        if not stream.eof:
            raise EOFError("a compressed chunk ends too soon")
        rest = stream.unused_data.lstrip(b"\0")  # gzip may be padded with zeros
        if not rest:
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _lzma_decompressor(options: Mapping[str, Any]) -> lzma.LZMADecompressor:
    kind = options.get("format", lzma.FORMAT_XZ)
    limit = None if kind == lzma.FORMAT_RAW else MOST_DICTIONARY
    filters = options.get("filters") if kind == lzma.FORMAT_RAW else None
    return lzma.LZMADecompressor(format=kind, memlimit=limit, filters=filters)


def _zstd(codec: Any, most: int, exact: bool, data: Any) -> Any:
    size, is_said = zstd_size(memoryview(data).cast("B"))
    if size > most and (is_said or not exact):
        raise too_large(size, most)
    if is_said or not exact:
        return codec.decode(data)
    try:  # it fills the buffer or fails
        return codec.decode(data, out=np.empty(most, "u1"))
    except RuntimeError as error:
        raise SourceError(f"a chunk that is not of {most:,} bytes: {error}") from error


def zstd_size(data: bytes | memoryview) -> tuple[int, bool]:
    """Return how many bytes frames of zstd unpack to (RFC 8878), and whether they say so.

    Where they do not, it is the most that their blocks can hold.
    """
    total, at, is_said = 0, 0, True
    while at + 8 < len(data):
        magic = int.from_bytes(data[at : at + 4], "little")
        if magic & SKIPPABLE[1] == SKIPPABLE[0]:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if magic != ZSTD:
            break
        flags = data[at + 4]
        is_single = flags >> 5 & 1
        at += 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
        width = (is_single, 2, 4, 8)[flags >> 6]
        said = int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)
        at += width
        held, is_last = 0, False
        while not is_last and at + 3 <= len(data):
            header = int.from_bytes(data[at : at + 3], "little")
            is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
            held += size if kind < 2 else BLOCK
            at += 3 + (1 if kind == 1 else size)
        at += 4 * (flags >> 2 & 1)
        total += said if width else held
        is_said &= bool(width)
    return total, is_said
