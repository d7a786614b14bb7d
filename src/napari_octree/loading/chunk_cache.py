"""The bytes of RAM that loading may use: cached storage chunks and everything on its way.

Invariants:

* `cached_bytes + reserved_bytes <= limit_bytes`, except while one tile that is larger than the
  limit is loaded alone (`reserve(..., alone=True)`).
* A held chunk is never evicted; a listed chunk (one of some client's current list) only after
  every chunk that is not.
* Keys name pixels, not places in a layer: (identity and version of the array, region). They
  cannot collide between layers, and two layers of one array share chunks.

All methods but `peek` are called under the loader's lock. `peek` is one dictionary look-up and may
be called in any thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np
from cachey import Scorer

from napari_octree.sources.protocol import Region

ENTRY_BYTES = 512
"""What an entry costs besides its pixels; so that absent chunks are bounded as well."""

_SCORE_LIMIT = 1e100


class ChunkId(NamedTuple):
    """The name of a storage chunk.

    Attributes
    ----------
    storage : Hashable
        `StorageArray.key`.
    region : tuple of (int, int)
        The chunk's box in the storage array.
    """

    storage: Hashable
    region: Region


@dataclass(slots=True, eq=False)
class CachedChunk:
    """One cached storage chunk.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        None: the store holds nothing here and its fill value applies.
    nbytes : int
    """

    pixels: np.ndarray | None
    nbytes: int
    score: float
    listed: bool
    holds: int = 0
    queued: bool = field(default=False)


class ChunkScorer(Scorer):
    """cachey's score (cost of the load, per byte, aged by use) that forgets and never overflows.

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


