"""PNG pictures of any size, written row by row.

Invariants: rows are compressed in threads while the caller makes the next ones; what is held in
memory are a few MiB for each thread beside the rows that are handed over. The file has another
name until all rows are there, so that a failure or a cancel leaves nothing under the final one.
Source: https://www.w3.org/TR/png-3, https://www.rfc-editor.org/rfc/rfc1950 and rfc1951.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from napari_octree.writing.errors import WritingError
from napari_octree.writing.unfinished import unfinished

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_SIDE = 2**31 - 1
COLOUR_TYPES = {3: 2, 4: 6}
PIECE_BYTES = 2**22
"""Rows are filtered and compressed so many bytes at once."""
UP = 2
"""The filter: each byte is told by its difference to the one above."""
LEVEL = 2
"""Of zlib: 6 to 9 times as fast as its default, for files that are 6 to 20% larger."""
WORKERS = min(os.cpu_count() or 1, 4)

ZLIB_HEADER = b"\x78\x5e"
LAST_BLOCK = b"\x03\x00"
"""An empty block that says that no more follow."""


class PngWriter:
    """Writes a picture of 8 bits a colour; a context, of one thread.

    Parameters
    ----------
    path : path-like
        Replaced when all is written.
    width, height : int
    colours : {3, 4}
        RGB or RGBA.

    Raises
    ------
    WritingError
        It is no size of a picture; on entering: there is no such folder, or it may not be
        written to.
    """

    def __init__(self, path: str | Path, width: int, height: int, colours: int = 4) -> None:
        if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
            raise WritingError(f"{path}: a picture of {width} × {height} pixels is no picture")
        self.path = Path(path)
        self.shape = (height, width, colours)
        self._above = np.zeros((1, width * colours), np.uint8)
        self._rows = 0
        self._checksum = zlib.adler32(b"")
        self._compressed: deque[Future[bytes]] = deque()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            part = stack.enter_context(unfinished(self.path))
            self._file: BinaryIO = stack.enter_context(part.open("wb"))
            self._pool = ThreadPoolExecutor(WORKERS, "octree-png")
            stack.callback(self._pool.shutdown, cancel_futures=True)
            height, width, colours = self.shape
            self._file.write(SIGNATURE)
            self._chunk(
                b"IHDR", struct.pack(">2I5B", width, height, 8, COLOUR_TYPES[colours], 0, 0, 0)
            )
            self._chunk(b"IDAT", ZLIB_HEADER)
            self._open = stack.pop_all()
        return self

    def write(self, rows: np.ndarray) -> None:
        """Write the next rows; they may be changed afterwards.

        Parameters
        ----------
        rows : numpy.ndarray
            uint8, (rows, width, colours).

        Raises
        ------
        OSError
            The disk is full, or what else goes wrong; a `WritingError` when it leaves the context.
        """
        if rows.dtype != np.uint8 or rows.shape[1:] != self.shape[1:]:
            raise ValueError(f"rows of {rows.shape} {rows.dtype} for a picture of {self.shape}")
        at_once = max(PIECE_BYTES // (rows.shape[1] * rows.shape[2]), 1)
        for first in range(0, len(rows), at_once):
            self._write(rows[first : first + at_once])

    def _write(self, rows: np.ndarray) -> None:
        flat = rows.reshape(len(rows), -1)
        filtered = np.empty((len(flat), flat.shape[1] + 1), np.uint8)
        filtered[:, 0] = UP
        np.subtract(flat[:1], self._above, out=filtered[:1, 1:])
        np.subtract(flat[1:], flat[:-1], out=filtered[1:, 1:])
        self._above = flat[-1:].copy()
        self._rows += len(flat)
        self._checksum = zlib.adler32(filtered.data, self._checksum)
        self._compressed.append(self._pool.submit(_compress, filtered))
        self._take(WORKERS)

    def _take(self, left: int) -> None:
        """Write what is compressed, in order, until so many pieces are on their way."""
        while len(self._compressed) > left or (self._compressed and self._compressed[0].done()):
            self._chunk(b"IDAT", self._compressed.popleft().result())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the file its name, or remove it if anything was raised or rows are missing."""
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:
            if self._rows != self.shape[0]:
                raise WritingError(f"{self.path}: {self._rows} of {self.shape[0]} rows")
            self._take(0)
            self._chunk(b"IDAT", LAST_BLOCK + struct.pack(">I", self._checksum))
            self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, data: bytes) -> None:
        checksum = zlib.crc32(data, zlib.crc32(kind))
        self._file.write(struct.pack(">I", len(data)) + kind)
        self._file.write(data)
        self._file.write(struct.pack(">I", checksum))


def _compress(filtered: np.ndarray) -> bytes:
    """Blocks of deflate that can follow, and be followed by, others."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(filtered.data) + compressor.flush(zlib.Z_FULL_FLUSH)
