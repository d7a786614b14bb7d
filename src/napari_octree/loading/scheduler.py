"""Which read is next: the loader without its threads.

Invariants:

* Nothing here blocks, reads, sleeps or looks at a clock: every method is given `now`, is called
  under the loader's lock and returns at once. So it can be tested step by step.
* Wishes start best first (tier, then rank) among those that are due and for which pool and source
  have room. What is not on a list is never started.
* A tile is admitted (memory for its chunks and its block reserved) before its first read starts;
  if the best tile does not fit, nothing worse is admitted in its place.
* A storage chunk has at most one read under way.
* What is only read ahead starts when nothing else is unfinished, and is never assembled.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from concurrent.futures import CancelledError

import numpy as np

from napari_octree.loading.admission import Admission, chunk_bytes
from napari_octree.loading.apron_gaps import ApronGaps
from napari_octree.loading.chunk_cache import ChunkCache, ChunkId
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.jobs import AssembleJob, ReadJob
from napari_octree.loading.lanes import arrange, best_head
from napari_octree.loading.loader_pool import LoaderPools
from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.loading.retry import delay_s, judge
from napari_octree.loading.working_set import (
    Chunk,
    ChunkState,
    ClientList,
    GridMemo,
    Source,
    Stage,
    Tile,
)

REMEMBERED_FAILURES = 10_000


class Scheduler:
    """The state of all lists, chunks and reads of the process.

    Parameters
    ----------
    pools : LoaderPools
    cache : ChunkCache
        Its `on_evict` is taken over.
    assemblers : int
        Tiles assembled at once.
    jitter : random.Random
        For the delays of retries.
    """

    def __init__(
        self, pools: LoaderPools, cache: ChunkCache, assemblers: int, jitter: random.Random
    ) -> None:
        self.pools = pools
        self.cache = cache
        self.assemblers = assemblers
        self.clients: list[ClientList] = []
        self.sources: dict[str, Source] = {}
        self.chunks: dict[ChunkId, Chunk] = {}
        self.running: dict[ReadJob, None] = {}
        """Reads under way, oldest first."""
        self.assembling = 0
        self.cancelled = 0
        self.woken: dict[ClientList, None] = {}
        self.failures: list[LoadFailure] = []
        self.abandoned: list[ReadJob] = []
        """Reads that nobody wants any more, for executors that can cancel."""
        self._jitter = jitter
        self._dead: dict[ChunkId, None] = {}
        self.gaps = ApronGaps()
        self.admission = Admission(cache)
        cache.on_evict = self._evicted

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
                tile.request = request
            tile.rank = rank
            tiles[key] = tile
        client.tiles = tiles
        left.extend(former.values())
        memo = GridMemo()
        for tile in fresh:  # before the others leave, so that chunks in common stay listed
            self._enter(tile, memo)
        for tile in left:
            self._leave(tile)
        arrange(client, self.pools)

    def close(self, client: ClientList) -> None:
        """Empty the client's list and forget the client."""
        self.replace(client, (), 0.0)
        client.closed = True
        if client in self.clients:
            self.clients.remove(client)
        self.woken.pop(client, None)

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
                self._dead.pop(chunk.chunk_id, None)
                chunk.state = ChunkState.QUEUED
                chunk.attempts = 0
                chunk.not_before = 0.0
                again |= {tile for tile in chunk.tiles if tile.request.key in tile.client.failed}
        for tile in again:
            tile.client.failed.discard(tile.request.key)
            tile.stage = Stage.LISTED
            tile.result = None
            tile.since = now
        for other in {tile.client for tile in again}:
            arrange(other, self.pools)

    def forget(self, storage: object) -> None:
        """Drop cached chunks and remembered failures of one array."""
        self.cache.forget(storage)
        for chunk_id in [i for i in self._dead if i.storage == storage]:
            del self._dead[chunk_id]

    def delays_changed(self, client: ClientList | None = None) -> None:
        """Look again at wishes that were passed over because of their delay."""
        for each in self.clients if client is None else [client]:
            for lane in each.lanes.values():
                lane.rewind()

    def time_passed(self, now: float) -> None:
        """Look again at wishes that are due by now."""
        for client in self.clients:
            for lane in client.lanes.values():
                if lane.due is not None and lane.due <= now:
                    lane.rewind()

    def source_of(self, source_name: str) -> Source:
        """Return what is known of a source.

        The levels of one image lie side by side in their store, and are one source.
        """
        name = source_name.rpartition("/")[0] or source_name
        source = self.sources.get(name)
        if source is None:
            source = self.sources[name] = Source(name, self.pools.num_workers)
        return source

    # ---- work ------------------------------------------------------------------------------

    def next_jobs(self, now: float) -> list[ReadJob | AssembleJob]:
        """Return everything that can start now; the caller must run it."""
        jobs: list[ReadJob | AssembleJob] = []
        while (assembly := self._next_assembly()) is not None:
            jobs.append(assembly)
        while (read := self._next_read(now)) is not None:
            jobs.append(read)
        return jobs

    def read_finished(
        self,
        job: ReadJob,
        pixels: np.ndarray | None,
        error: BaseException | None,
        seconds: float,
        now: float,
    ) -> None:
        """Note the end of a read: keep its pixels, or try again later."""
        if job.written_off:
            return
        del self.running[job]
        job.pool.running -= 1
        chunk = job.chunk
        chunk.job = None
        chunk.reserved = False
        self.cache.free(chunk_bytes(chunk))
        if error is not None:
            self._read_failed(job, error, now)
            return
        source = chunk.source
        first = source.latency_s is None
        nbytes = 0 if pixels is None else pixels.nbytes
        source.concurrency.succeeded(nbytes, now)
        source.measured(seconds, nbytes)
        if first:
            self.delays_changed()
        self._arrived(chunk, pixels, seconds)

    def found(self, chunk_id: ChunkId, pixels: np.ndarray | None, seconds: float) -> None:
        """Keep a chunk that was read or computed on the way to another one."""
        chunk = self.chunks.get(chunk_id)
        if chunk is None:
            self.cache.put(chunk_id, pixels, seconds)
        elif chunk.state is ChunkState.QUEUED:
            if chunk.reserved:
                chunk.reserved = False
                self.cache.free(chunk_bytes(chunk))
            self._arrived(chunk, pixels, seconds)

    def assembled(
        self, job: AssembleJob, result: LoadedTile | None, error: BaseException | None
    ) -> None:
        """Note the end of an assembly: stage the tile."""
        self.assembling -= 1
        for chunk_id in job.held:
            self.cache.let_go(chunk_id)
        tile = job.tile
        first = tile.stage is Stage.ASSEMBLING
        if not tile.listed or result is None:
            self.cache.free(job.reserved)
            if tile.listed and first and error is not None:
                self._fail(tile, error)
            return
        queued = tile.result is not None
        self.cache.free(tile.reserved)
        tile.reserved = 0 if result.data is None else result.data.nbytes
        self.cache.resize(job.reserved, tile.reserved)
        tile.result = result
        if first:
            self._finished(tile)
        tile.stage = Stage.STAGED
        if not queued:
            heapq.heappush(tile.client.staged, tile)
        self.woken[tile.client] = None
        self._improve(tile)

    def write_off(self, limit_s: float, now: float) -> list[ReadJob]:
        """Give up reads that have taken longer than `limit_s`, as if they had timed out."""
        late = [job for job in self.running if job.started + limit_s <= now]
        for job in late:
            error = TimeoutError(f"a read took longer than {limit_s:g} s")
            self.read_finished(job, None, error, now - job.started, now)
            job.written_off = True
        return late

    # ---- tiles come and go -----------------------------------------------------------------

    def _enter(self, tile: Tile, memo: GridMemo) -> None:
        request = tile.request
        storage = request.source.storage
        source = self.source_of(storage.source_name)
        broken = False
        for chunk_id in memo.chunk_ids(request):
            chunk = self.chunks.get(chunk_id)
            if chunk is None:
                chunk = self.chunks[chunk_id] = Chunk(chunk_id, storage, source)
                cached = self.cache.use(chunk_id)
                if cached is not None:
                    cached.listed = True
                    chunk.state = (
                        ChunkState.MISSING if cached.pixels is None else ChunkState.CACHED
                    )
                elif chunk_id in self._dead:
                    chunk.state = ChunkState.FAILED
            chunk.tiles.add(tile)
            tile.chunks.append(chunk)
            if not chunk.available:
                tile.waiting += 1
                if chunk.state is ChunkState.FAILED:
                    broken = True
            if self.gaps and chunk.available and not request.only_ahead:
                # Read ahead, so it filled nobody's apron when it came: now it will be seen.
                for gap in self.gaps.tiles(chunk_id):
                    gap.improvable = True
                    self._improve(gap)
        if request.only_ahead:
            self._ahead_done(tile)
        elif broken:
            self._fail(tile, None)

    def _leave(self, tile: Tile) -> None:
        client = tile.client
        tile.listed = False
        tile.lane = None  # which refers to it: a cycle would be the garbage collector's work
        if tile.stage is Stage.ADMITTED:
            self.admission.withdraw(tile)
        client.failed.discard(tile.request.key)
        tile.result = None
        self.cache.free(tile.reserved)
        tile.reserved = 0
        self.gaps.close(tile)
        for chunk in tile.chunks:
            chunk.tiles.discard(tile)
            if not chunk.tiles:
                if chunk.state is ChunkState.LOADING:
                    if isinstance(chunk.job, ReadJob):
                        self.abandoned.append(chunk.job)
                    continue
                if chunk.state is ChunkState.QUEUED:
                    self.cancelled += 1
                self._drop(chunk)
            if self.gaps:
                self._gap_decided(chunk.chunk_id)

    def _drop(self, chunk: Chunk) -> None:
        del self.chunks[chunk.chunk_id]
        self.cache.set_listed(chunk.chunk_id, False)

    # ---- reads -----------------------------------------------------------------------------

    def _next_read(self, now: float) -> ReadJob | None:
        moving = any(client.moving for client in self.clients)
        tile = best_head(self.clients, moving, now)
        if tile is not None and tile.stage is Stage.LISTED and not self.admission.admit(tile):
            tile = self.admission.best_unstarted(moving)
        if tile is None:
            return None
        assert tile.lane is not None  # it is the head of one
        pool = tile.lane.pool
        chunk = next(c for c in tile.chunks if c.state is ChunkState.QUEUED)
        chunk.state = ChunkState.LOADING
        pool.running += 1
        chunk.source.concurrency.started(now)
        job = ReadJob(chunk, pool, now, now - tile.since)
        chunk.job = job
        self.running[job] = None
        return job

    def _arrived(self, chunk: Chunk, pixels: np.ndarray | None, seconds: float) -> None:
        chunk.attempts = 0
        needed = any(tile.stage is Stage.ADMITTED for tile in chunk.tiles)
        listed = bool(chunk.tiles)
        if not self.cache.put(chunk.chunk_id, pixels, seconds, listed, needed):
            chunk.state = ChunkState.QUEUED
            self._look_again(chunk)
        else:
            chunk.state = ChunkState.MISSING if pixels is None else ChunkState.CACHED
            for tile in chunk.tiles:
                tile.waiting -= 1
                if tile.stage is Stage.ADMITTED:
                    self.cache.hold(chunk.chunk_id)
                if tile.request.only_ahead:
                    self._ahead_done(tile)
                elif tile.waiting == 0 and tile.stage in (Stage.LISTED, Stage.ADMITTED):
                    heapq.heappush(tile.client.ready, tile)
        only_ahead = all(tile.request.only_ahead for tile in chunk.tiles)
        if not chunk.tiles:
            self._drop(chunk)
        if not only_ahead:  # else a settled view would be assembled again for what nobody sees
            for tile in self.gaps.tiles(chunk.chunk_id):
                tile.improvable = True
        self._gap_decided(chunk.chunk_id)

    def _read_failed(self, job: ReadJob, error: BaseException, now: float) -> None:
        chunk = job.chunk
        source = chunk.source
        if isinstance(error, CancelledError):
            source.concurrency.ended()
            chunk.state = ChunkState.QUEUED
            for tile in [t for t in chunk.tiles if t.stage is Stage.ADMITTED]:
                self.admission.withdraw(tile)
            self._look_again(chunk)
        else:
            verdict = judge(error)
            if verdict.transient:
                source.concurrency.failed(job.started, now)
            else:
                source.concurrency.ended()
            chunk.attempts += 1
            chunk.state = ChunkState.QUEUED
            for tile in [t for t in chunk.tiles if t.stage is Stage.ADMITTED]:
                self.admission.withdraw(tile)
            if chunk.attempts < verdict.attempts:
                source.retries += 1
                chunk.not_before = now + delay_s(chunk.attempts, verdict, self._jitter)
                self._look_again(chunk)
            else:
                chunk.state = ChunkState.FAILED
                source.failures += 1
                self.failures.append(LoadFailure(source.name, verdict.cause, str(error)))
                if not verdict.transient:
                    self._remember(chunk.chunk_id)
                for tile in list(chunk.tiles):
                    if tile.request.only_ahead:
                        self._ahead_done(tile)
                    elif tile.stage is Stage.LISTED:
                        self._fail(tile, None)
        if not chunk.tiles:
            self._drop(chunk)
        self._gap_decided(chunk.chunk_id)

    def _remember(self, chunk_id: ChunkId) -> None:
        self._dead[chunk_id] = None
        if len(self._dead) > REMEMBERED_FAILURES:
            del self._dead[next(iter(self._dead))]

    def _look_again(self, chunk: Chunk) -> None:
        """Let the lanes of the chunk's tiles come back to them."""
        for tile in chunk.tiles:
            if tile.lane is not None:
                tile.lane.rewind(tile.position)

    def _evicted(self, chunk_id: ChunkId) -> None:
        chunk = self.chunks.get(chunk_id)
        if chunk is not None and chunk.available:
            chunk.state = ChunkState.QUEUED
            for tile in chunk.tiles:
                tile.waiting += 1
            self._look_again(chunk)

    def _fail(self, tile: Tile, error: BaseException | None) -> None:
        """Stage a tile as failed; `error` is its own, or None if a chunk's."""
        if error is not None:
            source = self.source_of(tile.request.source.storage.source_name)
            source.failures += 1
            self.failures.append(LoadFailure(source.name, type(error).__name__, str(error)))
        client = tile.client
        self._finished(tile)
        client.failed.add(tile.request.key)
        tile.stage = Stage.STAGED
        tile.result = LoadedTile(tile.request.key, None, TileState.FAILED, True)
        heapq.heappush(client.staged, tile)
        self.woken[client] = None
        for chunk in tile.chunks:  # which will perhaps not be read any more
            self._gap_decided(chunk.chunk_id)

    @staticmethod
    def _finished(tile: Tile) -> None:
        if tile.request.tier.awaited:
            tile.client.pending -= 1

    def _ahead_done(self, tile: Tile) -> None:
        """Count a tile that is only read ahead as done once no chunk of it is to come."""
        if tile.stage not in (Stage.LISTED, Stage.ADMITTED):
            return
        if all(chunk.available or chunk.state is ChunkState.FAILED for chunk in tile.chunks):
            if tile.stage is Stage.ADMITTED:
                self.admission.withdraw(tile)
            tile.stage = Stage.TAKEN

    # ---- assembly --------------------------------------------------------------------------

    def _next_assembly(self) -> AssembleJob | None:
        while self.assembling < self.assemblers and (tile := self._next_ready()) is not None:
            job = self._assembly_of(tile)
            if job is not None:
                self.assembling += 1
                return job
        return None

    def _next_ready(self) -> Tile | None:
        """Return the best tile that can be assembled now."""
        best: ClientList | None = None
        for client in self.clients:
            ready = client.ready
            while ready and not self._can_assemble(ready[0]):
                heapq.heappop(ready)
            if ready and (best is None or ready[0] < best.ready[0]):
                best = client
        if best is None:
            return None
        tile = best.ready[0]
        if tile.stage is Stage.LISTED and not self.admission.admit(tile):
            return self.admission.best_complete()
        return heapq.heappop(best.ready)

    @staticmethod
    def _can_assemble(tile: Tile) -> bool:
        if not tile.listed or tile.waiting:
            return False
        return tile.stage in (Stage.LISTED, Stage.ADMITTED) or tile.improvable

    def _assembly_of(self, tile: Tile) -> AssembleJob | None:
        """Collect what is at hand for the tile; None if there is no memory to improve it."""
        cache = self.cache
        first = tile.stage is Stage.ADMITTED
        tile.improvable = False
        reserved = tile.block_bytes
        if first:
            self.admission.complete(tile)
        else:
            for chunk in tile.chunks:
                cache.hold(chunk.chunk_id)
            if not cache.reserve(reserved, evict_listed=False):
                for chunk in tile.chunks:
                    cache.let_go(chunk.chunk_id)
                return None
        held = [chunk.chunk_id for chunk in tile.chunks]
        parts = []
        gaps: list[ChunkId] = []
        if held:
            for chunk_id in held:
                entry = cache.peek(chunk_id)
                assert entry is not None  # held
                parts.append((chunk_id.region, entry.pixels))
            for chunk_id in tile.neighbours() if any(tile.request.apron) else ():
                neighbour = cache.peek(chunk_id)
                if neighbour is None:
                    gaps.append(chunk_id)
                else:
                    cache.hold(chunk_id)
                    held.append(chunk_id)
                    parts.append((chunk_id.region, neighbour.pixels))
        self.gaps.open(tile, gaps)
        return AssembleJob(tile, parts, not gaps, held, reserved)

    def _gap_decided(self, chunk_id: ChunkId) -> None:
        """Think again about tiles whose apron lacks a chunk: it has come, or will not come."""
        for tile in self.gaps.tiles(chunk_id):
            self._improve(tile)

    def _improve(self, tile: Tile) -> None:
        """Assemble a delivered tile again if its apron is better and nothing more is to come."""
        if (
            tile.improvable
            and tile.stage in (Stage.STAGED, Stage.TAKEN)
            and not tile.waiting
            and not any(self._is_to_come(chunk_id) for chunk_id in tile.gaps)
        ):
            heapq.heappush(tile.client.ready, tile)

    def _is_to_come(self, chunk_id: ChunkId) -> bool:
        chunk = self.chunks.get(chunk_id)
        if chunk is None:
            return False
        return chunk.state is ChunkState.LOADING or (
            chunk.state is ChunkState.QUEUED
            and any(
                tile.stage in (Stage.LISTED, Stage.ADMITTED) and not tile.request.only_ahead
                for tile in chunk.tiles
            )
        )
