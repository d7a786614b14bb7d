"""Zip archives on a network, read by ranges: the directory at the end, then one object each.

Invariants: the archive is never fetched as a whole (but from servers without ranges); an object
costs one request, of a part of one two; what an object says that it unpacks to is its bound.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from zarr.abc.store import RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype

from napari_octree.sources.errors import SourceError
from napari_octree.sources.stores.body_size import check_body

TAIL = 22 + 2**16 + 20 + 56
"""Bytes at the end that hold what ends the directory: a record, a comment, records of zip64."""
LARGEST_DIRECTORY = 2**28
LOCAL_HEADER = 30
EXTRA = 256
"""Bytes of what follows the name in a local header, mostly; else one more request is made."""
STORED, DEFLATED = 0, 8


@dataclass(frozen=True)
class Entry:
    """An object in the archive."""

    offset: int
    packed: int
    size: int
    method: int
    name_length: int


class RemoteZipStore(Store):
    """Objects of an archive that lies in another store.

    Parameters
    ----------
    base : Store
    name : str
        Of the archive in it.
    address : str
        Of the archive, without secrets.
    entries : dict of str to Entry
    """

    supports_writes = supports_deletes = False
    supports_listing = False

    def __init__(self, base: Store, name: str, address: str, entries: dict[str, Entry]) -> None:
        super().__init__(read_only=True)
        self._base = base
        self._name = name
        self.address = address
        self._entries = entries
        self._starts: dict[int, int] = {}

    def __str__(self) -> str:
        return self.address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteZipStore) and other.identity == self.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    @property
    def identity(self) -> Hashable:
        """Equal for two stores of the same archive: buckets of two servers may share a name."""
        return (self.address, getattr(self._base, "identity", None))

    def nbytes_of(self, name: str) -> int | None:
        """Bytes of an object once it is read; None if it is not there."""
        entry = self._entries.get(name)
        return None if entry is None else entry.size

    @property
    def names(self) -> dict[str, int]:
        """Sizes of the objects, unpacked, by name."""
        return {name: entry.size for name, entry in self._entries.items()}

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Fetch an object, or a part of it."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        check_body(key, entry.size)
        begin = entry.offset
        head = LOCAL_HEADER + entry.name_length + EXTRA
        if byte_range is not None and entry.method == STORED and entry.size > 2**16:
            start = await self._start(begin)
            first, last = _bounds(byte_range, entry.size)
            return prototype.buffer.from_bytes(await self._part(start + first, start + last))
        data = await self._part(begin, begin + head + entry.packed)
        skip = _header_size(data, self.address)
        packed = data[skip : skip + entry.packed]
        if len(packed) < entry.packed:
            packed = await self._part(begin + skip, begin + skip + entry.packed)
        whole = _unpacked(packed, entry, f"{self.address}/{key}")
        if byte_range is not None:
            first, last = _bounds(byte_range, len(whole))
            whole = whole[first:last]
        return prototype.buffer.from_bytes(whole)

    async def _start(self, offset: int) -> int:
        """Where an object's bytes begin."""
        known = self._starts.get(offset)
        if known is None:
            head = await self._part(offset, offset + LOCAL_HEADER)
            known = self._starts[offset] = offset + _header_size(head, self.address)
        return known

    async def _part(self, start: int, stop: int) -> bytes:
        found = await self._base.get(
            self._name, default_buffer_prototype(), RangeByteRequest(start, stop)
        )
        if found is None:
            raise FileNotFoundError(self.address)
        result: bytes = found.to_bytes()
        return result

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[Any]) -> Any:
        """Fetch parts of objects."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return key in self._entries

    async def set(self, key: str, value: Any) -> None:
        """Refuse to write."""
        raise NotImplementedError("read only")

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        raise NotImplementedError("read only")

    async def _names(self, prefix: str) -> AsyncIterator[str]:
        for name in self._entries:
            if name.startswith(prefix):
                yield name

    def list(self) -> AsyncIterator[str]:
        """Yield all names."""
        return self._names("")

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield names that begin so."""
        return self._names(prefix)

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield what lies in a folder."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        below = (n[len(start) :].split("/")[0] for n in self._entries if n.startswith(start))
        for name in dict.fromkeys(below):
            yield name


