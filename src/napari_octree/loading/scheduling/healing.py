"""Sources that cannot be reached are tried again by themselves, while what failed is in view.

Invariants:

* One chunk at a time of a source is tried ("probed"), in turn, after pauses that double from
  `FIRST_PAUSE_S` to `LONGEST_PAUSE_S`. Nobody is told of a probe that fails, and no tile leaves
  its state for it.
* When a probe arrives, all that failed of its source is read again, as after `retry`.
* Only what failed through the store's fault counts (time-outs, connections, 429, 5xx), and only
  while a view awaits it: with nothing to heal no timer is set.

Under the loader's lock only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from napari_octree.loading.scheduling.model import Chunk, ChunkState
from napari_octree.loading.scheduling.source_record import SourceRecord

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0


@dataclass(eq=False, slots=True)
class Trouble:
    """What failed of one source.

    Attributes
    ----------
    chunks : dict of Chunk to None
        In the order in which they are probed.
    pause_s : float
        Before the next probe; it doubles with each.
    due : float or None
        When the next probe may start; None while nothing has failed since all was read again.
    """

    chunks: dict[Chunk, None] = field(default_factory=dict)
    pause_s: float = FIRST_PAUSE_S
    due: float | None = None


class Healing:
    """The sources in trouble.

    Parameters
    ----------
    jitter : random.Random
        For the pauses.
    """

    def __init__(self, jitter: random.Random) -> None:
        self._jitter = jitter
        self._troubles: dict[SourceRecord, Trouble] = {}

    def failed(self, chunk: Chunk, now: float) -> None:
        """A chunk failed through its store's fault: after all attempts, or as it was probed."""
        trouble = self._troubles.setdefault(chunk.source, Trouble())
        trouble.chunks.pop(chunk, None)
        trouble.chunks[chunk] = None  # at the end: others are probed before it
        if trouble.due is None or trouble.due <= now:
            trouble.due = now + trouble.pause_s * (0.5 + 0.5 * self._jitter.random())
            trouble.pause_s = min(2 * trouble.pause_s, LONGEST_PAUSE_S)

    def probed(self, chunk: Chunk) -> None:
        """A chunk that was due is being read."""
        self._troubles[chunk.source].due = None

    def healed(self, chunk: Chunk) -> list[Chunk]:
        """The probe of a chunk arrived; return what else of its source is to be read again."""
        trouble = self._troubles.get(chunk.source)
        if trouble is None:
            return []
        trouble.due = None
        return [c for c in trouble.chunks if c.state is ChunkState.FAILED]

    def left(self, chunk: Chunk) -> None:
        """A chunk was read well, or has left all lists."""
        trouble = self._troubles.get(chunk.source)
        if trouble is not None:
            trouble.chunks.pop(chunk, None)
            if not trouble.chunks:
                del self._troubles[chunk.source]

    def next_due(self, now: float) -> float | None:
        """When, after `now`, the next probe may start."""
        first: float | None = None
        for trouble in self._troubles.values():
            due = trouble.due
            if due is not None and due > now and (first is None or due < first):
                first = due
        return first

    def due(self, now: float) -> list[Chunk]:
        """Return a chunk to be probed of each source whose pause is over."""
        chunks = []
        for trouble in self._troubles.values():
            if trouble.due is None or trouble.due > now:
                continue
            waiting = [chunk for chunk in trouble.chunks if chunk.state is ChunkState.FAILED]
            in_view = [c for c in waiting if any(tile.awaited for tile in c.tiles)]
            if in_view:
                chunks.append(in_view[0])
        return chunks

    def wait(self, chunk: Chunk, now: float) -> None:
        """A chunk that was due cannot be read now."""
        self._troubles[chunk.source].due = now + FIRST_PAUSE_S