class ChunkCache:
    """Storage chunks in RAM under a hard limit of bytes.

    Parameters
    ----------
    limit_bytes : int
        For cached chunks, reads in flight and finished tiles together.
    on_evict : callable
        Called with the `ChunkId` of each listed chunk that is evicted.
    """

    def __init__(
        self, limit_bytes: int, on_evict: Callable[[ChunkId], None] | None = None
    ) -> None:
        self.limit_bytes = limit_bytes
        self.on_evict = on_evict
        self.cached_bytes = 0
        self.reserved_bytes = 0
        self.held_bytes = 0
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self._entries: dict[ChunkId, CachedChunk] = {}
        self._scorer = ChunkScorer(halflife=1000)
        # Candidates for eviction, lowest score first. Scores in it may be out of date (too low),
        # and listed chunks are taken out when they come up and put back when unlisted.
        self._candidates: list[tuple[float, int, ChunkId]] = []
        self._serial = count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, chunk_id: ChunkId) -> bool:
        return chunk_id in self._entries

    def peek(self, chunk_id: ChunkId) -> CachedChunk | None:
        """Return a chunk without counting it as used (any thread)."""
        return self._entries.get(chunk_id)

    def use(self, chunk_id: ChunkId) -> CachedChunk | None:
        """Return a chunk and count the look-up as a hit or a miss."""
        entry = self._entries.get(chunk_id)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        entry.score = self._touch(chunk_id, None)
        return entry

    def put(
        self,
        chunk_id: ChunkId,
        pixels: np.ndarray | None,
        seconds: float,
        listed: bool = False,
        needed: bool = False,
    ) -> bool:
        """Keep a chunk that took `seconds` to load; return whether it was kept.

        One that is `needed` by an admitted tile (which reserved the room for it) always is.
        """
        self.discard(chunk_id)
        nbytes = ENTRY_BYTES + (0 if pixels is None else pixels.nbytes)
        if not self._make_room(nbytes, listed, needed) and not needed:
            return False
        score = self._touch(chunk_id, max(seconds, 1e-6) / nbytes)
        entry = CachedChunk(pixels, nbytes, score, listed)
        self._entries[chunk_id] = entry
        self.cached_bytes += nbytes
        self._queue(chunk_id, entry)
        return True

    def discard(self, chunk_id: ChunkId) -> None:
        """Drop a chunk if it is cached."""
        entry = self._entries.pop(chunk_id, None)
        if entry is not None:
            self.cached_bytes -= entry.nbytes
            if entry.holds:
                self.held_bytes -= entry.nbytes
            self._scorer.forget(chunk_id)

    def forget(self, storage: Hashable) -> None:
        """Drop all chunks of one array that are not held."""
        own = [i for i, e in self._entries.items() if i.storage == storage and not e.holds]
        for chunk_id in own:
            self._evict(chunk_id)

    def set_listed(self, chunk_id: ChunkId, listed: bool) -> None:
        """Say whether the chunk belongs to some client's current list."""
        entry = self._entries.get(chunk_id)
        if entry is not None:
            entry.listed = listed
            if not listed:
                self._queue(chunk_id, entry)

    def hold(self, chunk_id: ChunkId) -> None:
        """Keep a chunk from being evicted until `let_go`."""
        entry = self._entries[chunk_id]
        if entry.holds == 0:
            self.held_bytes += entry.nbytes
        entry.holds += 1

    def let_go(self, chunk_id: ChunkId) -> None:
        """End one `hold`."""
        entry = self._entries.get(chunk_id)
        if entry is not None and entry.holds:
            entry.holds -= 1
            if entry.holds == 0:
                self.held_bytes -= entry.nbytes
                self._queue(chunk_id, entry)

    def reserve(self, nbytes: int, evict_listed: bool, alone: bool = False) -> bool:
        """Set bytes aside for something on its way; evict for it.

        Parameters
        ----------
        nbytes : int
        evict_listed : bool
            Whether it is urgent enough to evict chunks of the current lists.
        alone : bool
            Nothing else is on its way: grant it even above the limit.
        """
        if not self._make_room(nbytes, evict_listed, alone) and not alone:
            return False
        self.reserved_bytes += nbytes
        return True

    def free(self, nbytes: int) -> None:
        """Give reserved bytes back."""
        self.reserved_bytes -= nbytes

    def resize(self, reserved: int, actual: int) -> None:
        """Correct a reservation to what it really takes; evict if that is more."""
        self.reserved_bytes += actual - reserved
        self._make_room(0, evict_listed=True, as_far_as_possible=True)

    def clear(self) -> None:
        """Drop every chunk that is not held."""
        for chunk_id in [i for i, entry in self._entries.items() if not entry.holds]:
            self._evict(chunk_id)

    def _make_room(
        self, nbytes: int, evict_listed: bool, as_far_as_possible: bool = False
    ) -> bool:
        wanted = self.limit_bytes - self.reserved_bytes - nbytes
        if self.cached_bytes <= wanted:
            return True
        if wanted < self.held_bytes and not as_far_as_possible:
            return False
        while self.cached_bytes > wanted and (victim := self._next_candidate()) is not None:
            self._evict(victim)
        if self.cached_bytes > wanted and evict_listed:
            listed = [(e.score, i) for i, e in self._entries.items() if e.listed and not e.holds]
            listed.sort(key=lambda pair: pair[0], reverse=True)
            while listed and self.cached_bytes > wanted:
                self._evict(listed.pop()[1])
        return self.cached_bytes <= wanted

    def _next_candidate(self) -> ChunkId | None:
        """Return the chunk with the lowest score that is neither listed nor held."""
        while self._candidates:
            score, _, chunk_id = heapq.heappop(self._candidates)
            entry = self._entries.get(chunk_id)
            if entry is None or not entry.queued:
                continue
            entry.queued = False
            if entry.listed or entry.holds:
                continue  # comes back with set_listed or let_go
            if entry.score > score:
                self._queue(chunk_id, entry)
                continue
            return chunk_id
        return None

    def _queue(self, chunk_id: ChunkId, entry: CachedChunk) -> None:
        if not entry.queued:
            entry.queued = True
            heapq.heappush(self._candidates, (entry.score, next(self._serial), chunk_id))
            if len(self._candidates) > 64 + 2 * len(self._entries):
                self._rebuild()

    def _evict(self, chunk_id: ChunkId) -> None:
        listed = self._entries[chunk_id].listed
        self.discard(chunk_id)
        self.evictions += 1
        if listed and self.on_evict is not None:
            self.on_evict(chunk_id)

    def _touch(self, chunk_id: ChunkId, cost: float | None) -> float:
        if self._scorer.too_large():
            factor = self._scorer.scale_down()
            for entry in self._entries.values():
                entry.score /= factor
            self._rebuild()
        return float(self._scorer.touch(chunk_id, cost))

    def _rebuild(self) -> None:
        self._candidates = [
            (entry.score, next(self._serial), chunk_id)
            for chunk_id, entry in self._entries.items()
            if entry.queued
        ]
        heapq.heapify(self._candidates)
