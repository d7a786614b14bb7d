"""Tiles that wait a moment for the chunks around them, and tiles that lack some.

Under the loader's lock only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from math import inf

from napari_octree.loading.scheduling.model import NO_GAPS, Chunk, ChunkState, Tile
from napari_octree.sources.protocol import ChunkId


def expected(chunk: Chunk, latency_s: float, now: float) -> float:
    """Return when a chunk that is to come may be there, if its source goes on as it does.

    Never, if it only lies ahead: the view, which is settled without it, does not wait.
    """
    if chunk.state is ChunkState.LOADING:
        return max(now, chunk.started + latency_s)
    starts = inf
    for tile in chunk.tiles:
        queue = tile.queue
        if queue is None or not tile.awaited:
            continue
        due = tile.since + queue.pool.delay_of(tile.tier, latency_s, tile.client.pace)
        before = max(tile.position - queue.cursor, 0) / max(chunk.source.concurrency.running, 1)
        starts = min(starts, max(due, chunk.not_before, now + before * latency_s))
    return starts + latency_s


class WaitingTiles:
    """Tiles, and for which chunk each waits.

    Of the chunks around a tile one at a time is watched: most are there when the last one is. A
    tile waits for so long at most as was said when it was added.
    """

    def __init__(self) -> None:
        self._tiles: dict[Tile, ChunkId] = {}
        self._ends: list[tuple[float, int, Tile]] = []
        """Heap; some tiles in it may have gone on already."""
        self._serial = count()
        self._watched: dict[ChunkId, list[Tile]] = {}

    def __len__(self) -> int:
        return len(self._tiles)

    def __contains__(self, tile: Tile) -> bool:
        return tile in self._tiles

    def __iter__(self) -> Iterator[Tile]:
        return iter(self._tiles)

    @property
    def due(self) -> float | None:
        """When the first of them has waited enough."""
        ends = self._ends
        while ends:
            until, _, tile = ends[0]
            if tile in self._tiles:
                return until
            heapq.heappop(ends)
        return None

    def end_due(self, now: float) -> list[Tile]:
        """Take out the tiles that have waited enough."""
        done = []
        while (due := self.due) is not None and due <= now:
            tile = self._ends[0][2]
            self.remove(tile)  # and with it, now or when it is looked at next, its end
            done.append(tile)
        return done

    def add(self, tile: Tile, chunk_id: ChunkId, until: float) -> None:
        """Let a tile wait until then, or until a chunk is there or never will be."""
        heapq.heappush(self._ends, (until, next(self._serial), tile))
        self._watch(tile, chunk_id)

    def _watch(self, tile: Tile, chunk_id: ChunkId) -> None:
        self._tiles[tile] = chunk_id
        tiles = self._watched.get(chunk_id)
        if tiles is None:
            self._watched[chunk_id] = [tile]
        else:
            tiles.append(tile)

    def decided(self, chunk_id: ChunkId, next_of: Callable[[Tile], ChunkId | None]) -> list[Tile]:
        """Take out the tiles that wait for nothing more, as a chunk is there or never will be.

        Parameters
        ----------
        chunk_id : ChunkId
        next_of : callable
            The chunk that a tile should wait for next; None if there is none any more.

        Returns
        -------
        list of Tile
            In the order in which they came.
        """
        done: list[Tile] = []
        for tile in self._watched.pop(chunk_id, ()):
            other = next_of(tile)
            if other is None:
                self._go_on(tile)
                done.append(tile)
            else:
                self._watch(tile, other)
        return done

    def remove(self, tile: Tile) -> None:
        """Let a tile wait no longer."""
        chunk_id = self._go_on(tile)
        tiles = self._watched[chunk_id]
        tiles.remove(tile)
        if not tiles:
            del self._watched[chunk_id]

    def _go_on(self, tile: Tile) -> ChunkId:
        chunk_id = self._tiles.pop(tile)
        if not self._tiles:
            self._ends.clear()  # which would keep tiles, and so their pixels
        return chunk_id


class MissingNeighbours:
    """Tiles by the chunks that their aprons lack.

    A tile is registered for exactly the chunks of its `gaps`; a chunk that nobody lacks has no
    entry.
    """

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
