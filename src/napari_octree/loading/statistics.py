"""What the loader has counted: immutable, JSON-ready snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SourceStatistics:
    """Counts of one source.

    Attributes
    ----------
    reads : int
        Chunks that arrived well.
    retries, failures : int
        Reads tried again; chunks and tiles that failed finally.
    nbytes : int
        Decoded bytes that arrived.
    latency_ms : float or None
        Of recent reads, decoding included; None before the first.
    latency_p50_ms, latency_p95_ms : float or None
        Half and 95% of the last hundred reads took less.
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
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    decode_ms: float | None
    mb_per_s: float | None
    concurrency: int
    running: int


@dataclass(frozen=True)
class PoolStatistics:
    """Counts of one pool of readers: see `octree.loaders` of the configuration.

    Attributes
    ----------
    num_workers, running : int
        Reads that may run at once, and that do.
    reads : int
        Chunks that arrived well.
    latency_p50_ms, latency_p95_ms : float or None
        Half and 95% of the last hundred reads took less.
    """

    num_workers: int
    running: int
    reads: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None


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
    reads, nbytes : int
        Chunks that arrived well, of all sources there ever were, and their decoded bytes.
    pools : dict of int to PoolStatistics
        Of the loader that was asked, by the least relative level that each serves.
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
    reads: int
    nbytes: int
    pools: dict[int, PoolStatistics]
    sources: dict[str, SourceStatistics]

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, numbers and strings; cheap also after thousands of sources."""
        sources = {name: dict(vars(source)) for name, source in self.sources.items()}
        pools = {str(level): dict(vars(pool)) for level, pool in self.pools.items()}
        return {**vars(self), "pools": pools, "sources": sources}
