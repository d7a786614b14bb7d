"""Which delivered tiles lack which chunks around them.

Invariants: a tile is registered for exactly the chunks of its `gaps`; a chunk that nobody lacks
has no entry. Under the loader's lock only.
"""

from __future__ import annotations

from collections.abc import Iterable

from napari_octree.loading.chunk_cache import ChunkId
from napari_octree.loading.working_set import Tile


class ApronGaps:
    """Tiles by the chunks that their aprons lack."""

    def __init__(self) -> None:
        self._tiles: dict[ChunkId, set[Tile]] = {}

    def __len__(self) -> int:
        return len(self._tiles)

    def open(self, tile: Tile, gaps: Iterable[ChunkId]) -> None:
        """Note what the tile lacks, in place of what it lacked before."""
        self.close(tile)
        tile.gaps = frozenset(gaps)
        for chunk_id in tile.gaps:
            self._tiles.setdefault(chunk_id, set()).add(tile)

    def close(self, tile: Tile) -> None:
        """Forget the tile."""
        for chunk_id in tile.gaps:
            tiles = self._tiles[chunk_id]
            tiles.discard(tile)
            if not tiles:
                del self._tiles[chunk_id]
        tile.gaps = frozenset()

    def tiles(self, chunk_id: ChunkId) -> tuple[Tile, ...]:
        """Return the tiles whose apron lacks a chunk."""
        return tuple(self._tiles.get(chunk_id, ()))
