"""The image that is browsed: a generated uint16 pyramid, and the stores it is read from.

Invariants: the same size gives the same pixels; no pixel is 0, so that a picture without
background pixels is a whole picture; a level is the 2 × 2 mean of the level before.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore, WrapperStore

CHUNK = 256
STRIP = 2048
COARSEST = 256


def write_pyramid(folder: Path, size: int) -> None:
    """Write levels `0`, `1`, … (size², size²/4, …) as zarr v3 arrays of 256² chunks.

    Parameters
    ----------
    folder : Path
    size : int
        Pixels per side of level 0; a power of two, at least 256.
    """
    level, level_size = 0, size
    below: zarr.Array | None = None
    while True:
        array = zarr.create_array(
            LocalStore(folder / str(level)),
            shape=(level_size, level_size),
            chunks=(CHUNK, CHUNK),
            dtype="uint16",
        )
        step = min(STRIP, level_size)
        for start in range(0, level_size, step):
            if below is None:
                array[start : start + step] = _pixels(start, step, level_size)
            else:
                array[start : start + step] = _halved(below[2 * start : 2 * (start + step)])
        if level_size <= COARSEST:
            return
        level, level_size, below = level + 1, level_size // 2, array


def _pixels(start: int, rows: int, size: int) -> np.ndarray:
    """Waves of many lengths with some noise: something to see at every zoom."""
    y = np.arange(start, start + rows, dtype=np.float32)[:, np.newaxis]
    x = np.arange(size, dtype=np.float32)
    waves = sum(np.sin(y / length + 1.3) * np.cos(x / length) for length in (11, 97, 701, 4801))
    noise = np.random.default_rng(start).integers(0, 2048, (rows, size), np.uint16)
    return (30_000 + 6_000 * waves).astype(np.uint16) + noise


def _halved(pixels: np.ndarray) -> np.ndarray:
    rows, columns = pixels.shape
    return pixels.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)).astype(np.uint16)


class LatencyStore(WrapperStore[Store]):
    """A store that waits before it hands out a chunk, as a distant one does, and counts chunks.

    Reads wait side by side; how many run at once is up to the reader.
    """

    def __init__(self, store: Store, latency_s: float = 0.0) -> None:
        super().__init__(store)
        self.latency_s = latency_s
        self.chunks_read = 0
        self._lock = threading.Lock()

    def _with_store(self, store: Store) -> LatencyStore:
        return type(self)(store, self.latency_s)

    async def get(self, key: str, *args: Any, **keywords: Any) -> Any:
        """Wait, count and read."""
        if not key.endswith("zarr.json"):
            with self._lock:
                self.chunks_read += 1
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
        return await self._store.get(key, *args, **keywords)


class Pyramid:
    """The levels as the layers get them, and how many chunks were read from them.

    Parameters
    ----------
    folder : Path
        Written by `write_pyramid`.
    store : str
        "ram" (numpy arrays), "disk" (zarr arrays on the local disk), or a latency per chunk
        such as "300ms" (the same behind a `LatencyStore`).
    counted : bool
        Count chunks on the local disk too. A reader that knows faster ways to local files does
        not see them through a store of our own.
    """

    def __init__(self, folder: Path, store: str, counted: bool = True) -> None:
        self._stores: list[LatencyStore] = []
        self.levels: list[Any] = []
        self.latency_s = float(store.removesuffix("ms")) / 1000 if store.endswith("ms") else 0.0
        for path in sorted(folder.iterdir(), key=lambda path: int(path.name)):
            local = LocalStore(path, read_only=True)
            if store == "ram":
                self.levels.append(zarr.open_array(local, mode="r")[:])
            elif store == "disk" and not counted:
                self.levels.append(zarr.open_array(local, mode="r"))
            else:
                self._stores.append(LatencyStore(local, self.latency_s))
                self.levels.append(zarr.open_array(self._stores[-1], mode="r"))

    @property
    def chunks_read(self) -> int | None:
        """Chunks that were asked of the stores so far; None if nobody counts them."""
        return sum(store.chunks_read for store in self._stores) if self._stores else None
