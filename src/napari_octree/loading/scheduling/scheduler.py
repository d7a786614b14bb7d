"""What is done next: the loader without its threads.

Invariants:

* Nothing here blocks, reads, sleeps or looks at a clock: every method is given `now`, is called
  under the loader's lock and returns at once. So it can be tested step by step.
* Lists are replaced whole; what is not on a list is not started.
* The state is in few places, each with its own rules: lists and chunks (`working_set`), the order
  of starts (`queues`), memory (`chunk_cache`, `reservations`), reads (`reads`), finished tiles
  (`assemblies`).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.chunk_id import ChunkId
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.scheduling.assemblies import Assemblies
from napari_octree.loading.scheduling.jobs import AssembleJob, Made, ReadJob, ReadOutcome
from napari_octree.loading.scheduling.model import (
    Chunk,
    ChunkState,
    ClientList,
    Stage,
    Tile,
    WorkingSet,
)
from napari_octree.loading.scheduling.processors import Processors
from napari_octree.loading.scheduling.reads import Reads
from napari_octree.loading.scheduling.reservations import Reservations
from napari_octree.loading.scheduling.start_queue import arrange, next_due
from napari_octree.loading.scheduling.tile_chunks import GridMemo

if TYPE_CHECKING:
    from napari_octree.loading.executors.workers import Workers


class Scheduler:
    """The state of all lists, chunks and reads of the process.

    Parameters
    ----------
    cache : ChunkCache
        Its `on_evict` and `need` are taken over.
    assemblers : int
        Tiles assembled at once.
    processors : int
        For reads that compute.
    jitter : random.Random
        For the delays of retries.
    """

    def __init__(
        self, cache: ChunkCache, assemblers: int, processors: int, jitter: random.Random
    ) -> None:
        self.cache = cache
        self.working_set = WorkingSet(cache, Processors(processors))
        self.clients = self.working_set.clients
        self.reservations = Reservations(cache)
        self.assemblies = Assemblies(self.working_set, self.reservations, assemblers)
        self.reads = Reads(self.working_set, self.reservations, self.assemblies, jitter)
        self.cancelled = 0
        self._reads_may_start = False
        cache.on_evict = self._evicted
        cache.need = self._need

    # ---- lists -----------------------------------------------------------------------------

    def replace(self, client: ClientList, requests: Iterable[TileRequest], now: float) -> None:
        """Make `requests`, best first, the client's list."""
        former = client.tiles
        tiles: dict[object, Tile] = {}
        fresh: list[Tile] = []
        left: list[Tile] = []
        for rank, request in enumerate(requests):
            key = request.key
            if key in tiles:
                continue
            tile = former.pop(key, None)
            if tile is not None and not tile.is_same(request):
                left.append(tile)
                tile = None
            if tile is None:
                tile = Tile(client, request, now)
                fresh.append(tile)
            else:
                tile.renew(request)
            tile.rank = rank
            tiles[key] = tile
        client.tiles = tiles
        left.extend(former.values())
        memo = GridMemo()
        for tile in fresh:  # before the others leave, so that chunks in common stay listed
            self._enter(tile, memo)
        for tile in left:
            self._leave(tile)
        arrange(client)
        self._reads_may_start = True

    def close(self, client: ClientList) -> None:
        """Empty the client's list and forget the client."""
        self.replace(client, (), 0.0)
        client.closed = True
        if client in self.clients:
            self.clients.remove(client)
        self.working_set.woken.pop(client, None)

    def take(self, client: ClientList) -> LoadedTile | None:
        """Hand out the client's best finished tile."""
        while client.staged:
            tile = heapq.heappop(client.staged)
            result = tile.result
            if result is not None and tile.listed:
                tile.result = None
                self.cache.free(tile.reserved)
                tile.reserved = 0
                if tile.stage is Stage.STAGED:
                    tile.stage = Stage.TAKEN
                return result
        return None

    def retry(self, client: ClientList, now: float) -> None:
        """Wish again for everything that failed on the client's list."""
        again = {client.tiles[key] for key in client.failed if key in client.tiles}
        for chunk in {chunk for tile in again for chunk in tile.chunks}:
            if chunk.state is ChunkState.FAILED:
                self.reads.revive(chunk)
                again |= {tile for tile in chunk.tiles if tile.request.key in tile.client.failed}
        for tile in again:
            tile.client.failed.discard(tile.request.key)
            tile.stage = Stage.LISTED
            tile.result = None
            tile.since = now
        for other in {tile.client for tile in again}:
            arrange(other)
        self._reads_may_start = True

    def forget(self, storage: object) -> None:
        """Drop cached chunks and remembered failures of one array."""
        self.cache.forget(storage)
        self.reads.forget(storage)
        self._reads_may_start = True

    def set_limit(self, limit_bytes: int) -> None:
        """Change the bytes that loading may use."""
        if limit_bytes != self.cache.limit_bytes:
            self.cache.set_limit(limit_bytes)
            self._reads_may_start = True

    def delays_changed(self, client: ClientList | None = None) -> None:
        """Look again at wishes that were passed over because of their delay."""
        for each in self.clients if client is None else [client]:
            for queue in each.queues:
                queue.rewind()
        self._reads_may_start = True

    # ---- work ------------------------------------------------------------------------------

    @property
    def next_due(self) -> float | None:
        """When something may start that now has to wait."""
        due = next_due(self.clients)
        held = self.assemblies.due
        return held if due is None or (held is not None and held < due) else due

    def time_passed(self, now: float) -> None:
        """Look again at what is due by now."""
        self.assemblies.time_passed(now)
        for client in self.clients:
            for queue in client.queues:
                if queue.due is not None and queue.due <= now:
                    queue.rewind()
        self._reads_may_start = True

    def next_jobs(self, now: float) -> list[ReadJob | AssembleJob]:
        """Return everything that can start now; the caller must run it."""
        jobs: list[ReadJob | AssembleJob] = []
        reservations = self.reservations
        while True:
            was_refused, reservations.refused = reservations.refused, False
            while (assembly := self.assemblies.next_job(now)) is not None:
                jobs.append(assembly)
            if self._reads_may_start or was_refused or reservations.refused:
                while (read := self.reads.next_job(now)) is not None:
                    jobs.append(read)
                self._reads_may_start = False
            if not (reservations.refused and self.assemblies.release_all()):
                return jobs

    @property
    def is_short_of_memory(self) -> bool:
        """Whether something waits for memory, so that freeing some may start it."""
        return self.reservations.refused

    def read_finished(
        self, job: ReadJob, outcome: ReadOutcome, made: Made | None, now: float
    ) -> None:
        """Note the end of a read, and what was made of the chunk for `job.tile`."""
        if self.reads.finished(job, outcome, now, made):
            self.delays_changed()  # a fast source has none
        self._reads_may_start = True

    def found(self, chunk_id: ChunkId, pixels: np.ndarray | None, seconds: float) -> None:
        """Keep a chunk that was read or computed on the way to another one."""
        self.reads.found(chunk_id, pixels, seconds)
        self._reads_may_start = True

    def assembled(self, job: AssembleJob, made: Made) -> None:
        """Note the end of an assembly."""
        self.assemblies.finished(job, made)
        if not job.tile.client.pending:
            self._reads_may_start = True  # reading ahead has its turn

    def late_reads(self, limit_s: float, now: float) -> tuple[list[ReadJob], list[ReadJob]]:
        """Set reads apart that are overdue, give up those that took longer than `limit_s`.

        Returns
        -------
        overdue, given_up : list of ReadJob
        """
        self._reads_may_start = True
        return self.reads.set_apart(now), self.reads.write_off(limit_s, now)

    def give_up(self, workers: Workers, now: float) -> None:
        """Expect nothing more of a workers that has left."""
        self.reads.give_up(workers, now)
        self.assemblies.give_up(workers)
        self._reads_may_start = True

    # ---- tiles come and go -----------------------------------------------------------------

    def _enter(self, tile: Tile, memo: GridMemo) -> None:
        request = tile.request
        storage = request.source.storage
        chunks = self.working_set.chunks
        broken = False
        for chunk_id in memo.chunk_ids(request):
            chunk = chunks.get(chunk_id)
            if chunk is None:
                source = self.working_set.source_of(tile.client, storage)
                chunk = chunks[chunk_id] = Chunk(chunk_id, storage, source)
                entry = self.cache.use(chunk_id)
                if entry is not None:
                    entry.listed = True
                    chunk.found_in(entry)
                elif self.reads.is_dead(chunk_id):
                    chunk.state = ChunkState.FAILED
            chunk.tiles.add(tile)
            tile.chunks.append(chunk)
            if chunk.entry is None:
                tile.waiting += 1
                if chunk.state is ChunkState.FAILED:
                    broken = True
            elif not tile.only_ahead:
                # Read ahead, it filled nobody's apron when it came: now it will be seen.
                self.assemblies.came(chunk_id)
        if tile.only_ahead:
            self.reads.end_if_done(tile)
        elif broken:
            self.assemblies.fail(tile, None)

    def _leave(self, tile: Tile) -> None:
        client = tile.client
        tile.listed = False
        tile.queue = None  # which refers to it: a cycle would be the garbage collector's work
        if tile.stage is Stage.ADMITTED:
            self.reservations.withdraw(tile)
        if tile.request.key not in client.tiles:  # else a fresh tile of that key may have failed
            client.failed.discard(tile.request.key)
        tile.result = None
        self.cache.free(tile.reserved)
        tile.reserved = 0
        self.assemblies.leave(tile)
        for chunk in tile.chunks:
            chunk.tiles.discard(tile)
            if not chunk.tiles:
                if chunk.state is ChunkState.LOADING:
                    self.reads.abandon(chunk)
                    continue
                if chunk.state is ChunkState.QUEUED:
                    self.cancelled += 1
                self.working_set.drop(chunk)
            self.assemblies.decided(chunk.chunk_id)

    def _need(self, chunk_id: ChunkId) -> int:
        """Say what a listed chunk is for: 0 to be read ahead, 1 to be seen, 2 to make a tile."""
        need = 0
        chunk = self.working_set.chunks.get(chunk_id)
        for tile in () if chunk is None else chunk.tiles:
            if tile.awaited:
                unfinished = tile.stage is Stage.LISTED or tile.stage is Stage.ADMITTED
                need = max(need, 2 if unfinished else 1)
        return need

    def _evicted(self, chunk_id: ChunkId) -> None:
        chunk = self.working_set.chunks.get(chunk_id)
        if chunk is not None and chunk.entry is not None:
            chunk.lost()
            for tile in chunk.tiles:
                tile.waiting += 1
            self.working_set.look_again(chunk)
            self._reads_may_start = True
