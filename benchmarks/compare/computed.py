"""Levels that nobody stores: each pixel is computed when it is asked for, in a given time.

Invariants: pixels follow from their place alone; none is 0, as in the stored planes; what is
computed is counted by chunks of `CHUNK` pixels a side.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

CHUNK = 256


class ComputedLevel:
    """A level of a plane, of waves.

    Parameters
    ----------
    size : int
        Pixels a side of level 0.
    level : int
        Each halves the one before.
    """

    def __init__(self, size: int, level: int) -> None:
        self._step = 2**level
        self.shape = (size >> level, size >> level)
        self.dtype = np.dtype(np.uint16)
        self.chunks = (CHUNK, CHUNK)
        self.ndim = 2
        self.size = self.shape[0] * self.shape[1]
        self.nbytes = 2 * self.size
        self._lock = threading.Lock()
        self.read_chunks = self.read_bytes = 0

    def __getitem__(self, index: Any) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        rows, columns = (*index, slice(None), slice(None))[:2]
        y, x = (self._places(axis, wanted) for axis, wanted in enumerate((rows, columns)))
        waves = sum(
            np.sin(y / length + 1.3)[:, None] * np.cos(x / length)
            for length in (11, 97, 701, 4801)
        )
        pixels = (30_000 + 6_000 * waves).astype(np.uint16)
        with self._lock:
            self.read_chunks += -(-len(y) // CHUNK) * -(-len(x) // CHUNK)
            self.read_bytes += pixels.nbytes
        return pixels[
            tuple(slice(None) if isinstance(wanted, slice) else 0 for wanted in (rows, columns))
        ]

    def _places(self, axis: int, wanted: Any) -> np.ndarray:
        places = np.arange(self.shape[axis], dtype=np.float32)[wanted]
        return (np.atleast_1d(places) + np.float32(0.5)) * np.float32(self._step)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype)


def computed_plane(size: int) -> list[ComputedLevel]:
    """All levels of a plane, down to one chunk."""
    return [ComputedLevel(size, level) for level in range(max(1, (size // CHUNK).bit_length()))]
