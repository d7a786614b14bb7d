"""How many reads of one source may run at once: additive increase, multiplicative decrease.

Invariants: `1 <= limit <= most`; the limit grows only while it was used up and goodput (bytes per
second that arrived well) grew with it; it halves at most once per round of reads.

See Jacobson, "Congestion avoidance and control" (1988), for why this converges.
"""

from __future__ import annotations

from math import ceil

FIRST_LIMIT = 8
WORTH_IT = 1.05
"""Growth of goodput that pays for more reads at once."""
READ_HOLDS_INTERPRETER_MS = 5.0
"""While the user moves, a read is taken to hold the interpreter this long of its latency."""


class SourceConcurrency:
    """The limit of one source.

    Parameters
    ----------
    most : int
        `num_workers`.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(FIRST_LIMIT, most)
        self.running = 0
        self._round = 0
        self._round_bytes = 0
        self._round_started: float | None = None
        self._round_saturated = False
        self._goodput = 0.0
        self._patience = 1
        self._rounds_to_wait = 0
        self._cut_at = float("-inf")

    def allow(self, most: int) -> None:
        """Let as many run at once as one more user of the source allows."""
        if most > self.most:
            if self.limit == self.most:  # what held it back
                self.limit = max(self.limit, min(FIRST_LIMIT, most))
            self.most = most

    def has_room(self, rushing: bool, latency_s: float) -> bool:
        """Whether one more read may start."""
        return self.running < self.allowed(rushing, latency_s)

    def allowed(self, rushing: bool, latency_s: float) -> int:
        """Reads at once; fewer, but never fewer than two of `limit`, while the user moves.

        A reader that mostly waits for a far store may have many reads open without disturbing
        frames; one that mostly computes may not.
        """
        if not rushing:
            return self.limit
        return min(self.limit, max(2, ceil(1000 * latency_s / READ_HOLDS_INTERPRETER_MS)))

    def started(self, now: float) -> None:
        """One read started."""
        self.running += 1
        if self._round_started is None:
            self._round_started = now
        if self.running >= self.limit:
            self._round_saturated = True

    def succeeded(self, nbytes: int, now: float) -> None:
        """One read arrived well."""
        self.running -= 1
        self._round += 1
        self._round_bytes += nbytes
        if self._round >= 2 * self.limit:
            self._end_round(now)
        elif self.running == 0:
            self._forget_round()  # a pause would count as slowness

    def failed(self, started: float, now: float) -> None:
        """One read failed in a way that blames the store: time-out, 429, 5xx, connection."""
        self.running -= 1
        if started >= self._cut_at:  # reads that started before the last cut tell nothing new
            self.limit = max(1, self.limit // 2)
            self._cut_at = now
            self._goodput = 0.0
            self._patience = 1
            self._rounds_to_wait = 1
        self._forget_round()

    def overdue(self) -> None:
        """A read that may hang counts no longer: it could be the only one allowed."""
        self.running -= 1

    def came_back(self) -> None:
        """An overdue read ends after all; how is told next."""
        self.running += 1

    def ended(self) -> None:
        """One read ended in a way that says nothing about the store."""
        self.running -= 1

    def _end_round(self, now: float) -> None:
        started = self._round_started if self._round_started is not None else now
        goodput = self._round_bytes / max(now - started, 1e-6)
        if self._round_saturated and self.limit < self.most:
            if self._rounds_to_wait > 0:
                self._rounds_to_wait -= 1
            elif goodput > self._goodput * WORTH_IT:
                self.limit = min(self.most, self.limit + max(1, self.limit // 2))
                self._patience = 1
            else:
                self._patience = min(2 * self._patience, 64)  # probe again later, ever less often
                self._rounds_to_wait = self._patience
                self._goodput = 0.0
                self._forget_round()
                return
            self._goodput = goodput
        self._forget_round()

    def _forget_round(self) -> None:
        self._round = 0
        self._round_bytes = 0
        self._round_started = None
        self._round_saturated = False
