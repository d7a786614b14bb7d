"""Reads of storage chunks: which is next, and what becomes of those that end.

Invariants:

* Reads start best first (tier, then rank) among the tiles that are due and for which pool and
  source have room. What is not on a list is never started.
* A tile is admitted (memory for its chunks and its block reserved) before its first read starts;
  if the best tile does not fit, nothing worse is admitted in its place.
* A storage chunk has at most one read under way.
* What is only read ahead starts when nothing else is unfinished.

Under the loader's lock only.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from concurrent.futures import CancelledError
from typing import Protocol

import numpy as np

from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.retry import delay_s, judge
from napari_octree.loading.scheduling.healing import Healing
from napari_octree.loading.scheduling.jobs import ReadJob
from napari_octree.loading.scheduling.model import Chunk, ChunkState, Stage, Tile
from napari_octree.loading.scheduling.pools import ClientSettings, Pace
from napari_octree.loading.scheduling.reservations import Reservations
from napari_octree.loading.scheduling.start_queue import StartQueues
from napari_octree.loading.scheduling.working_set import WorkingSet
from napari_octree.loading.work import Made, ReadOutcome
from napari_octree.sources.errors import PartialReadError
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkId

PARTIAL_ATTEMPTS = 3
"""Reads in all of a chunk of which a part can be shown: the others in it should not wait long."""

REMEMBERED_FAILURES = 10_000

OVERDUE_S = 5.0
"""A read that takes longer may hang, and holds up no other from then on."""


class TileMaker(Protocol):
    """What becomes of chunks that have arrived, or never will (`Assemblies`)."""

    def complete(self, tile: Tile) -> None:
        """All chunks of a tile are there."""
        ...

    def made(self, tile: Tile, made: Made) -> None:
        """An admitted tile was made as its only chunk was read."""
        ...

    def fail(self, tile: Tile, error: BaseException | None) -> None:
        """A tile cannot be made."""
        ...

    def came(self, chunk_id: ChunkId) -> None:
        """A chunk is there, for somebody to see."""
        ...

    def decided(self, chunk_id: ChunkId) -> None:
        """Whether a chunk is still to come may have changed."""
        ...


class Reads:
    """Reads under way, and what is known of those that failed.

    Parameters
    ----------
    working_set : WorkingSet
    queues : StartQueues
    reservations : Reservations
    tiles : TileMaker
        Is told what has arrived.
    healing : Healing
    jitter : random.Random
        For the delays of retries.
    """

    def __init__(
        self,
        working_set: WorkingSet,
        queues: StartQueues,
        reservations: Reservations,
        tiles: TileMaker,
        healing: Healing,
        jitter: random.Random,
    ) -> None:
        self._set = working_set
        self._queues = queues
        self._reservations = reservations
        self._tiles = tiles
        self._healing = healing
        self._jitter = jitter
        self._dead: dict[ChunkId, None] = {}
        self.arrived = self.arrived_bytes = 0
        self.running: dict[ReadJob, None] = {}
        """Oldest first."""
        self.abandoned: list[ReadJob] = []
        """Those that nobody wants any more, for executors that can cancel."""

    def next_job(self, now: float) -> ReadJob | None:
        """Return the best read that can start now; the caller must run it."""
        rushing = False
        for client in self._set.clients:
            if client.pace is Pace.RUSHING:
                rushing = True
        tile = self._queues.best_head(rushing, now)
        if tile is not None and tile.stage is Stage.LISTED and not self._reservations.admit(tile):
            tile = self._reservations.best_unstarted(rushing)
        if tile is None:
            return None
        assert tile.queue is not None  # it is the head of one
        pool = tile.queue.pool
        chunk = next(c for c in tile.chunks if c.state is ChunkState.QUEUED)
        only = len(tile.chunks) == 1 and not tile.only_ahead and not any(tile.request.apron)
        return self._start(
            ReadJob(
                chunk, tile if only else None, pool, tile.client.settings, now, now - tile.since
            )
        )

    def next_probe(self, now: float) -> ReadJob | None:
        """Return a read that shows whether a source has healed; the caller must run it."""
        for chunk in self._healing.due(now):
            tile = min(tile for tile in chunk.tiles if tile.awaited)
            settings = tile.client.settings
            pool = settings.pools.of(tile.request.relative_level)
            latency_s = chunk.source.latency_s or 0.0
            if (
                pool.has_room()
                and chunk.source.concurrency.has_room(False, latency_s)
                and self._reservations.reserve_alone(chunk)
            ):
                self._healing.probed(chunk)
                return self._start(ReadJob(chunk, None, pool, settings, now, 0.0, probe=True))
            self._healing.wait(chunk, now)
        return None

    def _start(self, job: ReadJob) -> ReadJob:
        job.chunk.start_reading(job.started)
        job.pool.running += 1
        job.chunk.source.concurrency.started(job.started)
        self.running[job] = None
        return job

    def read_again(self, tiles: Iterable[Tile], now: float) -> None:
        """Begin again with tiles that failed, and with all that need the same chunks."""
        again = set(tiles)
        for chunk in {chunk for tile in again for chunk in tile.chunks}:
            if chunk.state is ChunkState.FAILED:
                self._dead.pop(chunk.chunk_id, None)
                chunk.revive()
            again |= {tile for tile in chunk.tiles if tile.failed}
        for job in self.running:
            if job.probe and not job.chunk.tiles.isdisjoint(again):
                job.probe = False  # an ordinary read from now on, with all its attempts
                job.chunk.attempts = 0
        for tile in again:
            tile.retry(now)
        for client in {tile.client for tile in again}:
            self._queues.arrange(client)

    def finished(
        self, job: ReadJob, outcome: ReadOutcome, now: float, made: Made | None = None
    ) -> None:
        """Note the end of a read: keep its pixels, or try again later.

        Parameters
        ----------
        job : ReadJob
        outcome : ReadOutcome
        now : float
        made : Made, optional
            What was made of the chunk for `job.tile`.
        """
        if job.ended:
            return
        del self.running[job]
        if job.overdue:
            job.pool.overdue -= 1
        else:
            job.pool.running -= 1
        chunk = job.chunk
        self._reservations.free(chunk)
        source = chunk.source
        if job.overdue:
            source.concurrency.came_back()
        if outcome.error is not None:
            self._failed(job, outcome.error, now)
            return
        pixels, seconds = outcome.pixels, outcome.seconds
        nbytes = 0 if pixels is None else pixels.nbytes
        source.concurrency.succeeded(nbytes, seconds, outcome.busy_s, now)
        source.measured(nbytes, seconds, outcome.decode_s)
        job.pool.measured(seconds)
        self.arrived += 1
        self.arrived_bytes += nbytes
        self._arrived(chunk, pixels, seconds, job.tile, made)
        if job.probe:
            self._healed(job, now)
        self._healing.left(chunk)

    def _healed(self, job: ReadJob, now: float) -> None:
        chunks = {job.chunk, *self._healing.healed(job.chunk)}
        self._set.healed.append((job.settings, job.chunk.source.name))
        failed = {tile for chunk in chunks for tile in chunk.tiles if tile.failed}
        self.read_again(
            [
                tile
                for tile in failed
                if all(c in chunks for c in tile.chunks if c.state is ChunkState.FAILED)
            ],
            now,
        )

    def found(
        self, chunk_id: ChunkId, pixels: np.ndarray | None, seconds: float, group: SourceGroup
    ) -> None:
        """Keep a chunk that was read or computed on the way to another one."""
        chunk = self._set.chunks.get(chunk_id)
        if chunk is None:
            self._set.cache.put(chunk_id, pixels, seconds, group)
        elif chunk.state is ChunkState.QUEUED:
            self._reservations.free(chunk)
            self._arrived(chunk, pixels, seconds)

    def next_late(self, limit_s: float) -> float | None:
        """When `set_apart` and `time_out` should look next."""
        late = [next(iter(self.running)).started + limit_s] if self.running else []
        late += [job.started + OVERDUE_S for job in self.running if not job.overdue][:1]
        return min(late, default=None)

    def set_apart(self, now: float) -> list[ReadJob]:
        """Let what is overdue hold up others no longer; it is left running."""
        overdue = [
            job for job in self.running if not job.overdue and job.started + OVERDUE_S <= now
        ]
        for job in overdue:
            job.overdue = True
            job.pool.running -= 1
            job.pool.overdue += 1
            job.chunk.source.concurrency.overdue(job.started, now)
        return overdue

    def time_out(self, limit_s: float, now: float) -> list[ReadJob]:
        """End reads that have taken longer than `limit_s`, whatever they return."""
        late = [job for job in self.running if job.started + limit_s <= now]
        for job in late:
            error = TimeoutError(f"a read took longer than {limit_s:g} s")
            self.finished(job, ReadOutcome(None, error, now - job.started), now)
            job.ended = True
        return late

    def workers_left(self, settings: ClientSettings, now: float) -> None:
        """Expect nothing more of workers that have left; others read what is still wanted."""
        for job in [job for job in self.running if job.settings is settings]:
            self.finished(job, ReadOutcome(None, CancelledError()), now)
            job.ended = True

    def abandon(self, chunk: Chunk) -> None:
        """Nobody wants a chunk any more whose read is under way."""
        self.abandoned += [job for job in self.running if job.chunk is chunk]

    def is_dead(self, chunk_id: ChunkId) -> bool:
        """Whether a chunk is known to fail finally."""
        return chunk_id in self._dead

    def forget(self, storage: object) -> None:
        """Forget which chunks of an array failed finally."""
        for chunk_id in [i for i in self._dead if i.storage == storage]:
            del self._dead[chunk_id]

    def end_if_done(self, tile: Tile) -> None:
        """Count a tile that is only read ahead as done once no chunk of it is to come."""
        if tile.unassembled and all(
            chunk.available or chunk.state is ChunkState.FAILED for chunk in tile.chunks
        ):
            if tile.stage is Stage.ADMITTED:
                self._reservations.withdraw(tile)
            tile.end_ahead()

    def _arrived(
        self,
        chunk: Chunk,
        pixels: np.ndarray | None,
        seconds: float,
        reader: Tile | None = None,
        made: Made | None = None,
    ) -> None:
        cache = self._set.cache
        tiles = chunk.tiles
        needed = False
        for tile in tiles:
            if tile.stage is Stage.ADMITTED:
                needed = True
        group = chunk.storage.group
        entry = cache.put(chunk.chunk_id, pixels, seconds, group, bool(tiles), needed)
        seen = False
        if entry is None:
            chunk.attempts = 0
            chunk.requeue()
        else:
            chunk.found_in(entry)
            for tile in tiles:
                if tile is reader and made is not None and tile.stage is Stage.ADMITTED:
                    self._tiles.made(tile, made)
                    seen = True
                    continue
                if tile.stage is Stage.ADMITTED:
                    cache.hold((entry,))
                if tile.only_ahead:
                    self.end_if_done(tile)
                    continue
                seen = True
                if tile.waiting == 0 and tile.unassembled:
                    self._tiles.complete(tile)
        if not tiles:
            self._set.drop(chunk)
        if entry is not None and seen:
            self._tiles.came(chunk.chunk_id)
        else:  # what is only read ahead is not shown in aprons: nobody would see it
            self._tiles.decided(chunk.chunk_id)

    def _failed(self, job: ReadJob, error: BaseException, now: float) -> None:
        chunk = job.chunk
        source = chunk.source
        for tile in [t for t in chunk.tiles if t.stage is Stage.ADMITTED]:
            self._reservations.withdraw(tile)
        verdict = None if isinstance(error, CancelledError) else judge(error)
        if verdict is not None and verdict.transient:
            source.concurrency.failed(job.started, now)
        else:
            source.concurrency.ended()
        if job.probe and (verdict is None or verdict.transient):
            self._fail(chunk)
            if chunk.tiles:
                self._healing.failed(chunk, now)
        elif verdict is None:
            chunk.requeue()
        else:
            chunk.attempts += 1
            partial = error if isinstance(error, PartialReadError) else None
            attempts = verdict.attempts if partial is None else PARTIAL_ATTEMPTS
            if chunk.attempts < min(attempts, verdict.attempts) and not job.probe:
                source.retries += 1
                chunk.requeue(now + delay_s(chunk.attempts, verdict, self._jitter))
            else:
                source.failures += 1
                failure = LoadFailure.of(source.name, verdict.cause, error, chunk.storage.group)
                self._set.failures.append((job.settings, failure))
                if partial is not None:
                    self._arrived(chunk, partial.pixels, now - job.started)
                    return
                self._fail(chunk)
                if not verdict.transient:
                    self._remember(chunk.chunk_id)
                    self._healing.left(chunk)
                elif chunk.tiles:
                    self._healing.failed(chunk, now)
        if not chunk.tiles:
            self._set.drop(chunk)
        self._tiles.decided(chunk.chunk_id)

    def _fail(self, chunk: Chunk) -> None:
        chunk.fail()
        for tile in list(chunk.tiles):
            if tile.only_ahead:
                self.end_if_done(tile)
            elif tile.stage is Stage.LISTED:
                self._tiles.fail(tile, None)

    def _remember(self, chunk_id: ChunkId) -> None:
        self._dead[chunk_id] = None
        if len(self._dead) > REMEMBERED_FAILURES:
            del self._dead[next(iter(self._dead))]
