"""One open TIFF file of this process, shared by all arrays that read from it.

Invariants: any thread may call; pages are parsed under a lock, bytes are read without one (each
read says its own offset); a file is opened when it is first read and closed with the last array
that uses it. A file that was written anew is another file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_octree.sources.errors import SourceError

PAGES_REMEMBERED = 512
"""Pages of which the places of all tiles are kept: a page of a slide has some 100,000."""


@dataclass(frozen=True)
class FileVersion:
    """Which file, and which writing of it.

    Attributes
    ----------
    path : str
        Absolute.
    mtime_ns : int
    size : int
        Bytes.
    """

    path: str
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> FileVersion:
        """Return the version that is on disk now.

        Raises
        ------
        OSError
        """
        resolved = Path(path).resolve()
        status = resolved.stat()
        return cls(str(resolved), status.st_mtime_ns, status.st_size)


@dataclass(frozen=True, eq=False)
class PageSegments:
    """Where the tiles or strips of one page lie, and how they are decoded.

    Attributes
    ----------
    path : str
        The file: OME images may have pages in several.
    offsets, byte_counts : sequence of int
        One per tile or strip, row by row; a count of 0 is a tile that was not stored.
    decode : callable
        `decode(bytes, index)` gives the pixels of shape (depth, rows, columns, samples).
    """

    path: str
    offsets: Sequence[int]
    byte_counts: Sequence[int]
    decode: Callable[[bytes, int], np.ndarray | None]


class OpenTiffFile:
    """A TIFF file, parsed once.

    Parameters
    ----------
    version : FileVersion

    Raises
    ------
    SourceError
        It is not there, not a TIFF file, or damaged.
    """

    def __init__(self, version: FileVersion) -> None:
        self.version = version
        self._lock = threading.Lock()
        self._descriptors: dict[str, int] = {}
        self._pages: OrderedDict[tuple[int, int, int], PageSegments | None] = OrderedDict()
        with _hear_of_damage() as damage:
            self._tiff = _parse(version.path)
        self.damage = tuple(damage)
        """What is missing or broken in a file that can be shown nevertheless."""
        self._end = weakref.finalize(self, _close, self._tiff, self._descriptors)

    @property
    def tiff(self) -> tifffile.TiffFile:
        """The parsed file; ask it for metadata only, and in one thread at a time."""
        return self._tiff

    def page(self, series: int, level: int, index: int) -> PageSegments | None:
        """Return where page `index` of a level of a series has its tiles; None: it is missing.

        Raises
        ------
        SourceError
            The page cannot be parsed or decoded.
        """
        key = (series, level, index)
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
                return self._pages[key]
            try:
                page = self._tiff.series[series].levels[level].pages[index]
                found = None if page is None else _segments(page)
            except Exception as error:  # tifffile raises what struct, numpy and XML raise
                raise SourceError(
                    f"{self.version.path}: page {index} of series {series} cannot be read: {error}"
                ) from error
            self._pages[key] = found
            if len(self._pages) > PAGES_REMEMBERED:
                self._pages.popitem(last=False)
            return found

    def read(self, path: str, offset: int, count: int) -> bytes:
        """Read bytes of the file or of one that belongs to it (any thread, no lock held).

        Raises
        ------
        OSError
        """
        descriptor = self._descriptors.get(path)
        if descriptor is None:
            with self._lock:
                descriptor = self._descriptors.get(path)
                if descriptor is None:
                    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
                    descriptor = self._descriptors[path] = os.open(path, flags)
        if hasattr(os, "pread"):
            return os.pread(descriptor, count, offset)
        with self._lock:  # Windows: reading moves the one position of the file
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, count)


_OPEN: weakref.WeakValueDictionary[FileVersion, OpenTiffFile] = weakref.WeakValueDictionary()
_OPEN_LOCK = threading.Lock()


def open_tiff_file(version: FileVersion) -> OpenTiffFile:
    """Return the process's one open file of this version (any thread; keep it to keep it open).

    Raises
    ------
    SourceError
    """
    with _OPEN_LOCK:
        opened = _OPEN.get(version)
        if opened is None:
            opened = _OPEN[version] = OpenTiffFile(version)
        return opened


def _parse(path: str) -> tifffile.TiffFile:
    try:
        tiff = tifffile.TiffFile(path)
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise SourceError(f"{path}: may not be read: {error}") from error
    except Exception as error:  # tifffile raises what struct raises
        raise SourceError(f"{path}: not a TIFF file that can be read: {error}") from error
    try:
        if not tiff.series:
            raise ValueError("it has no images")
    except Exception as error:  # as above, and what XML raises
        tiff.close()
        raise SourceError(f"{path}: a TIFF file whose images cannot be read: {error}") from error
    return tiff


DAMAGE = re.compile("invalid page offset|circular reference|failed to read|corrupted")
"""Of what tifffile writes to its log, that which a person should know who looks at the image."""


@contextlib.contextmanager
def _hear_of_damage() -> Iterator[list[str]]:
    """Collect what tifffile says of damage in this thread: it writes to its log only."""
    heard: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if record.thread == thread and DAMAGE.search(message):
                heard.append(re.sub("<[^>]*> ?", "", message))

    listener, log = Listener(), tifffile.logger()
    log.addHandler(listener)
    try:
        yield heard
    finally:
        log.removeHandler(listener)


def _segments(page: Any) -> PageSegments:
    keyframe = page.keyframe
    decode = keyframe.decode  # a cached property: made here, under the lock
    tables, header = page.jpegtables, keyframe.jpegheader

    def decoded(data: bytes, index: int) -> np.ndarray | None:
        pixels, _, _ = decode(data, index, jpegtables=tables, jpegheader=header, _fullsize=True)
        return None if pixels is None else np.asarray(pixels)

    path = os.path.join(page.parent.filehandle.dirname, page.parent.filehandle.name)
    return PageSegments(path, page.dataoffsets, page.databytecounts, decoded)


def _close(tiff: tifffile.TiffFile, descriptors: dict[str, int]) -> None:
    for descriptor in descriptors.values():
        with contextlib.suppress(OSError):
            os.close(descriptor)
    with contextlib.suppress(Exception):
        tiff.close()
