"""Tiles that wait a moment for the chunks around them.

Invariants: of the chunks around a tile one at a time is watched: most are there when the last one
is. A tile waits until its `hold_until` at most, and tiles are held in the order in which their
time ends. Under the loader's lock only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from napari_octree.loading.chunk_id import ChunkId

if TYPE_CHECKING:
    from napari_octree.loading.scheduling.model import Tile


class WaitingTiles:
    """Tiles, and for which chunk each waits."""

    def __init__(self) -> None:
        self._held: dict[Tile, ChunkId] = {}
        self._watched: dict[ChunkId, list[Tile]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, tile: Tile) -> bool:
        return tile in self._held

    def __iter__(self) -> Iterator[Tile]:
        return iter(self._held)

    @property
    def due(self) -> float | None:
        """When the first of them has waited enough."""
        for tile in self._held:
            return tile.hold_until
        return None

    def hold(self, tile: Tile, chunk_id: ChunkId) -> None:
        """Hold a tile until its `hold_until`, or until what becomes of a chunk is decided."""
        self._held[tile] = chunk_id
        tiles = self._watched.get(chunk_id)
        if tiles is None:
            self._watched[chunk_id] = [tile]
        else:
            tiles.append(tile)

    def decided(self, chunk_id: ChunkId, next_of: Callable[[Tile], ChunkId | None]) -> list[Tile]:
        """Let go of the tiles with nothing more to wait for, as a chunk is there or never will be.

        Parameters
        ----------
        chunk_id : ChunkId
        next_of : callable
            The chunk that a tile should wait for next; None if there is none any more.

        Returns
        -------
        list of Tile
            They, in the order in which they came.
        """
        done: list[Tile] = []
        for tile in self._watched.pop(chunk_id, ()):
            other = next_of(tile)
            if other is None:
                del self._held[tile]
                done.append(tile)
            else:
                self.hold(tile, other)
        return done

    def let_go(self, tile: Tile) -> None:
        """Hold a tile no longer."""
        chunk_id = self._held.pop(tile)
        tiles = self._watched[chunk_id]
        tiles.remove(tile)
        if not tiles:
            del self._watched[chunk_id]
