"""What the loader has counted: immutable, JSON-ready snapshots."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_octree.loading.scheduling.scheduler import Scheduler


@dataclass(frozen=True)
class SourceStatistics:
    """Counts of one source.

    Attributes
    ----------
    reads : int
        Chunks that arrived well.
    retries, failures : int
        Reads tried again; chunks and tiles that failed for good.
    nbytes : int
        Decoded bytes that arrived.
    latency_ms : float or None
        Of recent reads, decoding included; None before the first.
    decode_ms : float or None
        What decoding took of a read, in the mean; None where the reader cannot tell it from
        fetching.
    mb_per_s : float or None
        Decoded megabytes per second of one reader.
    concurrency, running : int
        Reads that may run at once, and that do.
    """

    reads: int
    retries: int
    failures: int
    nbytes: int
    latency_ms: float | None
    decode_ms: float | None
    mb_per_s: float | None
    concurrency: int
    running: int


@dataclass(frozen=True)
class LoaderStatistics:
    """Counts of all loading of the process.

    Attributes
    ----------
    limit_bytes : int
    cached_bytes : int
        Storage chunks in RAM.
    in_flight_bytes : int
        Set aside for reads and tiles under way.
    staged_bytes : int
        Finished tiles that wait to be taken.
    hits, misses, evictions : int
        Of the chunk cache.
    pending, staged, failed : int
        Tiles on all lists that are not finished, wait to be taken, failed.
    reading, assembling : int
        Under way now.
    cancelled : int
        Storage chunks that left all lists before their read started, and were never read.
    clients : int
    sources : dict of str to SourceStatistics
    """

    limit_bytes: int
    cached_bytes: int
    in_flight_bytes: int
    staged_bytes: int
    hits: int
    misses: int
    evictions: int
    pending: int
    staged: int
    failed: int
    reading: int
    assembling: int
    cancelled: int
    clients: int
    sources: dict[str, SourceStatistics]

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, numbers and strings."""
        return asdict(self)


def snapshot(scheduler: Scheduler) -> LoaderStatistics:
    """Count (under the loader's lock)."""
    cache = scheduler.cache
    working_set = scheduler.working_set
    staged = [tile for tile in working_set.tiles() if tile.result is not None]
    staged_bytes = sum(tile.reserved for tile in staged)
    return LoaderStatistics(
        limit_bytes=cache.limit_bytes,
        cached_bytes=cache.cached_bytes,
        in_flight_bytes=cache.reserved_bytes - staged_bytes,
        staged_bytes=staged_bytes,
        hits=cache.hits,
        misses=cache.misses,
        evictions=cache.evictions,
        pending=sum(client.pending for client in scheduler.clients),
        staged=len(staged),
        failed=sum(len(client.failed) for client in scheduler.clients),
        reading=len(scheduler.reads.running),
        assembling=len(scheduler.assemblies.running),
        cancelled=scheduler.cancelled,
        clients=len(scheduler.clients),
        sources={
            name: SourceStatistics(
                reads=source.reads,
                retries=source.retries,
                failures=source.failures,
                nbytes=source.nbytes,
                latency_ms=None if source.latency_s is None else 1000 * source.latency_s,
                decode_ms=source.decode_ms,
                mb_per_s=source.nbytes / source.read_seconds / 1e6
                if source.read_seconds
                else None,
                concurrency=source.concurrency.limit,
                running=source.concurrency.running,
            )
            for name, source in working_set.sources.items()
        },
    )
