"""Memory for tiles before their first read: admit and withdraw.

Invariants: an admitted tile has reserved what its unread chunks and its block take, and holds
its cached chunks; so it can always be finished, and tiles that compete for memory cannot wait for
one another. A chunk's bytes are reserved once, however many tiles need it. Under the
loader's lock only.
"""

from __future__ import annotations

from napari_octree.loading.chunk_cache import ENTRY_BYTES, ChunkCache
from napari_octree.loading.working_set import Chunk, ChunkState, Stage, Tile
from napari_octree.octree.chunk_key import Tier


def chunk_bytes(chunk: Chunk) -> int:
    """Return what a chunk will take in the cache, by its announced shape and type."""
    return chunk.nbytes + ENTRY_BYTES


class Admission:
    """The admitted tiles, and the memory they were promised.

    Parameters
    ----------
    cache : ChunkCache
    """

    def __init__(self, cache: ChunkCache) -> None:
        self._cache = cache
        self._tiles: dict[Tile, None] = {}

    def admit(self, tile: Tile) -> bool:
        """Reserve memory for all that the tile needs and hold what is cached of it.

        With nothing else under way a tile that is larger than the limit is let in alone. A
        tile that is only prefetched evicts nothing that is on a list: it waits.
        """
        cache = self._cache
        urgent = tile.request.tier <= Tier.IDEAL
        alone = urgent and cache.reserved_bytes == 0 and cache.held_bytes == 0
        fresh = [c for c in tile.chunks if c.state is ChunkState.QUEUED and not c.reserved]
        held = [c.chunk_id for c in tile.chunks if c.available]
        for chunk_id in held:
            cache.hold(chunk_id)
        needed = sum(map(chunk_bytes, fresh)) + tile.block_bytes
        if not cache.reserve(needed, evict_listed=urgent, alone=alone):
            for chunk_id in held:
                cache.let_go(chunk_id)
            return False
        for chunk in fresh:
            chunk.reserved = True
        tile.reserved = tile.block_bytes
        tile.stage = Stage.ADMITTED
        self._tiles[tile] = None
        return True

    def withdraw(self, tile: Tile) -> None:
        """Undo `admit`; reads under way keep their memory until they end."""
        cache = self._cache
        del self._tiles[tile]
        tile.stage = Stage.LISTED
        cache.free(tile.reserved)
        tile.reserved = 0
        for chunk in tile.chunks:
            if chunk.available:
                cache.let_go(chunk.chunk_id)
            elif (
                chunk.state is ChunkState.QUEUED
                and chunk.reserved
                and not any(other.stage is Stage.ADMITTED for other in chunk.tiles)
            ):
                chunk.reserved = False
                cache.free(chunk_bytes(chunk))

    def complete(self, tile: Tile) -> None:
        """All chunks of the tile are there; what it reserved is now its assembly's."""
        del self._tiles[tile]
        tile.reserved = 0
        tile.stage = Stage.ASSEMBLING

    def best_unstarted(self, moving: bool) -> Tile | None:
        """Return the best admitted tile with a chunk that can be read now.

        When a better tile waits for memory, these must go on: they are the ones that hold it.
        """
        return min(
            (
                tile
                for tile in self._tiles
                if tile.lane is not None
                and tile.lane.has_room(moving)
                and any(chunk.state is ChunkState.QUEUED for chunk in tile.chunks)
            ),
            default=None,
        )

    def best_complete(self) -> Tile | None:
        """Return the best admitted tile whose chunks are all there; it needs no more memory."""
        return min((tile for tile in self._tiles if not tile.waiting), default=None)
