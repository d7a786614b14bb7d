"""In which order reads start: queues of tiles, best first.

Invariants: a queue holds tiles of one client, pool, source and tier, best first; every unassembled
tile with chunks is in one; no tile before a queue's cursor can start before its `due`, as long as
the delay is not shorter than when they were passed over. Under the loader's lock only.
"""

from __future__ import annotations

import heapq
from math import inf

from napari_octree.loading.scheduling.model import ChunkState, ClientList, Stage, Tile
from napari_octree.loading.scheduling.pools import LoaderPool
from napari_octree.loading.scheduling.source_record import SourceRecord
from napari_octree.octree.chunk_key import Tier


class StartQueue:
    """Tiles of one client, pool, source and tier, best first; the cursor is at the next one."""

    __slots__ = (
        "client",
        "cursor",
        "delay_s",
        "due",
        "idle_only",
        "pool",
        "source",
        "tier",
        "tiles",
    )

    def __init__(
        self, client: ClientList, pool: LoaderPool, source: SourceRecord, tier: Tier
    ) -> None:
        self.client = client
        self.pool = pool
        self.source = source
        self.tier = tier
        self.idle_only = tier >= Tier.PREFETCH
        self.tiles: list[Tile] = []
        self.cursor = 0
        self.delay_s = inf
        """With which the tiles before the cursor were passed over."""
        self.due: float | None = None
        """When the first of them may start."""

    def has_room(self, rushing: bool) -> bool:
        """Whether one more read may start."""
        source = self.source
        return self.pool.has_room() and source.concurrency.has_room(
            rushing, source.latency_s or 0.0
        )

    def may_read_ahead(self, rushing: bool) -> bool:
        """Whether reading ahead would delay nothing that may be wanted in a moment.

        A read cannot be called back: so half of the source stays free, and while the user moves
        only fast sources are read, and none in the background.
        """
        latency_s = self.source.latency_s or 0.0
        if rushing and (latency_s > self.pool.auto_sync_s or self.tier is Tier.BACKGROUND):
            return False
        concurrency = self.source.concurrency
        return 2 * concurrency.running < max(concurrency.allowed(rushing, latency_s), 2)

    def head(self, now: float) -> Tile | None:
        """Return the best tile with a chunk to read, and move the cursor there."""
        tiles = self.tiles
        delay_s = self.pool.delay_of(self.tier, self.source.latency_s, self.client.pace)
        if delay_s < self.delay_s or (self.due is not None and self.due <= now):
            self.rewind()
        self.delay_s = delay_s
        cursor = self.cursor
        while cursor < len(tiles):
            tile = tiles[cursor]
            if tile.waiting and tile.unassembled:
                due = tile.since + delay_s
                queued = False
                for chunk in tile.chunks:
                    if chunk.state is ChunkState.QUEUED:
                        queued = True
                        if chunk.not_before > due:
                            due = chunk.not_before
                if queued:
                    if due <= now or tile.stage is Stage.ADMITTED:
                        self.cursor = cursor
                        return tile
                    if self.due is None or due < self.due:
                        self.due = due
            cursor += 1
        self.cursor = cursor
        return None

    def rewind(self, position: int = 0) -> None:
        """Look again at the tiles from `position` on."""
        if position < self.cursor:
            self.cursor = position
        if position == 0:
            self.due = None


class StartQueues:
    """The queues of all clients.

    Parameters
    ----------
    clients : list of ClientList
        As it grows and shrinks.
    """

    def __init__(self, clients: list[ClientList]) -> None:
        self._clients = clients
        self._queues: dict[ClientList, list[StartQueue]] = {}

    def drop(self, client: ClientList) -> None:
        """Forget a client."""
        self._queues.pop(client, None)

    def arrange(self, client: ClientList) -> None:
        """Put the client's unassembled tiles into queues, ready and staged ones into heaps."""
        queues: dict[tuple[int, int, Tier], StartQueue] = {}
        by_level: dict[tuple[int, SourceRecord, Tier], StartQueue] = {}
        pools = client.settings.pools
        ready: list[Tile] = []
        staged: list[Tile] = []
        pending = improving = 0
        for tile in client.tiles.values():
            if tile.unassembled:
                if tile.awaited:
                    pending += 1
                if tile.chunks:
                    source = tile.chunks[0].source
                    name = (tile.request.relative_level, source, tile.tier)
                    queue = by_level.get(name)
                    if queue is None:
                        pool = pools.of(tile.request.relative_level)
                        source.concurrency.allow(pools.num_workers)
                        queue = StartQueue(client, pool, source, tile.tier)
                        queue = queues.setdefault((id(pool), id(source), tile.tier), queue)
                        by_level[name] = queue
                    tile.queue = queue
                    tile.position = len(queue.tiles)
                    queue.tiles.append(tile)
                if not tile.waiting:
                    ready.append(tile)
                continue
            tile.queue = None
            if tile.result is not None:
                staged.append(tile)
            if tile.stage is Stage.ASSEMBLING:
                pending += tile.awaited
            elif tile.improvable:
                ready.append(tile)
                tile.improving = True
            improving += tile.improving and tile.awaited
        # Lists are mostly in order already, and then this is one comparison a tile.
        heapq.heapify(ready)
        heapq.heapify(staged)
        client.ready, client.staged = ready, staged
        client.pending, client.improving = pending, improving
        self._queues[client] = list(queues.values())

    def best_head(self, rushing: bool, now: float) -> Tile | None:
        """Return the best tile to read for, of all queues whose pool and source have room.

        What is only read ahead has its turn when nothing else is unfinished, on any list.
        """
        best: Tile | None = None
        for client in self._clients:
            for queue in self._queues.get(client, ()):
                if queue.idle_only and (
                    any(other.pending for other in self._clients)
                    or not queue.may_read_ahead(rushing)
                ):
                    continue
                if queue.has_room(rushing):
                    tile = queue.head(now)
                    if tile is not None and (best is None or tile < best):
                        best = tile
        return best

    def next_due(self, now: float) -> float | None:
        """Return when, after `now`, some passed-over tile may start.

        (What is due by now waits for room, not for time.)
        """
        first: float | None = None
        for queues in self._queues.values():
            for queue in queues:
                due = queue.due
                if due is not None and due > now and (first is None or due < first):
                    first = due
        return first
