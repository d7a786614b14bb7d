"""What is known of each source from its reads, and how many of them may run at once.

Invariants:

* The levels of one image are one source, and so is what is computed from them.
* Additive increase, multiplicative decrease: `1 <= limit <= most`; the limit grows only while it
  was used up, and growth that goodput (bytes per second that arrived well) did not follow is taken
  back; it halves at most once per round of reads.
* A source may always have one read under way. More than that take no more processors than there
  are, less one for the window; or than the source's equal part of them, when several sources
  are being read.
* A read that only waits for its store takes next to nothing: those that compute do not hold it up.

At first the limit doubles with each round of reads, as TCP's slow start does, until goodput no
longer follows; of a store on a network the first round is larger. See Jacobson, "Congestion
avoidance and control" (1988), for both phases and for why the second one converges.

How much of a processor a read takes is measured in the thread that reads. The more reads compete
for processors the less each gets, which would allow more of them: but as one processor is left
free, what is allowed shrinks with each round.

Under the loader's lock only.
"""

from __future__ import annotations

import os
from itertools import chain, count
from math import ceil

from napari_octree.loading.scheduling.recent_latencies import RecentLatencies
from napari_octree.sources.identity import SourceGroup

FIRST_LIMIT = 8
FIRST_FAR_LIMIT = 24
"""Of a store that is known to be far before anything was read of it: a whole first view at once.
Where goodput does not follow (a narrow line) the second round takes it back."""
WORTH_IT = 1.05
"""Growth of goodput that pays for more reads at once."""
FAR_S = 0.01
"""A first read that waited so long waited for a far store, which can serve many readers."""
MOST_RECORDS = 1000
"""Sources that are remembered; the oldest are forgotten."""
UNKNOWN_SHARE = 0.25
"""Of a processor that a read takes of whose source none has ended yet."""
FAR_SHARE = 0.02
"""The same of a far store, whose reads wait."""
READ_HOLDS_INTERPRETER_MS = 10.0
"""While the view rushes, a read is taken to hold the interpreter this long of its latency."""


class SourceRecord:
    """One source's latency, counts and limit of reads at once.

    Parameters
    ----------
    name : str
        For messages; no other source has it.
    most : int
        Reads at once at most.
    processors : Processors
    far : bool
        It is on a network, and nothing of it is computed.
    """

    def __init__(self, name: str, most: int, processors: Processors, far: bool = False) -> None:
        self.name = name
        self.concurrency = SourceConcurrency(most, processors, far)
        self.latency_s: float | None = None
        self._recent = RecentLatencies()
        self.reads = 0
        self.failures = 0
        self.retries = 0
        self.nbytes = 0
        self.read_seconds = 0.0
        self.decoded_reads = 0
        self.decode_seconds = 0.0

    def measured(self, nbytes: int, seconds: float, decode_s: float | None) -> None:
        """One read arrived."""
        self.reads += 1
        self.nbytes += nbytes
        self.read_seconds += seconds
        if decode_s is not None:
            self.decoded_reads += 1
            self.decode_seconds += decode_s
        self._recent.add(seconds)
        # Weights recent reads by a quarter: follows a store that changes within a few reads.
        self.latency_s = (
            seconds if self.latency_s is None else 0.75 * self.latency_s + 0.25 * seconds
        )

    @property
    def spread_ms(self) -> tuple[float, float] | tuple[None, None]:
        """What half of the recent reads stayed below, and 95%; None before the first."""
        return self._recent.spread_ms

    @property
    def decode_ms(self) -> float | None:
        """Mean of the reads that could tell decoding from fetching; None if none could."""
        return 1000 * self.decode_seconds / self.decoded_reads if self.decoded_reads else None

    @property
    def mb_per_s(self) -> float | None:
        """Decoded megabytes per second of one reader."""
        return self.nbytes / self.read_seconds / 1e6 if self.read_seconds else None


