"""What the scheduler has to know of a client's configuration: its pools and its limit of RAM.

Invariants: the greatest key that is not above a request's relative level serves it (the smallest
key serves what lies below); OVERVIEW and COVERAGE requests are never delayed, nor is anything
while the list is steady; a running read counts in the pool of the request that started it, until
it is overdue; at most twice `num_workers` are under way, those that hang included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from napari_octree.config import OctreeConfig
from napari_octree.loading.scheduling.recent_latencies import RecentLatencies
from napari_octree.loading.statistics import PoolStatistics
from napari_octree.octree.chunk_key import Tier

RUSHING_FACTOR = 1.75
"""A level of a steady zoom stays ideal for about two delays: this much more, and it is passed."""


class Pace(IntEnum):
    """How long a client will go on asking for what it asks for now.

    Only the client knows it (from the speed of its view); the loader never guesses. It says what
    a wait before each read can save, or cost.
    """

    STEADY = 0
    """The view rests, or moves so slowly that what comes into it stays for longer than any
    delay: waiting would save no read."""
    UNCERTAIN = 1
    """It may go on or not: a first move, a step of a slider. What a slow source would have to
    read waits for the delay; or until the view rests."""
    RUSHING = 2
    """Most of what comes into view leaves it at once: all wait, for longer than one delay."""


class LoaderPool:
    """One range of relative levels.

    Parameters
    ----------
    num_workers : int
        Reads at once.
    delay_s : float
        How long a request stays on the list before it is read.
    auto_sync_s : float
        Sources that read faster are delayed only while the view rushes.
    """

    def __init__(self, num_workers: int, delay_s: float, auto_sync_s: float) -> None:
        self.num_workers = num_workers
        self.delay_s = delay_s
        self.auto_sync_s = auto_sync_s
        self.running = 0
        self.overdue = 0
        self.reads = 0
        self._recent = RecentLatencies()

    def measured(self, seconds: float) -> None:
        """A read that started here arrived."""
        self.reads += 1
        self._recent.add(seconds)

    @property
    def statistics(self) -> PoolStatistics:
        """What has been counted."""
        half, most = self._recent.spread_ms
        return PoolStatistics(self.num_workers, self.running, self.reads, half, most)

    def has_room(self) -> bool:
        """Whether one more read may start.

        Overdue reads take no room, so that a store that hangs holds up no other; but for each
        above `num_workers` one read less may start.
        """
        return self.running + max(self.overdue - self.num_workers, 0) < self.num_workers

    def delay_of(self, tier: Tier, latency_s: float | None, pace: Pace) -> float:
        """Seconds that a request has to stay on the list before it is read.

        While the view rushes even a fast source waits, and all wait longer: otherwise everything
        that is only passed would be read.
        """
        if tier <= Tier.COVERAGE or tier is Tier.AHEAD or pace is Pace.STEADY:
            return 0.0
        if pace is Pace.RUSHING:
            return self.delay_s * RUSHING_FACTOR
        is_fast = latency_s is not None and latency_s < self.auto_sync_s
        return 0.0 if is_fast else self.delay_s


class LoaderPools:
    """All pools, by relative level."""

    def __init__(self, pools: Mapping[int, LoaderPool]) -> None:
        self._keys = sorted(pools)
        self._pools = [pools[key] for key in self._keys]
        self.num_workers = sum(pool.num_workers for pool in self._pools)
        """Reads at once, over all pools."""

    def __iter__(self) -> Iterator[LoaderPool]:
        return iter(self._pools)

    def items(self) -> Iterator[tuple[int, LoaderPool]]:
        """Each with the least relative level that it serves."""
        return zip(self._keys, self._pools, strict=True)

    def of(self, relative_level: int) -> LoaderPool:
        """Return the pool that serves `relative_level`."""
        return self._pools[max(bisect_right(self._keys, relative_level) - 1, 0)]


@dataclass(eq=False, slots=True)
class ClientSettings:
    """What clients of one configuration have in common.

    Attributes
    ----------
    pools : LoaderPools
    ram_bytes : int
        The limit of RAM that they were given.
    """

    pools: LoaderPools
    ram_bytes: int

    @classmethod
    def of(cls, config: OctreeConfig) -> ClientSettings:
        """Return what a configuration says."""
        pools = {}
        for key in config.octree.loaders:
            own = config.loader(key)
            assert own.num_workers is not None  # `config.loader` fills every field in
            assert own.delay_queue_ms is not None
            assert own.auto_sync_ms is not None
            delay_ms = 0.0 if config.loader_defaults.force_synchronous else own.delay_queue_ms
            pools[key] = LoaderPool(own.num_workers, delay_ms / 1000, own.auto_sync_ms / 1000)
        return cls(LoaderPools(pools), config.memory.ram_bytes)
