"""How many reads that compute may run at once, over all sources.

Invariants:

* A source may always have one read under way.
* More than that take no more processors than there are, less one for the window; or than the
  source's equal part of them, when several sources are being read.
* A read that only waits for its store takes next to nothing: those that compute do not hold it up.

How much of a processor a read takes is measured in the thread that reads. The more reads compete
for processors the less each gets, which would allow more of them: but as one processor is left
free, what is allowed shrinks with each round.

Under the loader's lock only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_octree.loading.scheduling.concurrency import SourceConcurrency


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
