"""What clients have on their lists: tiles, and the storage chunks they need.

Invariants:

* A `Chunk` record exists exactly while a listed tile needs it or its read is under way; there is
  one per `ChunkId`, whoever needs it.
* A tile's `waiting` is the number of its chunks that are neither cached nor known to be missing.
* Bytes are reserved for a tile from the moment it is admitted until it is taken or leaves the
  list, so an admitted tile can always be finished.

Everything here is touched under the loader's lock only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.cache.eviction import CachedChunk
from napari_octree.loading.chunk_id import ChunkId
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.pace import Pace
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.scheduling.processors import Processors
from napari_octree.loading.scheduling.source_record import SourceRecord, SourceRecords
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.protocol import StorageArray

if TYPE_CHECKING:
    from napari_octree.loading.executors.workers import Workers
    from napari_octree.loading.scheduling.jobs import ReadJob
    from napari_octree.loading.scheduling.start_queue import StartQueue


class ChunkState(Enum):
    """Where a storage chunk is."""

    QUEUED = auto()
    LOADING = auto()
    CACHED = auto()
    MISSING = auto()
    """The store holds nothing: the fill value applies."""
    FAILED = auto()


class Stage(Enum):
    """Where a tile is on its way."""

    LISTED = auto()
    ADMITTED = auto()
    """Memory is reserved and its chunks are held or being read."""
    ASSEMBLING = auto()
    STAGED = auto()
    TAKEN = auto()


class Chunk:
    """A storage chunk that listed tiles need or that is being read."""

    __slots__ = (
        "attempts",
        "chunk_id",
        "entry",
        "job",
        "not_before",
        "reserved",
        "source",
        "state",
        "storage",
        "tiles",
    )

    def __init__(self, chunk_id: ChunkId, storage: StorageArray, source: SourceRecord) -> None:
        self.chunk_id = chunk_id
        self.storage = storage
        self.source = source
        self.state = ChunkState.QUEUED
        self.tiles: set[Tile] = set()
        self.entry: CachedChunk | None = None
        """Where it is cached, while it is `available`."""
        self.reserved = 0
        """Bytes set aside for it."""
        self.attempts = 0
        self.not_before = 0.0
        self.job: ReadJob | None = None

    @property
    def available(self) -> bool:
        """Whether its pixels are at hand."""
        return self.entry is not None

    def found_in(self, entry: CachedChunk) -> None:
        """It is cached."""
        self.entry = entry
        self.state = ChunkState.MISSING if entry.pixels is None else ChunkState.CACHED

    def lost(self) -> None:
        """It has to be read (again)."""
        self.entry = None
        self.state = ChunkState.QUEUED


class Tile:
    """A request on some client's list."""

    __slots__ = (
        "around",
        "awaited",
        "chunks",
        "client",
        "gaps",
        "hold_until",
        "improvable",
        "listed",
        "only_ahead",
        "position",
        "queue",
        "rank",
        "request",
        "reserved",
        "result",
        "since",
        "stage",
        "tier",
        "waiting",
    )

    def __init__(self, client: ClientList, request: TileRequest, since: float) -> None:
        self.client = client
        self.request = request
        self.tier = tier = request.tier
        self.awaited = tier.awaited
        self.only_ahead = tier is Tier.PREFETCH
        self.since = since
        self.around: tuple[ChunkId, ...] | None = None
        """Chunks that touch its apron; None until they are needed."""
        self.rank = 0
        self.queue: StartQueue | None = None
        self.position = 0
        self.chunks: list[Chunk] = []
        self.waiting = 0
        self.stage = Stage.LISTED
        self.listed = True
        self.reserved = 0
        self.result: LoadedTile | None = None
        self.gaps: set[ChunkId] = NO_GAPS
        self.improvable = False
        """A chunk around it has come since it was assembled."""
        self.hold_until: float | None = None
        """Until when its first assembly waits for chunks around it; None: not decided yet."""

    def __lt__(self, other: Tile) -> bool:
        if self.tier is other.tier:
            return self.rank < other.rank
        return self.tier < other.tier

    def is_same(self, request: TileRequest) -> bool:
        """Whether `request` asks for the pixels that this tile is about."""
        own = self.request
        return own is request or (
            self.only_ahead == request.only_ahead
            and own.region == request.region
            and own.apron == request.apron
            and own.source.fixed == request.source.fixed
            and own.source.storage.key == request.source.storage.key
        )

    def renew(self, request: TileRequest) -> None:
        """Take an equal request's place on the list."""
        self.request = request
        self.tier = request.tier
        self.awaited = request.tier.awaited


NO_GAPS: set[ChunkId] = set()
"""What most tiles lack: never changed."""


class ClientList:
    """The current list of one client.

    Parameters
    ----------
    wake : callable
        Called, in any thread and without the lock, when something can be taken.
    workers : Workers
        Who works for this client.
    """

    def __init__(self, wake: Callable[[], None], workers: Workers) -> None:
        self.wake = wake
        self.workers = workers
        self.pace = Pace.UNCERTAIN
        self.closed = False
        self.tiles: dict[object, Tile] = {}
        self.queues: list[StartQueue] = []
        self.ready: list[Tile] = []
        """Heap of tiles whose chunks are all at hand."""
        self.staged: list[Tile] = []
        """Heap of finished tiles; some may have left the list."""
        self.pending = 0
        """Unfinished tiles that the present view awaits."""
        self.failed: set[object] = set()


class WorkingSet:
    """All lists and all chunks they need: what the parts of the scheduler share.

    Parameters
    ----------
    cache : ChunkCache
    processors : Processors
    """

    def __init__(self, cache: ChunkCache, processors: Processors) -> None:
        self.cache = cache
        self.clients: list[ClientList] = []
        self.sources = SourceRecords(processors)
        self.chunks: dict[ChunkId, Chunk] = {}
        self.woken: dict[ClientList, None] = {}
        """Clients that can take something since they were last woken."""
        self.failures: list[tuple[Workers, LoadFailure]] = []
        """What failed for good and has not been told yet."""

    def source_of(self, client: ClientList, storage: StorageArray) -> SourceRecord:
        """Return what is known of an array's source."""
        return self.sources.of(storage.source_name, client.workers.pools.num_workers)

    def tiles(self) -> Iterator[Tile]:
        """All tiles on all lists."""
        return (tile for client in self.clients for tile in client.tiles.values())

    def drop(self, chunk: Chunk) -> None:
        """Forget a chunk that no tile needs."""
        del self.chunks[chunk.chunk_id]
        if chunk.entry is not None:
            self.cache.set_listed(chunk.chunk_id, False)

    @staticmethod
    def look_again(chunk: Chunk) -> None:
        """Let the queues of the chunk's tiles come back to them."""
        for tile in chunk.tiles:
            if tile.queue is not None:
                tile.queue.rewind(tile.position)