class SourceRecords:
    """The records of all groups of arrays.

    Parameters
    ----------
    processors : Processors
        Which all of them share.
    """

    def __init__(self, processors: Processors) -> None:
        self._processors = processors
        self._records: dict[SourceGroup, SourceRecord] = {}

    def of(self, group: SourceGroup, most: int, far: bool = False) -> SourceRecord:
        """Return the record of a group, made with `most` reads at once if it is new."""
        record = self._records.get(group)
        if record is None:
            self._forget_some()
            record = SourceRecord(self._name(group), most, self._processors, far)
            self._records[group] = record
        return record

    def items(self) -> list[tuple[str, SourceRecord]]:
        """All records by name."""
        return [(record.name, record) for record in self._records.values()]

    def _name(self, group: SourceGroup) -> str:
        """Return a name that no other record has, so that messages can be told apart."""
        taken = {record.name for record in self._records.values()}
        others = (f"{group.name} ({number})" for number in count(2))
        return next(name for name in chain((group.name,), others) if name not in taken)

    def _forget_some(self) -> None:
        """Forget the oldest ones of which nothing is being read, if there are very many."""
        idle = [g for g, record in self._records.items() if not record.concurrency.running]
        for group in idle[: max(len(self._records) - MOST_RECORDS, 0)]:
            del self._records[group]


def processors_to_spare() -> int:
    """Return how many processors this process may use, less one."""
    try:
        number = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        number = os.cpu_count() or 1
    return max(number - 1, 1)


