"""The loader: fills RAM in the order that clients wish, in worker threads.

Invariants: nothing is read or computed in the thread of a client, except with
`force_synchronous`; loaders of other configurations have other workers, delays and logs, but all
loaders of `default_loader` share one cache, one limit of RAM and one list of reads under way.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable

from psygnal import Signal

from napari_octree.config import OctreeConfig
from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.cache.shared_blocks import SharedBlocks
from napari_octree.loading.client import LoaderClient
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.executors.executor import Executor
from napari_octree.loading.executors.workers import Workers
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.scheduling.model import ClientList
from napari_octree.loading.statistics import LoaderStatistics

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
    """Emitted in a worker thread, once per source and cause until `retry`."""

    def __init__(
        self,
        config: OctreeConfig | None = None,
        *,
        dispatcher: Dispatcher | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.config = config = OctreeConfig() if config is None else config
        self._dispatcher = dispatcher = Dispatcher() if dispatcher is None else dispatcher
        self._workers = Workers(config, executor, self._tell)
        self._failures: dict[tuple[str, str], LoadFailure] = {}
        self._failures_lock = threading.Lock()
        self.blocks = SharedBlocks(dispatcher)
        dispatcher.join(self._workers)

    def open(self, wake: Callable[[], None]) -> LoaderClient:
        """Register a client.

        Parameters
        ----------
        wake : callable
            Called in any thread when something can be taken, and not again before everything
            has been taken. It must return at once.

        Raises
        ------
        RuntimeError
            The loader is closed.
        """
        return LoaderClient(self, self._dispatcher, self._dispatcher.open(wake, self._workers))

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
        """What failed for good since the last `retry`, one entry per source and cause."""
        with self._failures_lock:
            return tuple(self._failures.values())

    @property
    def statistics(self) -> LoaderStatistics:
        """A snapshot of all counts, those of the loaders that share the cache included."""
        return self._dispatcher.statistics

    def retry(self, wishes: ClientList) -> None:
        """Read again what failed of a client's list, and tell it again if it fails again."""
        with self._failures_lock:
            self._failures.clear()
        self._dispatcher.change(lambda scheduler, now: scheduler.retry(wishes, now))

    def close(self, wait_s: float = EXIT_WAIT_S) -> None:
        """Drop all lists, start nothing more and end the threads; the last one frees the cache.

        Reads under way are waited for, at most `wait_s` seconds; they cannot be interrupted.
        """
        self._dispatcher.leave(self._workers, wait_s)

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


_loaders: dict[str, ChunkLoader] = {}
_dispatcher = Dispatcher()
_default_lock = threading.Lock()


def default_loader(config: OctreeConfig | None = None) -> ChunkLoader:
    """Return the process's loader for some settings; the first call with them makes it.

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
        if loader is None:
            loader = _loaders[name] = ChunkLoader(config, dispatcher=_dispatcher)
            atexit.register(loader.close)
        return loader
