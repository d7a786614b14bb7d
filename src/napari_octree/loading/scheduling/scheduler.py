"""What is done next: the loader without its threads.

Invariants:

* Nothing here blocks, reads, sleeps or looks at a clock: every method is given `now`, is called
  under the loader's lock and returns at once. So it can be tested step by step.
* Lists are replaced whole; what is not on a list is not started.
* What may start is found anew after every change (`next_jobs`); nobody has to say that it may.
* The state is in few places, each with its own rules: lists and chunks (`working_set`), the order
  of starts (`queues`), memory (`cache`, `reservations`), reads (`reads`), finished tiles
  (`assemblies`).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.scheduling.assemblies import Assemblies
from napari_octree.loading.scheduling.healing import Healing
from napari_octree.loading.scheduling.jobs import AssembleJob, ReadJob
from napari_octree.loading.scheduling.model import Chunk, ChunkState, ClientList, Stage, Tile
from napari_octree.loading.scheduling.pools import ClientSettings
from napari_octree.loading.scheduling.reads import Reads
from napari_octree.loading.scheduling.reservations import Reservations
from napari_octree.loading.scheduling.source_record import Processors
from napari_octree.loading.scheduling.start_queue import StartQueues
from napari_octree.loading.scheduling.tile_chunks import GridMemo
from napari_octree.loading.scheduling.working_set import WorkingSet
from napari_octree.loading.statistics import LoaderStatistics, SourceStatistics
from napari_octree.loading.work import Made, ReadOutcome
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkId


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
        self.queues = StartQueues(self.clients)
        self.healing = Healing(jitter)
        self.reads = Reads(
            self.working_set,
            self.queues,
            self.reservations,
            self.assemblies,
            self.healing,
            jitter,
        )
        self.cancelled = 0
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
        self.queues.arrange(client)

    def close(self, client: ClientList) -> None:
        """Empty the client's list and forget the client."""
        self.replace(client, (), 0.0)
        client.closed = True
        if client in self.clients:
            self.clients.remove(client)
        self.queues.drop(client)
        self.working_set.woken.pop(client, None)

    def take(self, client: ClientList) -> LoadedTile | None:
        """Hand out the client's best finished tile."""
        while client.staged:
            tile = heapq.heappop(client.staged)
            if tile.result is not None and tile.listed:
                result, nbytes = tile.take()
                self.cache.free(nbytes)
                return result
        return None

    def retry(self, client: ClientList, now: float) -> None:
        """Ask again for everything that failed on the client's list."""
        self.reads.read_again(client.failed.values(), now)

    def forget(self, storage: object) -> None:
        """Drop cached chunks and remembered failures of one array."""
        self.cache.forget(storage)
        self.reads.forget(storage)

    def set_limit(self, limit_bytes: int) -> None:
        """Change the bytes that loading may use."""
        if limit_bytes != self.cache.limit_bytes:
            self.cache.set_limit(limit_bytes)

    # ---- work ------------------------------------------------------------------------------

    def next_due(self, now: float) -> float | None:
        """When, after `now`, something may start that has to wait for its time."""
        dues = (self.queues.next_due(now), self.assemblies.due, self.healing.next_due(now))
        return min((due for due in dues if due is not None), default=None)

    def next_jobs(self, now: float) -> list[ReadJob | AssembleJob]:
        """Return everything that can start now; the caller must run it."""
        jobs: list[ReadJob | AssembleJob] = []
        self.assemblies.release_due(now)
        while True:
            self.reservations.refused = False
            while (assembly := self.assemblies.next_job(now)) is not None:
                jobs.append(assembly)
            while (read := self.reads.next_job(now) or self.reads.next_probe(now)) is not None:
                jobs.append(read)
            if not (self.reservations.refused and self.assemblies.release_all()):
                return jobs

    @property
    def waits_for_reads(self) -> bool:
        """Whether nothing can start before a read ends or a time comes.

        So that neither a slot for an assembly nor a little memory, where there is enough of it,
        lets anything start.
        """
        if self.reservations.refused or self.working_set.failures:
            return False
        pending = 0
        for client in self.clients:
            if client.ready:
                return False
            pending += client.pending
        return pending > 0  # else it is the turn of what is only read ahead

    @property
    def is_short_of_memory(self) -> bool:
        """Whether something waits for memory, so that freeing some may start it."""
        return self.reservations.refused

    @property
    def statistics(self) -> LoaderStatistics:
        """A snapshot of all counts."""
        return replace(self.totals, sources=self._sources())

    @property
    def totals(self) -> LoaderStatistics:
        """The counts without those of each source: what they cost does not grow with sources."""
        cache = self.cache
        staged = [tile for tile in self.working_set.tiles() if tile.result is not None]
        staged_bytes = sum(tile.reserved for tile in staged)
        return LoaderStatistics(
            limit_bytes=cache.limit_bytes,
            cached_bytes=cache.cached_bytes,
            in_flight_bytes=cache.reserved_bytes - staged_bytes,
            staged_bytes=staged_bytes,
            hits=cache.hits,
            misses=cache.misses,
            evictions=cache.evictions,
            pending=sum(client.pending for client in self.clients),
            staged=len(staged),
            failed=sum(len(client.failed) for client in self.clients),
            reading=len(self.reads.running),
            assembling=len(self.assemblies.running),
            cancelled=self.cancelled,
            clients=len(self.clients),
            reads=self.reads.arrived,
            nbytes=self.reads.arrived_bytes,
            pools={},
            sources={},
        )

    def _sources(self) -> dict[str, SourceStatistics]:
        return {
            name: SourceStatistics(
                reads=source.reads,
                retries=source.retries,
                failures=source.failures,
                nbytes=source.nbytes,
                latency_ms=None if source.latency_s is None else 1000 * source.latency_s,
                latency_p50_ms=source.spread_ms[0],
                latency_p95_ms=source.spread_ms[1],
                decode_ms=source.decode_ms,
                mb_per_s=source.mb_per_s,
                concurrency=source.concurrency.limit,
                running=source.concurrency.running,
            )
            for name, source in self.working_set.sources.items()
        }

    def read_finished(
        self, job: ReadJob, outcome: ReadOutcome, made: Made | None, now: float
    ) -> None:
        """Note the end of a read, and what was made of the chunk for `job.tile`."""
        self.reads.finished(job, outcome, now, made)

    def found(
        self, chunk_id: ChunkId, pixels: np.ndarray | None, seconds: float, group: SourceGroup
    ) -> None:
        """Keep a chunk that was read or computed on the way to another one."""
        self.reads.found(chunk_id, pixels, seconds, group)

    def assembled(self, job: AssembleJob, made: Made) -> None:
        """Note the end of an assembly."""
        self.assemblies.finished(job, made)

    def late_reads(self, limit_s: float, now: float) -> tuple[list[ReadJob], list[ReadJob]]:
        """Set reads apart that are overdue, and end those that took longer than `limit_s`.

        Returns
        -------
        overdue, timed_out : list of ReadJob
        """
        return self.reads.set_apart(now), self.reads.time_out(limit_s, now)

    def workers_left(self, settings: ClientSettings, now: float) -> None:
        """Expect nothing more of workers that have left."""
        self.reads.workers_left(settings, now)
        self.assemblies.workers_left(settings)

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
                    chunk.fail()
            tile.needs(chunk)
            if chunk.entry is None:
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
        if tile.stage is Stage.ADMITTED:
            self.reservations.withdraw(tile)
        self.cache.free(tile.leave())
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
                self.healing.left(chunk)
            self.assemblies.decided(chunk.chunk_id)

    def _need(self, chunk_id: ChunkId) -> int:
        """Say what a listed chunk is for: 0 to be read ahead, 1 to be seen, 2 to make a tile."""
        need = 0
        chunk = self.working_set.chunks.get(chunk_id)
        for tile in () if chunk is None else chunk.tiles:
            if tile.awaited:
                need = max(need, 2 if tile.unassembled else 1)
        return need

    def _evicted(self, chunk_id: ChunkId) -> None:
        chunk = self.working_set.chunks.get(chunk_id)
        if chunk is not None and chunk.entry is not None:
            chunk.evicted()