async def open_remote_zip(base: Store, name: str, address: str) -> RemoteZipStore | None:
    """Open an archive that lies in a store; None if there is none of that name.

    Raises
    ------
    SourceError
        It is no archive.
    """
    prototype = default_buffer_prototype()
    tail = await base.get(name, prototype, SuffixByteRequest(TAIL))
    if tail is None:
        return None
    start, size = _directory(tail.to_bytes(), address)
    if size > LARGEST_DIRECTORY:
        raise SourceError(f"{address}: an archive whose directory has {size} bytes")
    found = (
        await base.get(name, prototype, RangeByteRequest(start, start + size)) if size else None
    )
    entries = {} if found is None else dict(_entries(found.to_bytes(), address))
    return RemoteZipStore(base, name, address, entries)


def _directory(tail: bytes, address: str) -> tuple[int, int]:
    """Return where the directory begins, and its size."""
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise SourceError(f"{address}: a zip archive that cannot be read: it has no directory")
    size, start = struct.unpack("<LL", tail[at + 12 : at + 20])
    locator = tail[at - 20 : at] if at >= 20 else b""
    if 0xFFFFFFFF in (size, start) or locator[:4] == b"PK\6\7":
        end = tail.rfind(b"PK\6\6", 0, at)
        if end >= 0 and len(tail) >= end + 56:
            size, start = struct.unpack("<QQ", tail[end + 40 : end + 56])
    return start, size


def _entries(data: bytes, address: str) -> Iterator[tuple[str, Entry]]:
    at = 0
    while data[at : at + 4] == b"PK\1\2" and len(data) >= at + 46:
        flags, method = struct.unpack("<HH", data[at + 8 : at + 12])
        packed, size, n, extra, comment = struct.unpack("<LLHHH", data[at + 20 : at + 34])
        (offset,) = struct.unpack("<L", data[at + 42 : at + 46])
        name = data[at + 46 : at + 46 + n].decode("utf-8" if flags & 0x800 else "cp437", "replace")
        size, packed, offset = _of_zip64(
            data[at + 46 + n : at + 46 + n + extra], size, packed, offset
        )
        if not name.endswith(("/", "\\")):
            if flags & 1:
                raise SourceError(f"{address}: {name} in the archive is encrypted")
            yield object_name(name), Entry(offset, packed, size, method, n)
        at += 46 + n + extra + comment


def object_name(name: str) -> str:
    """Return the name of an object whose name in an archive is this.

    Some programs write backslashes, or begin with ``./`` or ``/``, which the format forbids.
    """
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _of_zip64(extra: bytes, *values: int) -> tuple[int, ...]:
    """Return size, packed size and offset, from the extra field where they are too large."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            large = iter(
                struct.unpack(f"<{length // 8}Q", extra[at + 4 : at + 4 + length // 8 * 8])
            )
            return tuple(next(large, v) if v == 0xFFFFFFFF else v for v in values)
        at += 4 + length
    return values


def _header_size(data: bytes, address: str) -> int:
    if data[:4] != b"PK\3\4" or len(data) < LOCAL_HEADER:
        raise SourceError(f"{address}: a zip archive that cannot be read: an object is not there")
    name, extra = struct.unpack("<HH", data[26:30])
    return LOCAL_HEADER + int(name) + int(extra)


def _unpacked(packed: bytes, entry: Entry, where: str) -> bytes:
    if entry.method == STORED:
        return packed
    if entry.method != DEFLATED:
        raise SourceError(f"{where}: is packed by method {entry.method}, which is not known here")
    data = zlib.decompressobj(-15).decompress(packed, entry.size + 1)
    if len(data) != entry.size:
        raise SourceError(f"{where}: does not unpack to {entry.size} bytes as the archive says")
    return data


def _bounds(byte_range: Any, size: int) -> tuple[int, int]:
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, min(byte_range.end, size)
    if isinstance(byte_range, SuffixByteRequest):
        return max(size - byte_range.suffix, 0), size
    return byte_range.offset, size
