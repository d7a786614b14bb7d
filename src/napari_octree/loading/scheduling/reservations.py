"""Memory for tiles before their first read: admit and withdraw.

Invariants: an admitted tile has reserved what its unread chunks and its block take, and holds
its cached chunks; so it can always be finished, and tiles that compete for memory cannot wait for
one another. A chunk's bytes are reserved once, however many tiles need it. Under the
loader's lock only.
"""

from __future__ import annotations

from napari_octree.loading.assembly import nbytes_of
from napari_octree.loading.cache.chunk_cache import ENTRY_BYTES, ChunkCache
from napari_octree.loading.request import TileRequest
from napari_octree.loading.scheduling.model import Chunk, ChunkState, Stage, Tile
from napari_octree.octree.chunk_key import Tier


def chunk_bytes(chunk: Chunk) -> int:
    """Return what a chunk will take in the cache, by its announced shape and type."""
    return nbytes_of(chunk.chunk_id.region, chunk.storage.dtype) + ENTRY_BYTES


def block_bytes(request: TileRequest) -> int:
    """Return the bytes of the assembled block and of what `finish` makes of it."""
    if request.only_ahead:
        return 0
    n = request.source.dtype.itemsize
    for (start, stop), apron in zip(request.region, request.apron, strict=True):
        n *= stop - start + 2 * apron
    return n + max(n, request.finished_bytes)


class Reservations:
    """The admitted tiles, and the memory they were promised.

    Parameters
    ----------
    cache : ChunkCache
    """

    def __init__(self, cache: ChunkCache) -> None:
        self._cache = cache
        self._tiles: dict[Tile, None] = {}
        self.refused = False
        """Something was refused since this was last set to False."""

    def admit(self, tile: Tile) -> bool:
        """Reserve memory for all that the tile needs and hold what is cached of it.

        With nothing else under way a tile that is larger than the limit is let in alone. A
        tile that is only prefetched evicts nothing that is on a list: it waits.
        """
        cache = self._cache
        urgent = tile.tier <= Tier.IDEAL
        alone = urgent and cache.reserved_bytes == 0 and cache.held_bytes == 0
        cached = []
        fresh = []
        wanted = block = block_bytes(tile.request)
        for chunk in tile.chunks:
            if chunk.entry is not None:
                cached.append(chunk.entry)
            elif chunk.state is ChunkState.QUEUED and not chunk.reserved:
                nbytes = chunk_bytes(chunk)
                fresh.append((chunk, nbytes))
                wanted += nbytes
        cache.hold(cached)
        if not cache.reserve(wanted, evict_listed=urgent, alone=alone):
            cache.let_go(cached)
            self.refused = True
            return False
        for chunk, nbytes in fresh:
            chunk.reserved = nbytes
        tile.admit(block)
        self._tiles[tile] = None
        return True

    def reserve_alone(self, chunk: Chunk) -> bool:
        """Reserve memory for a chunk that is read for no tile yet, if there is some to spare."""
        nbytes = chunk_bytes(chunk)
        if not self._cache.reserve(nbytes, evict_listed=False):
            return False
        chunk.reserved = nbytes
        return True

    def withdraw(self, tile: Tile) -> None:
        """Undo `admit`; reads under way keep their memory until they end."""
        cache = self._cache
        del self._tiles[tile]
        cache.free(tile.withdraw())
        for chunk in tile.chunks:
            if chunk.entry is not None:
                cache.let_go((chunk.entry,))
            elif (
                chunk.state is ChunkState.QUEUED
                and chunk.reserved
                and not any(other.stage is Stage.ADMITTED for other in chunk.tiles)
            ):
                self.free(chunk)

    def complete(self, tile: Tile) -> int:
        """Return what was reserved for the tile's block; all its chunks are held."""
        del self._tiles[tile]
        return tile.start_assembling()

    def free(self, chunk: Chunk) -> None:
        """Give back what was reserved for a chunk."""
        self._cache.free(chunk.reserved)
        chunk.reserved = 0

    def best_unstarted(self, rushing: bool) -> Tile | None:
        """Return the best admitted tile with a chunk that can be read now.

        When a better tile waits for memory, these must go on: they are the ones that hold it.
        """
        return min(
            (
                tile
                for tile in self._tiles
                if tile.queue is not None
                and tile.queue.has_room(rushing)
                and any(chunk.state is ChunkState.QUEUED for chunk in tile.chunks)
            ),
            default=None,
        )

    def best_complete(self) -> Tile | None:
        """Return the best admitted tile whose chunks are all there; it needs no more memory."""
        return min((tile for tile in self._tiles if not tile.waiting), default=None)
