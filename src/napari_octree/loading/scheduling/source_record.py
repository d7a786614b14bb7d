"""What is known of one source, from its reads.

Invariants: the levels of one image lie side by side in their store and are one source. Under the
loader's lock only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_octree.loading.scheduling.concurrency import SourceConcurrency
from napari_octree.loading.scheduling.processors import Processors

if TYPE_CHECKING:
    from napari_octree.loading.scheduling.jobs import ReadOutcome


class SourceRecord:
    """One source's latency, counts and limit of reads at once.

    Parameters
    ----------
    name : str
    most : int
        Reads at once at most.
    processors : Processors
    """

    def __init__(self, name: str, most: int, processors: Processors) -> None:
        self.name = name
        self.concurrency = SourceConcurrency(most, processors)
        self.latency_s: float | None = None
        self.reads = 0
        self.failures = 0
        self.retries = 0
        self.nbytes = 0
        self.read_seconds = 0.0
        self.decoded_reads = 0
        self.decode_seconds = 0.0

    def measured(self, outcome: ReadOutcome, nbytes: int) -> None:
        """One read arrived."""
        seconds, decode_s = outcome.seconds, outcome.decode_s
        self.reads += 1
        self.nbytes += nbytes
        self.read_seconds += seconds
        if decode_s is not None:
            self.decoded_reads += 1
            self.decode_seconds += decode_s
        # Weights recent reads by a quarter: follows a store that changes within a few reads.
        self.latency_s = (
            seconds if self.latency_s is None else 0.75 * self.latency_s + 0.25 * seconds
        )

    @property
    def decode_ms(self) -> float | None:
        """Mean of the reads that could tell decoding from fetching; None if none could."""
        return 1000 * self.decode_seconds / self.decoded_reads if self.decoded_reads else None


class SourceRecords:
    """The records of all sources.

    Parameters
    ----------
    processors : Processors
        Which all of them share.
    """

    def __init__(self, processors: Processors) -> None:
        self._processors = processors
        self._records: dict[str, SourceRecord] = {}

    def of(self, source_name: str, most: int) -> SourceRecord:
        """Return the record of a source, made with `most` reads at once if it is new."""
        address = source_name.rstrip("/")  # of a level that is the root of a store of its own
        name = address.rpartition("/")[0] or address
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = SourceRecord(name, most, self._processors)
        return record

    def items(self) -> list[tuple[str, SourceRecord]]:
        """All records by name."""
        return list(self._records.items())
