"""Which cached chunk goes next: fair among sources, then by cachey's score.

Invariants:

* While some source holds more than its fair share (an equal part of what is cached) and has a
  chunk that may go, nothing is taken from a source that holds less. So a layer that is browsed
  fast empties its own past, not that of others.
* Within that the lowest score goes first: cost of the load, per byte, aged by use.
* Chunks that are listed or held never come up.
* A chunk that has left is not referred to here: its pixels are freed at once.

Under the loader's lock only.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable
from itertools import count

import numpy as np
from cachey import Scorer

from napari_octree.sources.protocol import ChunkId

_SCORE_LIMIT = 1e100


class CachedChunk:
    """One cached storage chunk.

    Attributes
    ----------
    chunk_id : ChunkId
    pixels : numpy.ndarray or None
        None: the store holds nothing here and its fill value applies.
    nbytes : int
    """

    __slots__ = (
        "cached",
        "chunk_id",
        "holds",
        "listed",
        "nbytes",
        "pixels",
        "score",
        "share",
        "ticket",
    )

    def __init__(
        self,
        chunk_id: ChunkId,
        pixels: np.ndarray | None,
        nbytes: int,
        share: Share,
        score: float,
        listed: bool,
    ) -> None:
        self.chunk_id = chunk_id
        self.pixels = pixels
        self.nbytes = nbytes
        self.share = share
        self.score = score
        self.listed = listed
        self.holds = 0
        self.cached = True
        self.ticket = 0
        """Of its place in its share's heap of candidates; 0: it has none."""


class Share:
    """What one source has in the cache."""

    __slots__ = ("candidates", "chunks", "nbytes", "owner")

    def __init__(self, owner: Hashable) -> None:
        self.owner = owner
        self.nbytes = 0
        self.chunks: dict[ChunkId, CachedChunk] = {}
        self.candidates: list[tuple[float, int, ChunkId]] = []
        """Heap of (score, ticket, name), lowest score first. Scores may be out of date (too low),
        and what may not go any more, or has left, is taken out when it comes up."""


class ChunkScorer(Scorer):  # type: ignore[misc] # cachey has no types
    """cachey's score that forgets and never overflows.

    cachey's own keeps every key for ever, and its age factor becomes infinite after about
    a million touches.
    """

    _base: float

    def forget(self, key: Hashable) -> None:
        """Drop what is known about `key`."""
        self.cost.pop(key, None)
        self.time.pop(key, None)

    def too_large(self) -> bool:
        """Whether the age factor must be scaled down."""
        return bool(self._base > _SCORE_LIMIT)

    def scale_down(self) -> float:
        """Divide all ages by the present age factor, and return it."""
        factor = float(self._base)
        for key in self.time:
            self.time[key] /= factor
        self._base = 1
        return factor


class EvictionOrder:
    """The shares of all sources, and the scores of all chunks."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._shares: dict[Hashable, Share] = {}
        self._scorer = ChunkScorer(halflife=1000)
        self._tickets = count(1)

    def enter(
        self,
        chunk_id: ChunkId,
        pixels: np.ndarray | None,
        nbytes: int,
        seconds: float,
        owner: Hashable,
        listed: bool,
    ) -> CachedChunk:
        """Count a chunk that took `seconds` to load as its owner's."""
        share = self._shares.get(owner)
        if share is None:
            share = self._shares[owner] = Share(owner)
        score = self.touch(chunk_id, max(seconds, 1e-6) / nbytes)
        entry = CachedChunk(chunk_id, pixels, nbytes, share, score, listed)
        share.nbytes += nbytes
        share.chunks[chunk_id] = entry
        self.nbytes += nbytes
        self.offer(entry)
        return entry

    def leave(self, entry: CachedChunk) -> None:
        """Count a chunk no more."""
        share = entry.share
        entry.cached = False
        share.nbytes -= entry.nbytes
        del share.chunks[entry.chunk_id]
        self.nbytes -= entry.nbytes
        self._scorer.forget(entry.chunk_id)
        if not share.chunks:
            del self._shares[share.owner]

    def offer(self, entry: CachedChunk) -> None:
        """Let a chunk be a candidate, if it may go."""
        if entry.ticket or entry.listed or entry.holds:
            return
        share = entry.share
        entry.ticket = next(self._tickets)
        heapq.heappush(share.candidates, (entry.score, entry.ticket, entry.chunk_id))
        if len(share.candidates) > 64 + 2 * len(share.chunks):
            self._rebuild(share)

    def next_candidate(self) -> CachedChunk | None:
        """Return the chunk to go first; it is no candidate any more."""
        best: CachedChunk | None = None
        best_place = (True, 0.0)
        for share in self._shares.values():
            entry = self._head(share)
            if entry is not None:
                place = (self._is_poor(share), entry.score)
                if best is None or place < best_place:
                    best, best_place = entry, place
        if best is not None:
            heapq.heappop(best.share.candidates)
            best.ticket = 0
        return best

    def in_order(self, entries: Iterable[CachedChunk]) -> list[CachedChunk]:
        """Return chunks in the order in which they would go, whether or not they may."""
        return sorted(entries, key=lambda entry: (self._is_poor(entry.share), entry.score))

    def touch(self, chunk_id: ChunkId, cost: float | None) -> float:
        """Count a use; return the new score."""
        if self._scorer.too_large():
            factor = self._scorer.scale_down()
            for share in self._shares.values():
                for entry in share.chunks.values():
                    entry.score /= factor
                self._rebuild(share)
        return float(self._scorer.touch(chunk_id, cost))

    def _is_poor(self, share: Share) -> bool:
        return share.nbytes * len(self._shares) < self.nbytes

    def _head(self, share: Share) -> CachedChunk | None:
        candidates = share.candidates
        while candidates:
            score, ticket, chunk_id = candidates[0]
            entry = share.chunks.get(chunk_id)
            if entry is not None and entry.ticket == ticket:
                if not (entry.listed or entry.holds):
                    if entry.score <= score:
                        return entry
                    entry.ticket = next(self._tickets)
                    heapq.heapreplace(candidates, (entry.score, entry.ticket, chunk_id))
                    continue
                entry.ticket = 0  # `offer` brings it back
            heapq.heappop(candidates)
        return None

    def _rebuild(self, share: Share) -> None:
        kept = []
        for _, ticket, chunk_id in share.candidates:
            entry = share.chunks.get(chunk_id)
            if entry is not None and entry.ticket == ticket:
                may_go = not (entry.listed or entry.holds)
                entry.ticket = next(self._tickets) if may_go else 0
                if may_go:
                    kept.append((entry.score, entry.ticket, chunk_id))
        heapq.heapify(kept)
        share.candidates = kept
