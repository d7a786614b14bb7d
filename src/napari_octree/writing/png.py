"""PNG pictures of any size, written row by row.

Invariants: what is held in memory are a few MiB beside the rows that are handed over; the file
has another name until all rows are there, so that a failure or a cancel leaves nothing under the
final one.
Source: https://www.w3.org/TR/png-3.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from napari_octree.writing.errors import WritingError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_SIDE = 2**31 - 1
COLOUR_TYPES = {3: 2, 4: 6}
PIECE_BYTES = 2**22
"""Rows are filtered and compressed so many bytes at once."""
UP = 2
"""The filter: each byte is told by its difference to the one above."""


class PngWriter:
    """Writes a picture of 8 bits a colour; a context.

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
        There is no such folder, or it may not be written to.
    """

    def __init__(self, path: str | Path, width: int, height: int, colours: int = 4) -> None:
        if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
            raise WritingError(f"{path}: a picture of {width} × {height} pixels is no picture")
        self.path = Path(path).resolve()  # what a link points to is replaced, not the link
        self.shape = (height, width, colours)
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._zlib = zlib.compressobj(6)
        self._above = np.zeros((1, width * colours), np.uint8)
        self._rows = 0
        self._file: BinaryIO | None = None
        try:
            self._file = self._part.open("wb")
            self._file.write(SIGNATURE)
            self._chunk(
                b"IHDR", struct.pack(">2I5B", width, height, 8, COLOUR_TYPES[colours], 0, 0, 0)
            )
        except OSError as error:
            self._drop()
            raise self._failed(error) from error

    def write(self, rows: np.ndarray) -> None:
        """Write the next rows.

        Parameters
        ----------
        rows : numpy.ndarray
            uint8, (rows, width, colours).

        Raises
        ------
        WritingError
            The disk is full, or what else goes wrong.
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
        np.subtract(flat, np.concatenate([self._above, flat[:-1]]), out=filtered[:, 1:])
        self._above = flat[-1:].copy()
        self._rows += len(flat)
        try:
            self._chunk(b"IDAT", self._zlib.compress(filtered.data))
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the file its name, or remove it if anything was raised or rows are missing."""
        try:
            if kind is None:
                if self._rows != self.shape[0]:
                    raise WritingError(f"{self.path}: {self._rows} of {self.shape[0]} rows")
                self._finish()
        finally:
            self._drop()

    def _finish(self) -> None:
        assert self._file is not None
        try:
            self._chunk(b"IDAT", self._zlib.flush())
            self._chunk(b"IEND", b"")
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error

    def _chunk(self, kind: bytes, data: bytes) -> None:
        if data or kind != b"IDAT":
            assert self._file is not None
            checksum = zlib.crc32(data, zlib.crc32(kind))
            self._file.write(struct.pack(">I", len(data)) + kind)
            self._file.write(data)
            self._file.write(struct.pack(">I", checksum))

    def _drop(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError:  # what is left in its buffer finds no place
            pass
        self._part.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> WritingError:
        return WritingError(f"{self.path}: cannot be written: {error.strerror or error}")
