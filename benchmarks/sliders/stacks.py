"""Stacks whose planes can be told apart on the screen, and that count what is read of them.

Invariants: plane z is `z` steps brighter than plane 0; a read waits `latency_s` once, however much
it reads (as a store that reads chunks side by side); no pixels are stored for large stacks.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

STEP = 500
"""By how much a plane is brighter than the one before."""


class Stack:
    """A (planes, side, side) array of uint16.

    Parameters
    ----------
    shape : (int, int, int)
    chunk : int or None
        Side of a chunk of one plane; None: no chunks of its own.
    latency_s : float
        Per read.
    kept : bool
        Hold all pixels, so that a read computes nothing.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        chunk: int | None,
        latency_s: float = 0.0,
        *,
        kept: bool = False,
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(np.uint16)
        self.ndim = 3
        self.size = int(np.prod(shape))
        if chunk is not None:
            self.chunks = (1, chunk, chunk)
        self._tile = np.random.default_rng(0).integers(0, STEP // 2, (512, 512), np.uint16)
        self._latency_s = latency_s
        self._lock = threading.Lock()
        self.chunks_read = 0
        self.planes_read: list[int] = []
        self.reads: list[tuple[float, int, int]] = []
        """Of each plane of each read: when, which, and how many chunks of it."""
        self._pixels = self._computed([range(n) for n in shape]) if kept else None

    def __getitem__(self, index: Any) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        index = (*index, *(slice(None),) * (3 - len(index)))
        ranges = [
            range(n)[i] if isinstance(i, slice) else range(int(i), int(i) + 1)
            for i, n in zip(index, self.shape, strict=True)
        ]
        self._count(ranges)
        if self._latency_s:
            time.sleep(self._latency_s)
        if self._pixels is not None:
            return self._pixels[index].copy()  # as a store would, which hands out no views
        axes = tuple(slice(None) if isinstance(i, slice) else 0 for i in index)
        return self._computed(ranges)[axes]

    def _computed(self, ranges: list[range]) -> np.ndarray:
        planes, rows, columns = (np.fromiter(r, np.intp, len(r)) for r in ranges)
        plane = self._tile[np.ix_(rows % 512, columns % 512)]
        return plane[np.newaxis] + (STEP * planes.astype(np.uint16))[:, np.newaxis, np.newaxis]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :, :], dtype=dtype)

    def _count(self, ranges: list[range]) -> None:
        chunks = getattr(self, "chunks", self.shape)
        planes, rows, columns = (
            (r[-1] // n - r[0] // n + 1) if len(r) else 0
            for r, n in zip(ranges, chunks, strict=True)
        )
        now = time.perf_counter()
        with self._lock:
            self.chunks_read += planes * rows * columns
            self.planes_read += list(ranges[0])
            self.reads += [(now, plane, rows * columns) for plane in ranges[0]]


def pyramid(planes: int, side: int, chunk: int, latency_s: float) -> list[Stack]:
    """Levels of which each halves the one before, down to one chunk."""
    levels = []
    while True:
        levels.append(Stack((planes, side, side), chunk, latency_s))
        if side <= chunk:
            return levels
        side //= 2


def in_memory(planes: int, side: int, dtype: str = "uint16") -> np.ndarray:
    """A stack that really is in memory."""
    tile = np.random.default_rng(0).integers(0, STEP // 2, (512, 512), np.uint16)
    plane = np.tile(tile, (side // 512, side // 512))
    stack = np.empty((planes, side, side), dtype)
    for z in range(planes):
        np.add(plane, STEP * z, out=stack[z], casting="unsafe")
    return stack
