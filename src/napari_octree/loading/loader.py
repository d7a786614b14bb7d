"""The loader: fills RAM in the order that clients ask for, in worker threads.

Invariants: nothing is read or computed in the thread of a client, except with
`force_synchronous`; loaders of other configurations have other workers, delays and logs, but all
loaders of `default_loader` share one cache, one limit of RAM and one list of reads under way.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

import numpy as np
from psygnal import Signal

from napari_octree.config import OctreeConfig
from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.executors.choice import executor_of
from napari_octree.loading.executors.executor import Executor
from napari_octree.loading.executors.workers import Workers
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.scheduling.model import ClientList
from napari_octree.loading.scheduling.pools import ClientSettings, Pace
from napari_octree.loading.scheduling.tile_chunks import GridMemo
from napari_octree.loading.statistics import LoaderStatistics, PoolStatistics
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkId

logger = logging.getLogger("napari_octree.loader")

EXIT_WAIT_S = 1.0
"""How long the end of the interpreter waits for reads under way."""


class ChunkLoader:
    """Loads tiles for any number of clients.

    Parameters
    ----------
    config : OctreeConfig, optional
    dispatcher : Dispatcher, optional
        What it shares with other loaders; default: nothing.
    executor : Executor, optional
        Who works; the default follows `config.loader_defaults`.
    """

    on_failure = Signal(LoadFailure)
    """Emitted in a worker thread, once per source and cause until `retry` or `on_healed`."""
    on_healed = Signal(str)
    """Emitted in a worker thread with the name of a source that could not be reached (a time-out,
    a connection, 429, 5xx), and now can: what failed of it is read again."""

    def __init__(
        self,
        config: OctreeConfig | None = None,
        *,
        dispatcher: Dispatcher | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.config = config = OctreeConfig() if config is None else config
        self._dispatcher = dispatcher = Dispatcher() if dispatcher is None else dispatcher
        self._settings = settings = ClientSettings.of(config)
        if executor is None:
            executor = executor_of(config, settings.pools.num_workers)
        self._workers = Workers(config, executor, self._tell, self._tell_healed)
        self._closed = False
        self._failures: dict[tuple[str, str], LoadFailure] = {}
        self._failures_lock = threading.Lock()
        self.blocks = SharedBlocks(dispatcher)
        dispatcher.join(settings, self._workers)

    def open(self, wake: Callable[[], None]) -> LoaderClient:
        """Register a client.

        Parameters
        ----------
        wake : callable
            Called in any thread when something can be taken, and not again before everything
            has been taken, but for the last tile that the view awaits. It must return at once.

        Raises
        ------
        RuntimeError
            The loader is closed.
        """
        return LoaderClient(self, self._dispatcher, self._dispatcher.open(wake, self._settings))

    def forget(self, storage_key: object, source_name: str | None = None) -> None:
        """Free what is cached of an array that nobody will ask for again, or not so.

        Parameters
        ----------
        storage_key : Hashable
            `StorageArray.key`.
        source_name : str, optional
            `StorageArray.source_name`: its chunks on disk are dropped too, as its data changed.
        """
        self._dispatcher.change(lambda scheduler, _: scheduler.forget(storage_key))
        if source_name is not None:
            self._workers.forget(source_name)

    @property
    def cache(self) -> ChunkCache:
        """The chunks in RAM."""
        return self._dispatcher.cache

    @property
    def failures(self) -> tuple[LoadFailure, ...]:
        """Final failures since the last `retry`, one entry per source and cause."""
        with self._failures_lock:
            return tuple(self._failures.values())

    @property
    def statistics(self) -> LoaderStatistics:
        """A snapshot of all counts, those of the loaders that share the cache included."""
        return replace(self._dispatcher.statistics, pools=self._pools())

    @property
    def totals(self) -> LoaderStatistics:
        """The snapshot without `sources`: as cheap after thousands of them as after one."""
        return replace(self._dispatcher.totals, pools=self._pools())

    def _pools(self) -> dict[int, PoolStatistics]:
        with self._dispatcher.lock:
            return {key: pool.statistics for key, pool in self._settings.pools.items()}

    def retry(self, requests: ClientList) -> None:
        """Read again what failed of a client's list, and tell it again if it fails again."""
        with self._failures_lock:
            self._failures.clear()
        self._dispatcher.change(lambda scheduler, now: scheduler.retry(requests, now))

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, and no client can be opened."""
        return self._closed

    def close(self, wait_s: float = EXIT_WAIT_S) -> None:
        """Drop all lists, start nothing more and end the threads; the last one frees the cache.

        Reads under way are waited for, at most `wait_s` seconds; they cannot be interrupted.
        """
        self._closed = True
        self._dispatcher.leave(self._settings, wait_s)

    def _tell(self, failure: LoadFailure) -> None:
        name = (failure.source_name, failure.cause)
        with self._failures_lock:
            known = self._failures.get(name)
            self._failures[name] = failure if known is None else known.again()
        if known is not None:
            return
        logger.warning("%s", failure)
        try:
            self.on_failure.emit(failure)
        except Exception:  # a listener is foreign code; loading goes on
            logger.exception("a listener of on_failure failed")

    def _tell_healed(self, source_name: str) -> None:
        with self._failures_lock:
            for name in [name for name in self._failures if name[0] == source_name]:
                del self._failures[name]
        logger.info("%s can be read again", source_name)
        try:
            self.on_healed.emit(source_name)
        except Exception:  # a listener is foreign code; loading goes on
            logger.exception("a listener of on_healed failed")


class LoaderClient:
    """What `ChunkLoader.open` returns. All methods return at once and may be called in any thread.

    (With `force_synchronous` the methods do the loading themselves, and block.)
    """

    def __init__(self, loader: ChunkLoader, dispatcher: Dispatcher, requests: ClientList) -> None:
        self._loader = loader
        self._dispatcher = dispatcher
        self._list = requests

    def replace(self, requests: Iterable[TileRequest]) -> None:
        """Make `requests`, best first, the client's list.

        What is no longer on it and has not started is never started. A tile that was taken
        is not delivered again while it stays on the list, unless its apron became better.
        Of requests with equal keys the first counts.
        """
        listed = list(requests)  # here, as what makes them may raise
        self._dispatcher.change(
            lambda scheduler, now: (
                None if self._list.closed else scheduler.replace(self._list, listed, now)
            )
        )

    def take(self) -> LoadedTile | None:
        """Return the best finished tile, or None; each is handed out once."""
        if not self._list.staged:
            return None
        return self._dispatcher.take(self._list)

    def at_hand(self, request: TileRequest) -> bool:
        """Whether every storage chunk of a request is in RAM, so that nothing would be read."""
        peek = self._dispatcher.cache.peek
        return all(peek(chunk_id) is not None for chunk_id in GridMemo().chunk_ids(request))

    @property
    def pending(self) -> int:
        """Requests on the list that are neither finished nor failed, or are being improved.

        Those of the tiers AHEAD, PREFETCH and BACKGROUND are not counted: they may wait as long as
        memory is short.
        """
        unfinished = self._list.pending  # first: one is improved by what another waits for
        return unfinished + self._list.improving

    @property
    def ready(self) -> bool:
        """Whether `take` has something to hand out."""
        return bool(self._list.staged)

    @property
    def awaited(self) -> bool:
        """Whether `take` has something to hand out that is not only read ahead."""
        best = self._list.staged[:1]  # looked at once, as it may be taken meanwhile
        return bool(best) and best[0].request.tier.awaited

    @property
    def failed(self) -> frozenset[Hashable]:
        """Keys on the list that failed; `retry` tries them again."""
        with self._dispatcher.lock:
            return frozenset(self._list.failed)

    @property
    def pace(self) -> Pace:
        """How fast the list changes: which requests are delayed.

        While it is RUSHING few readers run that would take the interpreter from the frames. Set
        it to STEADY as soon as the view rests: what is on the list then starts at once.
        """
        return self._list.pace

    @pace.setter
    def pace(self, pace: Pace) -> None:
        former = self._list.pace
        if pace is not former:
            self._list.pace = pace
            if pace < former:
                self._dispatcher.change(lambda scheduler, _: None)  # what need not wait any more

    def retry(self) -> None:
        """Read again what failed."""
        self._loader.retry(self._list)

    def follow(self, loader: ChunkLoader) -> None:
        """Have another loader's workers, delays and limit of RAM from now on (main thread).

        What was listed is dropped: `replace` has to be called anew. With the present loader
        nothing happens.

        Raises
        ------
        RuntimeError
            That loader is closed.
        ValueError
            It does not share this one's cache.
        """
        if loader is self._loader or self._list.closed:
            return
        if loader.cache is not self._loader.cache:
            raise ValueError("a client can only follow a loader of the same cache")
        former = self._list
        self._list = self._dispatcher.open(former.wake, loader._settings)
        self._list.pace = former.pace
        self._loader = loader
        self._dispatcher.close(former)

    def close(self) -> None:
        """Ask for nothing any more; free what is staged. A second call does nothing."""
        self._dispatcher.close(self._list)


class SharedBlocks:
    """A `sources.protocol.BlockStore` that is the loader's own cache, for computed sources.

    Any thread; never blocks for longer than the loader's lock is held. What is kept counts against
    `ram_bytes`, and goes as any chunk does. So a storage chunk that was read to compute a coarser
    level is not read again when the user zooms in, nor the levels in between.

    Parameters
    ----------
    dispatcher : Dispatcher
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def find(self, chunk_id: ChunkId) -> tuple[np.ndarray | None] | None:
        """Return a chunk's pixels (None: fill value) in a tuple of one, None if not at hand."""
        cached = self._dispatcher.cache.peek(chunk_id)
        return None if cached is None else (cached.pixels,)

    def keep(
        self, chunk_id: ChunkId, pixels: np.ndarray | None, seconds: float, group: SourceGroup
    ) -> None:
        """Store a chunk that took `seconds`; whoever waits for it need not read it."""
        self._dispatcher.change(
            lambda scheduler, _: scheduler.found(chunk_id, pixels, seconds, group)
        )


_loaders: dict[str, ChunkLoader] = {}
_dispatcher = Dispatcher()
_default_lock = threading.Lock()


def default_loader(config: OctreeConfig | None = None) -> ChunkLoader:
    """Return the process's loader for some settings.

    The first call with them makes it, and the first one after it was closed.

    Layers with the same loader and memory settings share one loader. All share the limit of RAM
    (the least that any open layer was given), and a chunk that two of them want is read once.

    Parameters
    ----------
    config : OctreeConfig, optional
        Default: as `NAPARI_OCTREE` says.
    """
    config = OctreeConfig.from_environment() if config is None else config
    name = config.model_dump_json(
        include={"loader_defaults": True, "memory": True, "octree": {"loaders"}}
    )
    with _default_lock:
        loader = _loaders.get(name)
        if loader is None or loader.is_closed:
            loader = _loaders[name] = ChunkLoader(config, dispatcher=_dispatcher)
        return loader


@atexit.register
def _close_all() -> None:
    for loader in _loaders.values():
        loader.close()
