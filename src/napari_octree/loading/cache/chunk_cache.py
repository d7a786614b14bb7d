"""The bytes of RAM that loading may use: cached storage chunks and everything on its way.

Invariants:

* `cached_bytes + reserved_bytes <= limit_bytes`, except while one tile that is larger than the
  limit is loaded alone (`reserve(..., alone=True)`), and after `limit_bytes` was lowered, until
  what was on its way then has been taken.
* A held chunk is never evicted; a listed chunk (one of some client's current list) only after
  every chunk that is not, and in the order of `need`. Among equals `eviction` decides.

All methods but `peek`, `bytes_of` and `regions_of` are called under the loader's lock. Each of
these three is one step of the interpreter, and may be called in any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

import numpy as np

from napari_octree.loading.cache.eviction import CachedChunk, EvictionOrder
from napari_octree.sources.protocol import ChunkId, Region

ENTRY_BYTES = 512
"""What an entry costs besides its pixels; so that absent chunks are bounded as well."""


class CachedArray:
    """What is cached of one array.

    Attributes
    ----------
    nbytes : int
    regions : dict from Region to None
    """

    __slots__ = ("nbytes", "regions")

    def __init__(self) -> None:
        self.nbytes = 0
        self.regions: dict[Region, None] = {}


class ChunkCache:
    """Storage chunks in RAM under a hard limit of bytes.

    Parameters
    ----------
    limit_bytes : int
        For cached chunks, reads in flight and finished tiles together.
    on_evict : callable
        Called with the `ChunkId` of each listed chunk that is evicted.
    need : callable
        How much the lists need a listed chunk: the less, the sooner it may go.
    """

    def __init__(
        self,
        limit_bytes: int,
        on_evict: Callable[[ChunkId], None] | None = None,
        need: Callable[[ChunkId], int] = lambda chunk_id: 0,
    ) -> None:
        self.limit_bytes = limit_bytes
        self.on_evict = on_evict
        self.need = need
        self.reserved_bytes = 0
        self.held_bytes = 0
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self.changes = 0
        """How often a chunk came or went: while it is the same, so is what is cached."""
        self._entries: dict[ChunkId, CachedChunk] = {}
        self._by_array: dict[Hashable, CachedArray] = {}
        self._order = EvictionOrder()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, chunk_id: ChunkId) -> bool:
        return chunk_id in self._entries

    @property
    def cached_bytes(self) -> int:
        """Bytes of all cached chunks."""
        return self._order.nbytes

    def bytes_of(self, storage: Hashable) -> int:
        """Bytes of the cached chunks of one array, by its key (any thread)."""
        array = self._by_array.get(storage)
        return 0 if array is None else array.nbytes

    def regions_of(self, storage: Hashable) -> tuple[Region, ...]:
        """Where the cached chunks of one array lie, by its key, in no order (any thread)."""
        array = self._by_array.get(storage)
        return () if array is None else tuple(array.regions)

    def peek(self, chunk_id: ChunkId) -> CachedChunk | None:
        """Return a chunk without counting it as used (any thread)."""
        return self._entries.get(chunk_id)

    def peek_all(self, chunk_ids: Iterable[ChunkId]) -> list[CachedChunk | None]:
        """Return chunks without counting them as used; None for those that are not there."""
        return list(map(self._entries.get, chunk_ids))

    def use(self, chunk_id: ChunkId) -> CachedChunk | None:
        """Return a chunk and count the look-up as a hit or a miss."""
        entry = self._entries.get(chunk_id)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        entry.score = self._order.touch(chunk_id, None)
        return entry

    def put(
        self,
        chunk_id: ChunkId,
        pixels: np.ndarray | None,
        seconds: float,
        owner: Hashable = None,
        listed: bool = False,
        needed: bool = False,
    ) -> CachedChunk | None:
        """Keep a chunk; return None if there is no room for it.

        Parameters
        ----------
        chunk_id : ChunkId
        pixels : numpy.ndarray or None
        seconds : float
            What loading it took.
        owner : Hashable
            The source whose share it counts in.
        listed : bool
            Some client's current list needs it.
        needed : bool
            An admitted tile needs it, which reserved the room: it is always kept.
        """
        self.discard(chunk_id)
        nbytes = ENTRY_BYTES + (0 if pixels is None else pixels.nbytes)
        if not self._make_room(nbytes, listed, needed) and not needed:
            return None
        entry = self._order.enter(chunk_id, pixels, nbytes, seconds, owner, listed)
        self._entries[chunk_id] = entry
        self.changes += 1
        array = self._by_array.get(chunk_id.storage)
        if array is None:
            array = self._by_array[chunk_id.storage] = CachedArray()
        array.nbytes += entry.nbytes
        array.regions[chunk_id.region] = None
        return entry

    def discard(self, chunk_id: ChunkId) -> None:
        """Drop a chunk if it is cached."""
        entry = self._entries.pop(chunk_id, None)
        if entry is not None:
            if entry.holds:
                self.held_bytes -= entry.nbytes
            self._order.leave(entry)
            self.changes += 1
            array = self._by_array[chunk_id.storage]
            array.nbytes -= entry.nbytes
            del array.regions[chunk_id.region]
            if not array.regions:
                del self._by_array[chunk_id.storage]

    def forget(self, storage: Hashable) -> None:
        """Drop all chunks of one array that are not held."""
        self._evict_all([self._entries[ChunkId(storage, r)] for r in self.regions_of(storage)])

    def clear(self) -> None:
        """Drop every chunk that is not held."""
        self._evict_all(list(self._entries.values()))

    def set_listed(self, chunk_id: ChunkId, listed: bool) -> None:
        """Say whether the chunk belongs to some client's current list."""
        entry = self._entries.get(chunk_id)
        if entry is not None:
            entry.listed = listed
            self._order.offer(entry)

    def hold(self, entries: Iterable[CachedChunk]) -> None:
        """Keep cached chunks from being evicted until `let_go`."""
        for entry in entries:
            if entry.holds == 0:
                self.held_bytes += entry.nbytes
            entry.holds += 1

    def let_go(self, entries: Iterable[CachedChunk]) -> None:
        """End one `hold` of each."""
        for entry in entries:
            entry.holds -= 1
            if entry.holds == 0 and entry.cached:
                self.held_bytes -= entry.nbytes
                if not entry.listed:
                    self._order.offer(entry)

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

    def set_limit(self, limit_bytes: int) -> None:
        """Change the limit; evict down to it."""
        self.limit_bytes = limit_bytes
        self._make_room(0, evict_listed=True, as_far_as_possible=True)

    def _make_room(
        self, nbytes: int, evict_listed: bool, as_far_as_possible: bool = False
    ) -> bool:
        wanted = self.limit_bytes - self.reserved_bytes - nbytes
        order = self._order
        if order.nbytes <= wanted:
            return True
        if wanted < self.held_bytes and not as_far_as_possible:
            return False
        while order.nbytes > wanted and (victim := order.next_candidate()) is not None:
            self._evict(victim)
        if order.nbytes > wanted and evict_listed:
            listed = order.in_order(
                entry for entry in self._entries.values() if entry.listed and not entry.holds
            )
            for entry in sorted(listed, key=lambda entry: self.need(entry.chunk_id)):
                self._evict(entry)
                if order.nbytes <= wanted:
                    break
        return order.nbytes <= wanted

    def _evict_all(self, entries: list[CachedChunk]) -> None:
        for entry in entries:
            if not entry.holds:
                self._evict(entry)

    def _evict(self, entry: CachedChunk) -> None:
        self.discard(entry.chunk_id)
        self.evictions += 1
        if entry.listed and self.on_evict is not None:
            self.on_evict(entry.chunk_id)
