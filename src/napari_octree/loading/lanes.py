"""Lanes: a client's tiles in the order in which they start.

Invariants: a lane holds tiles of one client, pool, source and tier, best first; every unfinished
tile is in one; no tile before the cursor can start now, and if one can start later, `due` says
when at the latest to look again. Under the loader's lock only.
"""

from __future__ import annotations

import heapq

from napari_octree.loading.loader_pool import LoaderPools
from napari_octree.loading.working_set import ChunkState, ClientList, Lane, Stage, Tile
from napari_octree.octree.chunk_key import Tier

UNFINISHED = frozenset({Stage.LISTED, Stage.ADMITTED, Stage.ASSEMBLING})


def arrange(client: ClientList, pools: LoaderPools) -> None:
    """Put the client's unfinished tiles into lanes, ready and staged ones into heaps."""
    lanes: dict[tuple[int, int, Tier], Lane] = {}
    ready: list[Tile] = []
    staged: list[Tile] = []
    pending = 0
    for tile in client.tiles.values():
        if tile.result is not None:
            staged.append(tile)
        stage = tile.stage
        tile.lane = None
        if stage in UNFINISHED:
            if tile.request.tier.awaited:
                pending += 1
            if stage is Stage.ASSEMBLING:
                continue
            if tile.chunks:
                source = tile.chunks[0].source
                pool = pools.of(tile.request.relative_level)
                name = (id(pool), id(source), tile.request.tier)
                lane = lanes.get(name)
                if lane is None:
                    lane = lanes[name] = Lane(client, pool, source, tile.request.only_ahead)
                tile.lane = lane
                tile.position = len(lane.tiles)
                lane.tiles.append(tile)
            if tile.waiting == 0:
                ready.append(tile)
        elif tile.improvable:
            ready.append(tile)
    # Lists are mostly in order already, and then this is one comparison a tile.
    heapq.heapify(ready)
    heapq.heapify(staged)
    client.lanes, client.ready, client.staged = lanes, ready, staged
    client.pending = pending


def head(lane: Lane, now: float) -> Tile | None:
    """Return the lane's best tile with a chunk to read, and move the cursor there."""
    tiles = lane.tiles
    while lane.cursor < len(tiles):
        tile = tiles[lane.cursor]
        if tile.waiting and (tile.stage is Stage.LISTED or tile.stage is Stage.ADMITTED):
            queued = [c.not_before for c in tile.chunks if c.state is ChunkState.QUEUED]
            if queued:
                if tile.stage is Stage.ADMITTED:
                    return tile
                due = max(tile.since + lane.delay_s(tile.request.tier), *queued)
                if due <= now:
                    return tile
                lane.due = due if lane.due is None else min(lane.due, due)
        lane.cursor += 1
    return None


def best_head(clients: list[ClientList], moving: bool, now: float) -> Tile | None:
    """Return the best tile to read for, of all lanes whose pool and source have room.

    What is only read ahead has its turn when nothing else is unfinished, on any list.
    """
    best: Tile | None = None
    busy = any(client.pending for client in clients)
    for client in clients:
        for lane in client.lanes.values():
            if lane.only_ahead and (busy or not lane.may_read_ahead(moving)):
                continue
            if lane.has_room(moving):
                tile = head(lane, now)
                if tile is not None and (best is None or tile < best):
                    best = tile
    return best


def next_due(clients: list[ClientList]) -> float | None:
    """Return when some passed-over tile may start."""
    dues = [
        lane.due for client in clients for lane in client.lanes.values() if lane.due is not None
    ]
    return min(dues, default=None)
