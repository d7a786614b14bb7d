"""One user of the loader: a layer in a viewer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from napari_octree.loading.pace import Pace
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.scheduling.tile_chunks import GridMemo

if TYPE_CHECKING:
    from napari_octree.loading.dispatcher import Dispatcher
    from napari_octree.loading.loader import ChunkLoader
    from napari_octree.loading.scheduling.model import ClientList


class LoaderClient:
    """What `ChunkLoader.open` returns. All methods return at once and may be called in any thread.

    (With `force_synchronous` the methods do the loading themselves, and block.)
    """

    def __init__(self, loader: ChunkLoader, dispatcher: Dispatcher, wishes: ClientList) -> None:
        self._loader = loader
        self._dispatcher = dispatcher
        self._list = wishes

    def replace(self, requests: Iterable[TileRequest]) -> None:
        """Make `requests`, best first, the list of what is wanted.

        What is no longer on it and has not started is never started. A tile that was taken
        is not delivered again while it stays on the list, unless its apron became better.
        Of requests with equal keys the first counts.
        """
        wished = list(requests)  # here, as what makes them may raise
        self._dispatcher.change(
            lambda scheduler, now: (
                None if self._list.closed else scheduler.replace(self._list, wished, now)
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
        """Requests on the list that are neither finished nor failed.

        Those of the tiers AHEAD, PREFETCH and BACKGROUND are not counted: they may wait as long as
        memory is short.
        """
        return self._list.pending

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
        """Keys on the list that failed for good; `retry` tries them again."""
        with self._dispatcher.lock:
            return frozenset(self._list.failed)

    @property
    def pace(self) -> Pace:
        """How fast the list changes: which wishes are delayed.

        While it is RUSHING few readers run that would take the interpreter from the frames. Set
        it to STEADY as soon as the view rests: what is wanted then starts at once.
        """
        return self._list.pace

    @pace.setter
    def pace(self, pace: Pace) -> None:
        former = self._list.pace
        if pace is not former:
            self._list.pace = pace
            if pace < former:
                self._dispatcher.change(lambda scheduler, _: scheduler.delays_changed(self._list))

    def retry(self) -> None:
        """Read again what failed."""
        self._loader.retry(self._list)

    def close(self) -> None:
        """Want nothing any more; free what is staged. A second call does nothing."""
        self._dispatcher.close(self._list)
