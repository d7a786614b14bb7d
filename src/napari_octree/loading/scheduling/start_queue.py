"""StartQueues: a client's tiles in the order in which they start.

Invariants: a queue holds tiles of one client, pool, source and tier, best first; every unfinished
tile is in one; no tile before the cursor can start now, and if one can start later, `due` says
when at the latest to look again. Under the loader's lock only.
"""

from __future__ import annotations

import heapq

from napari_octree.loading.scheduling.model import ChunkState, ClientList, Stage, Tile
from napari_octree.loading.scheduling.pools import LoaderPool
from napari_octree.loading.scheduling.source_record import SourceRecord
from napari_octree.octree.chunk_key import Tier


class StartQueue:
    """Tiles of one client, pool, source and tier, best first; the cursor is at the next one."""

    __slots__ = ("client", "cursor", "due", "idle_only", "pool", "source", "tier", "tiles")

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
        self.due: float | None = None
        """When the first tile that the cursor passed over may start."""

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
        cursor = self.cursor
        if cursor == len(tiles):
            return None
        delay_s = self.pool.delay_of(self.tier, self.source.latency_s, self.client.pace)
        while cursor < len(tiles):
            tile = tiles[cursor]
            if tile.waiting and (tile.stage is Stage.LISTED or tile.stage is Stage.ADMITTED):
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


def arrange(client: ClientList) -> None:
    """Put the client's unfinished tiles into queues, ready and staged ones into heaps."""
    queues: dict[tuple[int, int, Tier], StartQueue] = {}
    by_level: dict[tuple[int, SourceRecord, Tier], StartQueue] = {}
    pools = client.workers.pools
    ready: list[Tile] = []
    staged: list[Tile] = []
    pending = 0
    for tile in client.tiles.values():
        stage = tile.stage
        if stage is Stage.LISTED or stage is Stage.ADMITTED:
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
        if stage is Stage.ASSEMBLING:
            pending += tile.awaited
        elif tile.improvable:
            ready.append(tile)
    # Lists are mostly in order already, and then this is one comparison a tile.
    heapq.heapify(ready)
    heapq.heapify(staged)
    client.queues, client.ready, client.staged = list(queues.values()), ready, staged
    client.pending = pending


def best_head(clients: list[ClientList], rushing: bool, now: float) -> Tile | None:
    """Return the best tile to read for, of all queues whose pool and source have room.

    What is only read ahead has its turn when nothing else is unfinished, on any list.
    """
    best: Tile | None = None
    for client in clients:
        for queue in client.queues:
            if queue.idle_only and (
                any(other.pending for other in clients) or not queue.may_read_ahead(rushing)
            ):
                continue
            if queue.has_room(rushing):
                tile = queue.head(now)
                if tile is not None and (best is None or tile < best):
                    best = tile
    return best


def next_due(clients: list[ClientList]) -> float | None:
    """Return when some passed-over tile may start."""
    due: float | None = None
    for client in clients:
        for queue in client.queues:
            if queue.due is not None and (due is None or queue.due < due):
                due = queue.due
    return due
