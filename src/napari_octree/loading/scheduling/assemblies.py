"""From chunks at hand to finished tiles, and again when an apron can be better.

Invariants:

* A tile whose chunks are all there is assembled at once, unless chunks around it are expected
  within `patience_s` of its source: then it waits until they are there, for so long at most. So
  most tiles are assembled, handed out and uploaded once. Of a slow source only what is being
  read and nearly there is waited for; where nothing is shown yet, nothing waits.
* A tile that was handed out with an incomplete apron is assembled again once: when a chunk
  around it has come and no other is to come.
* At most `most` assemblies run at once.

Under the loader's lock only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.scheduling.jobs import AssembleJob
from napari_octree.loading.scheduling.model import NO_GAPS, ClientList, Stage, Tile
from napari_octree.loading.scheduling.pools import ClientSettings
from napari_octree.loading.scheduling.reservations import Reservations, block_bytes
from napari_octree.loading.scheduling.tile_chunks import neighbours
from napari_octree.loading.scheduling.waiting import MissingNeighbours, WaitingTiles, expected
from napari_octree.loading.scheduling.working_set import WorkingSet
from napari_octree.loading.work import Made
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.protocol import ChunkId

WAIT_S = 0.09
"""Less than six frames: hardly seen, and time for a fast source to read what lies around."""
BRIEF_WAIT_S = 0.03
"""Less than two frames: for slow sources, whose reads that began together end nearly together."""
FAST_S = 0.03
"""Reads of slow sources take longer."""


def patience_s(latency_s: float) -> float:
    """How long a tile may wait for the chunks around it, by what a read of its source takes."""
    return WAIT_S if latency_s < FAST_S else BRIEF_WAIT_S


class Assemblies:
    """Tiles that are ready, wait for neighbours, are being assembled, or could be better.

    Parameters
    ----------
    working_set : WorkingSet
    reservations : Reservations
    most : int
        Tiles assembled at once.
    """

    def __init__(self, working_set: WorkingSet, reservations: Reservations, most: int) -> None:
        self._set = working_set
        self._reservations = reservations
        self._most = most
        self.running: dict[AssembleJob, None] = {}
        self.gaps = MissingNeighbours()
        self._waiting = WaitingTiles()

    # ---- what becomes of tiles and chunks --------------------------------------------------

    def complete(self, tile: Tile) -> None:
        """All chunks of a tile are there."""
        heapq.heappush(tile.client.ready, tile)

    def leave(self, tile: Tile) -> None:
        """Forget a tile that left its list."""
        if tile in self._waiting:
            self._waiting.remove(tile)
        if tile.gaps:
            self.gaps.close(tile)

    def came(self, chunk_id: ChunkId) -> None:
        """Fill the gaps that a chunk leaves in aprons: it is there, for somebody to see."""
        if self._waiting:
            self._look_around(chunk_id)
        if self.gaps:
            for tile in self.gaps.fill(chunk_id):
                tile.improvable = True
                self._improve(tile)

    def decided(self, chunk_id: ChunkId) -> None:
        """Look again at tiles whose apron lacks a chunk: perhaps it will not come."""
        if self._waiting:
            self._look_around(chunk_id)
        if self.gaps:
            for tile in self.gaps.tiles(chunk_id):
                self._improve(tile)

    def fail(self, tile: Tile, error: BaseException | None) -> None:
        """Stage a tile as failed; `error` is its own, or None if a chunk's."""
        client = tile.client
        if error is not None:
            storage = tile.request.source.storage
            source = self._set.source_of(client, storage)
            source.failures += 1
            cause = type(error).__name__
            failure = LoadFailure.of(source.name, cause, error, storage.group)
            self._set.failures.append((client.settings, failure))
        self._stage(tile)
        tile.fail()
        for chunk in tile.chunks:  # which will perhaps not be read any more
            self.decided(chunk.chunk_id)

    # ---- time ------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When the first waiting tile has waited enough."""
        return self._waiting.due

    def release_due(self, now: float) -> None:
        """Let those go on that have waited enough."""
        for tile in self._waiting.end_due(now):
            self.complete(tile)

    def release_all(self) -> bool:
        """Let none wait, as memory is short; return whether one did."""
        tiles = list(self._waiting)
        for tile in tiles:
            self._release(tile)
        return bool(tiles)

    # ---- work ------------------------------------------------------------------------------

    def next_job(self, now: float) -> AssembleJob | None:
        """Return the best assembly that can start now; the caller must run it."""
        while len(self.running) < self._most and (tile := self._next_ready()) is not None:
            if self._waits(tile, now):
                continue
            job = self._job_of(tile)
            if job is not None:
                self.running[job] = None
                return job
        return None

    def finished(self, job: AssembleJob, made: Made) -> None:
        """Note the end of an assembly: stage the tile."""
        if job not in self.running:  # its workers have left
            return
        del self.running[job]
        cache = self._set.cache
        cache.let_go(job.held)
        self._end(job.tile, made, job.reserved)

    def made(self, tile: Tile, made: Made) -> None:
        """Stage an admitted tile that was made as its only chunk was read."""
        self._end(tile, made, self._reservations.complete(tile))

    def _end(self, tile: Tile, made: Made, reserved: int) -> None:
        result, error = made
        cache = self._set.cache
        if not tile.listed or result is None:
            cache.free(reserved)
            tile.end_improving()
            if tile.listed and tile.stage is Stage.ASSEMBLING and error is not None:
                self.fail(tile, error)
            return
        if tile.result is None:
            self._stage(tile)
        cache.free(tile.reserved)
        tile.finish(result, 0 if result.data is None else result.data.nbytes)
        cache.resize(reserved, tile.reserved)
        tile.end_improving()
        if tile.improvable:
            self._improve(tile)

    def workers_left(self, settings: ClientSettings) -> None:
        """Expect nothing more of workers that have left; nobody waits for their tiles any more."""
        for job in [job for job in self.running if job.tile.client.settings is settings]:
            self.finished(job, Made(None, None))

    # ---- how it is done --------------------------------------------------------------------

    def _stage(self, tile: Tile) -> None:
        """Let a tile be taken; first of all, so that it is always seen to be on its way."""
        client = tile.client
        best = client.staged[0] if client.staged else None
        is_last = tile.awaited and client.pending == 1  # itself
        if best is None or is_last or (tile.awaited and not best.awaited):
            # Else it was woken before, and has not taken everything yet.
            self._set.woken[client] = None
        heapq.heappush(client.staged, tile)

    def _next_ready(self) -> Tile | None:
        """Return the best tile whose chunks are there, and for which there is memory."""
        best: ClientList | None = None
        for client in self._set.clients:
            ready = client.ready
            while ready and not self._can_assemble(ready[0]):
                tile = heapq.heappop(ready)
                if tile.waiting:  # again: what it is made of was evicted
                    tile.end_improving()
            if ready and (best is None or ready[0] < best.ready[0]):
                best = client
        if best is None:
            return None
        tile = best.ready[0]
        if tile.stage is Stage.LISTED and not self._reservations.admit(tile):
            other = self._reservations.best_complete()
            if other is not None:
                self._release(other)
            return other
        return heapq.heappop(best.ready)

    def _can_assemble(self, tile: Tile) -> bool:
        if not tile.listed or tile.waiting:
            return False
        if tile.unassembled:
            return tile not in self._waiting
        return tile.improvable and tile.finished

    def _waits(self, tile: Tile, now: float) -> bool:
        """Let a tile wait if that is worth while; return whether it is."""
        if tile.wait_until is not None:
            return False
        latency_s = tile.chunks[0].source.latency_s if tile.chunks else None
        if latency_s is None:
            tile.wait_until = now
            return False
        tile.wait_until = now + patience_s(latency_s)
        if tile.tier <= Tier.COVERAGE or not any(tile.request.apron):
            return False
        chunk_id = self._soon_around(tile)
        if chunk_id is None:
            return False
        self._waiting.add(tile, chunk_id, tile.wait_until)
        return True

    def _look_around(self, chunk_id: ChunkId) -> None:
        for tile in self._waiting.decided(chunk_id, self._soon_around):
            self.complete(tile)

    def _release(self, tile: Tile) -> None:
        if tile in self._waiting:
            self._waiting.remove(tile)
            self.complete(tile)

    def _job_of(self, tile: Tile) -> AssembleJob | None:
        """Collect what is at hand for the tile; None if there is no memory to improve it."""
        cache = self._set.cache
        tile.improvable = False
        held = [chunk.entry for chunk in tile.chunks if chunk.entry is not None]
        if tile.stage is Stage.ADMITTED:
            reserved = self._reservations.complete(tile)
        else:
            cache.hold(held)
            reserved = block_bytes(tile.request)
            if not cache.reserve(reserved, evict_listed=False):
                cache.let_go(held)
                tile.end_improving()
                return None
        gaps = NO_GAPS
        if held and any(tile.request.apron):
            wanted = self._around(tile)
            around = cache.peek_all(wanted)
            if None in around:
                gaps = {i for i, entry in zip(wanted, around, strict=True) if entry is None}
            else:  # eight names, which the garbage collector would look at as long as it is listed
                tile.around = None
            there = [entry for entry in around if entry is not None]
            cache.hold(there)
            held += there
        if gaps or tile.gaps:
            self.gaps.open(tile, gaps)
        return AssembleJob(tile, not gaps, held, reserved)

    @staticmethod
    def _around(tile: Tile) -> tuple[ChunkId, ...]:
        if tile.around is None:
            tile.around = neighbours(tile.request, [chunk.chunk_id for chunk in tile.chunks])
        return tile.around

    def _improve(self, tile: Tile) -> None:
        """Assemble a tile anew whose apron lacked something, if nothing is to come any more."""
        if (
            tile.improvable
            and tile.finished
            and not tile.waiting
            and self._to_come(tile.gaps) is None
        ):
            tile.improve()
            self.complete(tile)

    def _soon_around(self, tile: Tile) -> ChunkId | None:
        """Return a chunk around a tile, mostly the last one, for which to wait is worth while."""
        latency_s, until = tile.chunks[0].source.latency_s, tile.wait_until
        if latency_s is None or until is None:
            return None
        chunk_id = self._to_come(reversed(self._around(tile)))
        if chunk_id is None:
            return None
        began = until - patience_s(latency_s)
        comes = expected(self._set.chunks[chunk_id], latency_s, began)
        return chunk_id if comes < until else None

    def _to_come(self, chunk_ids: Iterable[ChunkId]) -> ChunkId | None:
        """Return the first chunk that is still to come, or None."""
        find = self._set.chunks.get
        for chunk_id in chunk_ids:
            chunk = find(chunk_id)
            if chunk is not None and chunk.entry is None and chunk.is_to_come:
                return chunk_id
        return None
