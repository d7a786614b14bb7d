"""Which tiles lack which chunks around them.

Invariants: a tile is registered for exactly the chunks of its `gaps`; a chunk that nobody lacks
has no entry. Under the loader's lock only.
"""

from __future__ import annotations

from napari_octree.loading.chunk_id import ChunkId
from napari_octree.loading.scheduling.model import NO_GAPS, Tile


class MissingNeighbours:
    """Tiles by the chunks that their aprons lack."""

    def __init__(self) -> None:
        self._tiles: dict[ChunkId, set[Tile]] = {}

    def __len__(self) -> int:
        return len(self._tiles)

    def open(self, tile: Tile, gaps: set[ChunkId]) -> None:
        """Note what the tile lacks, in place of what it lacked before."""
        if tile.gaps:
            self.close(tile)
        if gaps:
            tile.gaps = gaps
            for chunk_id in gaps:
                tiles = self._tiles.get(chunk_id)
                if tiles is None:
                    self._tiles[chunk_id] = {tile}
                else:
                    tiles.add(tile)

    def close(self, tile: Tile) -> None:
        """Forget the tile."""
        for chunk_id in tile.gaps:
            tiles = self._tiles[chunk_id]
            tiles.discard(tile)
            if not tiles:
                del self._tiles[chunk_id]
        tile.gaps = NO_GAPS

    def fill(self, chunk_id: ChunkId) -> set[Tile]:
        """Note that a chunk is there; return the tiles that lacked it."""
        tiles = self._tiles.pop(chunk_id, None)
        if tiles is None:
            return set()
        for tile in tiles:
            tile.gaps.discard(chunk_id)
        return tiles

    def tiles(self, chunk_id: ChunkId) -> tuple[Tile, ...]:
        """Return the tiles whose apron lacks a chunk."""
        return tuple(self._tiles.get(chunk_id, ()))
