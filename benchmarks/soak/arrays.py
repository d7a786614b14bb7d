"""Huge arrays without storage: each pixel follows from its place, reads are late or fail at times.

Invariants: pixel ``index`` of a level is that of level 0 at ``index * 2**level``, whatever the
type; a read that fails does so by its place and by how often it was tried, not by the clock; so
the same walk meets the same faults.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

READ_IN_MAIN_THREAD: list[str] = []
"""What was read there: nothing, that is the promise."""

SIDE = 2**27
DEEP = 2**12
"""Pixels a side in the plane, and along z."""

STEPS = (53, 7, 31, 17)
"""By how much a pixel differs from its neighbour along t, z, y, x, modulo 127."""

TYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float16", "float32", "float64", ">i2", ">f4"]
COLOURED = ["rgb uint8", "rgb float32", "rgba uint16"]


def shape_of(axes: str) -> tuple[int, ...]:
    """Pixels of level 0 by axis letters, such as ``"tzyx"``."""
    return tuple({"t": 9, "z": DEEP, "y": SIDE, "x": SIDE}[axis] for axis in axes)


class Faults:
    """When reads are late, and when they fail.

    Parameters
    ----------
    seed : int
    latency_s : float
    failing : float
        Share of places whose first reads fail. (After each the loader asks fewer at once, after a
        pause: of a tenth a view takes minutes.)
    tries : int
        How many reads of such a place fail before it heals.
    """

    def __init__(
        self, seed: int = 0, latency_s: float = 0.0, failing: float = 0.0, tries: int = 2
    ):
        self.seed, self.latency_s, self.failing, self.tries = seed, latency_s, failing, tries
        self._tried: dict[tuple, int] = {}
        self._lock = threading.Lock()

    def meet(self, place: tuple) -> None:
        """Wait, and fail, as this place has it.

        Raises
        ------
        ConnectionError
        """
        if threading.current_thread() is threading.main_thread():
            READ_IN_MAIN_THREAD.append(f"{place} was read in the main thread")
        if self.latency_s:
            time.sleep(self.latency_s)
        if self.failing and hash((self.seed, place)) % 1000 < 1000 * self.failing:
            with self._lock:
                tried = self._tried[place] = self._tried.get(place, 0) + 1
            if tried <= self.tries:
                raise ConnectionError(f"the store did not answer for {place}")


class Level:
    """A level without storage.

    Parameters
    ----------
    level : int
    axes : str
        Letters of its axes; all but t are halved from level to level.
    name : str
        A NumPy type, with ``rgb`` or ``rgba`` before it for colours.
    faults : Faults
    """

    def __init__(self, level: int, axes: str, name: str, faults: Faults) -> None:
        colours, _, dtype = name.rpartition(" ")
        self.level, self.axes, self.faults = level, axes, faults
        self.colours = len(colours)
        self.shape = tuple(
            n if axis == "t" else max(1, n >> level)
            for axis, n in zip(axes, shape_of(axes), strict=True)
        )
        self.chunks = (1,) * (len(axes) - 2) + (256, 256)
        if "z" in axes:
            self.chunks = (1,) * (len(axes) - 3) + (32, 64, 64)
        if colours:
            self.shape += (self.colours,)
            self.chunks += (self.colours,)
        self.dtype = np.dtype(dtype)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape, dtype=object))

    def __getitem__(self, index: Any) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        index = (*index, *(slice(None),) * (self.ndim - len(index)))
        ranges = [
            range(n)[i] if isinstance(i, slice) else range(int(i), int(i) + 1)
            for i, n in zip(index, self.shape, strict=True)
        ]
        self.faults.meet((self.level, *(r.start for r in ranges)))
        total = np.zeros((1,) * len(self.axes), np.int64)
        for place, (axis, along) in enumerate(zip(self.axes, ranges, strict=False)):
            scale = 1 if axis == "t" else 2**self.level
            values = np.arange(along.start, along.stop, along.step, dtype=np.int64)
            values = values * scale * STEPS["tzyx".index(axis)] % 127
            total = total + values.reshape(
                [-1 if i == place else 1 for i in range(len(self.axes))]
            )
        pixels = total % 127
        if self.colours:
            pixels = np.stack([pixels] * self.colours, axis=-1)[..., index[-1]]
        if self.dtype == bool:
            pixels = pixels > 60
        elif self.colours and self.dtype.kind == "f":
            pixels = pixels / 127
        pixels = pixels.astype(self.dtype)
        whole = [slice(None) if isinstance(i, slice) else 0 for i in index[: self.ndim]]
        return pixels[tuple(whole)] if not self.colours else pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise AssertionError("the whole of a huge level was asked for")


def pyramid(axes: str, name: str, faults: Faults) -> list[Level]:
    """Levels down to some hundred pixels a side."""
    return [Level(level, axes, name, faults) for level in range(19)]


def value(index: Sequence[int], axes: str) -> int:
    """Return what pixel `index` of level 0 holds."""
    return int(
        sum(
            int(i) * STEPS["tzyx".index(axis)] for i, axis in zip(index, axes, strict=True)
        ) % 127
    )  # fmt: skip
