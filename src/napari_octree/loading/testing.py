"""For tests of loading: a simulated source, a virtual clock, an executor that waits to be told.

Invariants: no threads, no sleeping; everything happens in the thread that calls, in an order
that the test decides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from napari_octree.loading.executors.executor import Done
from napari_octree.loading.work import ReadOutcome, read_checked
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import Region, StorageArray


class SimulatedSource:
    """A `StorageArray` whose pixels are a function of their place; it counts its reads.

    Parameters
    ----------
    shape, chunk : tuple of int
    key : Hashable
    dtype : numpy.dtype
    in_memory : bool
    missing : callable, optional
        Given a chunk's region: whether the store holds nothing there.
    error : callable, optional
        Given a chunk's region: an exception to raise, or None.
    group : SourceGroup, optional
        Default: one of its own.
    is_remote, is_computed : bool
        As of a `StorageArray`.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        key: Hashable = "simulated",
        dtype: type[np.generic] | np.dtype = np.uint16,
        in_memory: bool = False,
        missing: Callable[[Region], bool] | None = None,
        error: Callable[[Region], BaseException | None] | None = None,
        group: SourceGroup | None = None,
        is_remote: bool = False,
        is_computed: bool = False,
    ) -> None:
        self.shape = shape
        self.chunk = chunk
        self.key = key
        self.dtype = np.dtype(dtype)
        self.in_memory = in_memory
        self.source_name = str(key)
        self.group = SourceGroup(key, str(key)) if group is None else group
        self.is_remote = is_remote
        self.is_computed = is_computed
        self.fill_value: object = 7
        self.version = ""
        self.reads: list[Region] = []
        self._missing = missing
        self._error = error

    def grid(self, hint: tuple[int, ...]) -> RegularGrid:
        """Return the grid of the chunks."""
        return RegularGrid(self.shape, self.chunk)

    def read(self, region: Region) -> np.ndarray | None:
        """Return `pixels_at` the region, unless it is missing or bound to fail."""
        self.reads.append(region)
        if self._error is not None and (error := self._error(region)) is not None:
            raise error
        if self._missing is not None and self._missing(region):
            return None
        return self.pixels_at(region)

    def pixels_at(self, region: Region) -> np.ndarray:
        """Pixels of a region: the sum over the axes of coordinate times 31 to the axis."""
        axes = np.ogrid[tuple(slice(start, stop) for start, stop in region)]
        total = sum(c * 31**axis for axis, c in enumerate(axes))
        return np.asarray(total).astype(self.dtype)


class VirtualClock:
    """A `Timer` whose time passes only by `advance`."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls = 0
        self._scheduled: dict[Hashable, tuple[float, int, Callable[[], None]]] = {}
        self._serial = count()

    def now(self) -> float:
        """Return the virtual time in seconds."""
        return self.time

    def call_at(self, name: Hashable, when: float, callback: Callable[[], None]) -> None:
        """Call back when the time comes."""
        self._scheduled[name] = (when, next(self._serial), callback)

    def cancel(self, name: Hashable) -> None:
        """Forget what `name` was scheduled for."""
        self._scheduled.pop(name, None)

    def close(self) -> None:
        """Forget everything."""
        self._scheduled.clear()

    @property
    def scheduled(self) -> Sequence[Hashable]:
        """Names of what is scheduled."""
        return list(self._scheduled)

    @property
    def next_call(self) -> float | None:
        """When the next call is due."""
        return min((when for when, _, _ in self._scheduled.values()), default=None)

    def advance(self, seconds: float) -> None:
        """Let time pass; what becomes due is called at its own time."""
        until = self.time + seconds
        while (due := self.next_call) is not None and due <= until:
            self.time = max(self.time, due)
            name = min(self._scheduled, key=lambda n: self._scheduled[n][:2])
            _, _, callback = self._scheduled.pop(name)
            self.calls += 1
            callback()
        self.time = until


@dataclass(eq=False)
class PendingRead:
    """A read that the loader started and the test has to finish."""

    storage: StorageArray
    region: Region
    done: Done
    cancelled: bool = False


@dataclass
class VirtualExecutor:
    """An `Executor` that does nothing until told.

    Parameters
    ----------
    assemble_at_once : bool
        Run assemblies as soon as they are given out.
    """

    assemble_at_once: bool = True
    reads: list[PendingRead] = field(default_factory=list)
    works: list[Callable[[], None]] = field(default_factory=list)
    set_apart_reads: list[object] = field(default_factory=list)
    timed_out: list[object] = field(default_factory=list)
    _running: bool = False

    def read(self, storage: StorageArray, region: Region, done: Done) -> PendingRead:
        """Remember a read."""
        pending = PendingRead(storage, region, done)
        self.reads.append(pending)
        return pending

    def run(self, work: Callable[[], None], brief: bool = True) -> None:
        """Remember a piece of work."""
        self.works.append(work)
        if self.assemble_at_once and not self._running:
            self._running = True
            while self.works:
                self.works.pop(0)()
            self._running = False

    def cancel(self, handle: object) -> None:
        """Note it."""
        assert isinstance(handle, PendingRead)
        handle.cancelled = True

    def set_apart(self, handle: object) -> None:
        """Note it."""
        self.set_apart_reads.append(handle)

    def time_out(self, handle: object) -> None:
        """Note it."""
        self.timed_out.append(handle)

    def close(self, wait_s: float) -> None:
        """Forget everything."""
        self.reads.clear()
        self.works.clear()

    def finish(
        self, read: PendingRead | None = None, seconds: float = 0.05, busy_s: float = 0.0
    ) -> PendingRead | None:
        """Finish a read (the oldest if none is given), as after `seconds`.

        `busy_s` of them it computed.
        """
        if read is None:
            if not self.reads:
                return None
            read = self.reads[0]
        self.reads.remove(read)
        try:
            pixels = read_checked(read.storage, read.region)
        except BaseException as error:  # as the real executors do
            read.done(ReadOutcome(None, error, seconds))
        else:
            read.done(ReadOutcome(pixels, None, seconds, busy_s=busy_s))
        return read

    def finish_all(self, seconds: float = 0.05) -> int:
        """Finish reads until none is left; return how many there were."""
        finished = 0
        while self.finish(seconds=seconds) is not None:
            finished += 1
        return finished