class Processors:
    """Processors for reads.

    Parameters
    ----------
    number : int
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._used_by: dict[SourceConcurrency, None] = {}

    def enter(self, source: SourceConcurrency) -> None:
        """Count a source that has reads under way from now on."""
        self._used_by[source] = None

    def leave(self, source: SourceConcurrency) -> None:
        """Count a source no more."""
        self._used_by.pop(source, None)

    def have_room_for(self, source: SourceConcurrency) -> bool:
        """Whether one more read of a source may start."""
        if not source.running:
            return True
        wanted = source.busy_share * (source.running + 1)
        if wanted * len(self._used_by) <= self.number:
            return True
        others = sum(s.busy_share * s.running for s in self._used_by if s is not source)
        return wanted + others <= self.number


class SourceConcurrency:
    """The limit of one source.

    Parameters
    ----------
    most : int
        `num_workers`.
    processors : Processors
        Which all sources share.
    far : bool
        Its reads wait for a network: so much is known before the first one has ended.
    """

    def __init__(self, most: int, processors: Processors, far: bool = False) -> None:
        self.most = most
        self._first_limit = FIRST_FAR_LIMIT if far else FIRST_LIMIT
        self._unknown_share = FAR_SHARE if far else UNKNOWN_SHARE
        self.limit = min(self._first_limit, most)
        self.running = 0
        self._processors = processors
        self._seconds = 0.0
        self._busy_s = 0.0
        self._doubling = True
        self._limit_before = self._limit_at_start = min(FIRST_LIMIT, most)
        self._round = 0
        self._round_bytes = 0
        self._round_started: float | None = None
        self._round_saturated = False
        self._goodput = 0.0
        self._patience = 1
        self._rounds_to_wait = 0
        self._probed_from: int | None = None
        """The limit before it was raised to see whether that pays."""
        self._cut_at = float("-inf")

    def allow(self, most: int) -> None:
        """Let as many run at once as one more user of the source allows."""
        if most > self.most:
            if self.limit == self.most:  # what held it back
                self.limit = max(self.limit, min(self._first_limit, most))
            self.most = most

    @property
    def busy_share(self) -> float:
        """What a read takes of a processor while it runs, from 0 (it waits) to 1 (it computes)."""
        return min(self._busy_s / self._seconds, 1.0) if self._seconds else self._unknown_share

    def has_room(self, rushing: bool, latency_s: float) -> bool:
        """Whether one more read may start."""
        return self.running < self.allowed(rushing, latency_s) and self._processors.have_room_for(
            self
        )

    def allowed(self, rushing: bool, latency_s: float) -> int:
        """Reads at once; fewer, but never fewer than two of `limit`, while the view rushes.

        A reader that mostly waits for a far store may have many reads open without disturbing
        frames; one that mostly computes may not.
        """
        if not rushing:
            return self.limit
        return min(self.limit, max(2, ceil(1000 * latency_s / READ_HOLDS_INTERPRETER_MS)))

    def started(self, now: float) -> None:
        """One read started."""
        self._run(1)
        if self._round_started is None:
            self._round_started = now
        if self.running >= self.limit:
            self._round_saturated = True

    def succeeded(self, nbytes: int, seconds: float, busy_s: float | None, now: float) -> None:
        """One read arrived well, after `seconds`, of which it computed `busy_s` if known."""
        self._run(-1)
        if busy_s is not None:  # recent reads count most, as for the latency
            if self._doubling and not self._seconds and seconds - busy_s > FAR_S:
                self.limit = max(self.limit, min(2 * FIRST_LIMIT, self.most))
            self._seconds = 0.75 * self._seconds + seconds
            self._busy_s = 0.75 * self._busy_s + busy_s
        self._round += 1
        self._round_bytes += nbytes
        if self._doubling and self._round_saturated:
            self.limit = min(self.limit + 1, self.most)
        if self._round >= self._limit_at_start * (1 if self._doubling else 2):
            self._end_round(now)
        elif self.running == 0:
            self._forget_round()  # a pause would count as slowness

    def failed(self, started: float, now: float) -> None:
        """One read failed in a way that blames the store: time-out, 429, 5xx, connection."""
        self._run(-1)
        if started >= self._cut_at:  # reads that started before the last cut tell nothing new
            self.limit = max(1, self.limit // 2)
            self._doubling = False
            self._cut_at = now
            self._patience = 1
            self._rounds_to_wait = 1
            self._probed_from = None
        self._forget_round()

    def overdue(self, started: float, now: float) -> None:
        """A read that may hang counts no longer: it could be the only one allowed.

        But fewer run at once from then on: others may hang as well.
        """
        self.failed(started, now)

    def came_back(self) -> None:
        """An overdue read ends after all; how is told next."""
        self._run(1)

    def ended(self) -> None:
        """One read ended in a way that says nothing about the store."""
        self._run(-1)

    def _run(self, more: int) -> None:
        self.running += more
        if self.running:
            self._processors.enter(self)
        else:
            self._processors.leave(self)

    def _end_round(self, now: float) -> None:
        started = self._round_started if self._round_started is not None else now
        goodput = self._round_bytes / max(now - started, 1e-6)
        paid = goodput > self._goodput * WORTH_IT
        if self._round_saturated and self._doubling:
            if not paid:
                self._doubling = False
                self.limit = self._limit_before
            self._limit_before = self._limit_at_start
        elif self._round_saturated:
            if self._probed_from is not None and not paid:
                self.limit = self._probed_from
                self._patience = min(2 * self._patience, 64)  # again later, ever less often
                self._rounds_to_wait = self._patience
                self._probed_from = None
            elif self._probed_from is None and self._rounds_to_wait > 0:
                self._rounds_to_wait -= 1
            else:
                self._probe()
        if self._round_saturated:
            self._goodput = goodput
        self._forget_round()

    def _probe(self) -> None:
        """Let more run at once: the next round tells whether that pays."""
        if self._probed_from is not None:  # the last time it did
            self._patience = 1
        self._probed_from = self.limit if self.limit < self.most else None
        self.limit = min(self.most, self.limit + max(1, self.limit // 2))

    def _forget_round(self) -> None:
        self._limit_at_start = self.limit
        self._round = 0
        self._round_bytes = 0
        self._round_started = None
        self._round_saturated = False
