"""Arrays that write down who read them, during which action of the user, and that can be held.

Invariants: nothing sleeps; a read is written down before it waits; a read in the GUI thread (the
main thread) is written down but never waits, so a broken promise fails a test and does not
hang it; a held read that nobody releases raises after `HOLD_LIMIT_S`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

HOLD_LIMIT_S = 60.0


@dataclass(frozen=True)
class Read:
    """One access to pixels.

    Attributes
    ----------
    array : str
        Name of the array, "level 0" and so on in a pyramid.
    index : object
        What stood in the brackets; Ellipsis for a conversion of the whole array.
    action : str
        What the user was doing; empty before the first action.
    thread_id : int
    thread_name : str
    """

    array: str
    index: Any
    action: str
    thread_id: int
    thread_name: str

    @property
    def in_gui_thread(self) -> bool:
        """Whether the window was blocked by this read."""
        return self.thread_id == threading.main_thread().ident


class ReadLog:
    """What was read from the arrays of one test, and the gate that their reads pass.

    The gate is open at first. `hold` closes it; `release` lets some or all reads through.
    All methods may be called in any thread and none blocks.

    Attributes
    ----------
    failure : callable or None
        Called with each `Read` after the gate; what it returns, if an exception, is raised.
    """

    def __init__(self) -> None:
        self.failure: Callable[[Read], Exception | None] | None = None
        self._condition = threading.Condition()
        self._reads: list[Read] = []
        self._permits = math.inf
        self._waiting = 0
        self._action = ""

    @property
    def reads(self) -> list[Read]:
        """All reads so far, in the order in which they began."""
        with self._condition:
            return list(self._reads)

    @property
    def in_gui_thread(self) -> list[Read]:
        """The reads that blocked the window; promised to be none."""
        return [read for read in self.reads if read.in_gui_thread]

    @property
    def waiting(self) -> int:
        """Reads that stand at the closed gate."""
        with self._condition:
            return self._waiting

    @property
    def spent(self) -> bool:
        """Whether as many reads have gone through the gate as were released."""
        with self._condition:
            return not self._permits

    @contextmanager
    def during(self, action: str) -> Iterator[None]:
        """Reads that begin in this block are put down to `action`."""
        before, self._action = self._action, action
        try:
            yield
        finally:
            self._action = before

    def hold(self) -> None:
        """Close the gate: reads in workers begin, are written down, and wait."""
        with self._condition:
            self._permits = 0

    def release(self, count: float = math.inf) -> None:
        """Let `count` reads through, now or when they come; all of them by default."""
        with self._condition:
            self._permits += count
            self._condition.notify_all()

    def record(self, array: str, index: Any) -> None:
        """Write down a read, wait at the gate, fail if so told (called by the arrays)."""
        thread = threading.current_thread()
        with self._condition:
            read = Read(array, index, self._action, threading.get_ident(), thread.name)
            self._reads.append(read)
            if not read.in_gui_thread:
                self._pass_gate(read)
        error = self.failure(read) if self.failure is not None else None
        if error is not None:
            raise error

    def _pass_gate(self, read: Read) -> None:
        self._waiting += 1
        try:
            if not self._condition.wait_for(lambda: self._permits > 0, HOLD_LIMIT_S):
                raise TimeoutError(f"{read} was held for {HOLD_LIMIT_S} s: nobody released it")
            self._permits -= 1
        finally:
            self._waiting -= 1


class RecordingArray:
    """Anything-with-shape-dtype-and-slicing around a numpy array, whose reads go to a log.

    Parameters
    ----------
    data : numpy.ndarray
        The pixels.
    log : ReadLog
    chunks : sequence of int, optional
        Pretend to be stored in chunks of this shape; without it there is no `chunks` attribute.
    name : str
    """

    def __init__(
        self,
        data: np.ndarray,
        log: ReadLog,
        chunks: Sequence[int] | None = None,
        name: str = "array",
    ) -> None:
        self._data = data
        self.log = log
        self.name = name
        self.shape = data.shape
        self.dtype = data.dtype
        self.ndim = data.ndim
        self.size = data.size
        if chunks is not None:
            self.chunks = tuple(chunks)

    def __getitem__(self, index: Any) -> np.ndarray:
        self.log.record(self.name, index)
        return self._data[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self.log.record(self.name, ...)
        return np.array(self._data, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<RecordingArray {self.name!r} {self.shape} {self.dtype}>"


def random_pixels(shape: Sequence[int], dtype: Any, seed: int = 0) -> np.ndarray:
    """The same pixels in each run: over all of an integer type, in [0, 1) for floats."""
    generator = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return generator.random(shape) < 0.5
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
