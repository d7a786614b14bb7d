"""Whether and when a chunk that is not at hand will be there.

Invariants: what is only read ahead comes for nobody that waits. Under the loader's lock only.
"""

from __future__ import annotations

from math import inf

from napari_octree.loading.scheduling.model import Chunk, ChunkState, Stage


def expected(chunk: Chunk, latency_s: float, now: float) -> float:
    """Return when a chunk that is to come may be there, if its source goes on as it does.

    Never, if it only lies ahead: the view, which is settled without it, does not wait.
    """
    if chunk.state is ChunkState.LOADING:
        return now + latency_s
    starts = inf
    for tile in chunk.tiles:
        queue = tile.queue
        if queue is None or not tile.awaited:
            continue
        due = tile.since + queue.pool.delay_of(tile.tier, latency_s, tile.client.pace)
        before = max(tile.position - queue.cursor, 0) / max(chunk.source.concurrency.running, 1)
        starts = min(starts, max(due, chunk.not_before, now + before * latency_s))
    return starts + latency_s


def is_to_come(chunk: Chunk) -> bool:
    """Whether a chunk is being read, or will be for a tile that is to be seen."""
    if chunk.state is ChunkState.QUEUED:
        for tile in chunk.tiles:
            if not tile.only_ahead and (
                tile.stage is Stage.LISTED or tile.stage is Stage.ADMITTED
            ):
                return True
        return False
    return chunk.state is ChunkState.LOADING
