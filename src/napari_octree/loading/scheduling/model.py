"""Storage chunks and tiles, and the states they go through: one diagram each in architecture.md.

Invariants:

* A state changes by the methods of its chunk or tile, nowhere else; each asserts where it may come
  from, and keeps what depends on it right (`Tile.waiting`, `ClientList.pending`, `failed`, and
  where the start queues look next).
* A `Chunk` exists exactly while a listed tile needs it or its read is under way; there is one per
  `ChunkId`, whoever needs it.
* A tile's `waiting` is the number of its chunks that are neither cached nor known to be missing.
* Bytes are reserved for a tile from the moment it is admitted until it is taken or leaves the
  list, so an admitted tile can always be finished.

Under the loader's lock only.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from napari_octree.loading.cache.eviction import CachedChunk
from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.loading.scheduling.pools import ClientSettings, LoaderPool, Pace
from napari_octree.loading.scheduling.source_record import SourceRecord
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.protocol import ChunkId, StorageArray


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
    """It waits to be taken: finished, or failed."""
    TAKEN = auto()
    """Nothing is left to do for it, unless an apron can be better."""


class Queue(Protocol):
    """What a tile knows of the start queue in which it stands."""

    @property
    def pool(self) -> LoaderPool: ...  # noqa: D102
    @property
    def cursor(self) -> int: ...  # noqa: D102

    def has_room(self, rushing: bool) -> bool:
        """Whether one more read may start."""
        ...

    def rewind(self, position: int) -> None:
        """Look again at the tiles from `position` on."""
        ...


class Chunk:
    """A storage chunk that listed tiles need or that is being read."""

    __slots__ = (
        "attempts",
        "chunk_id",
        "entry",
        "not_before",
        "reserved",
        "source",
        "started",
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
        self.started = 0.0
        """When its latest read began."""

    @property
    def available(self) -> bool:
        """Whether its pixels are at hand."""
        return self.entry is not None

    @property
    def is_to_come(self) -> bool:
        """Whether it is being read, or will be for a tile that is to be seen."""
        if self.state is ChunkState.QUEUED:
            return any(not tile.only_ahead and tile.unassembled for tile in self.tiles)
        return self.state is ChunkState.LOADING

    def start_reading(self, now: float) -> None:
        """Its read is under way: it was queued, or has failed and is probed."""
        assert self.state is ChunkState.QUEUED or self.state is ChunkState.FAILED
        self.started = now
        self.state = ChunkState.LOADING

    def found_in(self, entry: CachedChunk) -> None:
        """It is cached."""
        assert self.state is ChunkState.QUEUED or self.state is ChunkState.LOADING
        self.entry = entry
        self.state = ChunkState.MISSING if entry.pixels is None else ChunkState.CACHED
        self.attempts = 0
        for tile in self.tiles:
            tile.waiting -= 1

    def evicted(self) -> None:
        """It left the cache: it has to be read again."""
        assert self.entry is not None
        self.entry = None
        self.state = ChunkState.QUEUED
        for tile in self.tiles:
            tile.waiting += 1
        self._look_again()

    def requeue(self, not_before: float = 0.0) -> None:
        """Its read ended without pixels that are kept: it has to be read again."""
        assert (
            self.state is ChunkState.LOADING or self.state is ChunkState.QUEUED
        )  # found, no room
        self.state = ChunkState.QUEUED
        self.not_before = not_before
        self._look_again()

    def fail(self) -> None:
        """It is not read any more."""
        assert self.state is ChunkState.LOADING or self.state is ChunkState.QUEUED
        self.state = ChunkState.FAILED

    def revive(self) -> None:
        """Let it be read again after it failed."""
        assert self.state is ChunkState.FAILED
        self.state = ChunkState.QUEUED
        self.attempts = 0
        self.not_before = 0.0
        self._look_again()

    def _look_again(self) -> None:
        """Let the start queues of its tiles come back to them."""
        for tile in self.tiles:
            if tile.queue is not None:
                tile.queue.rewind(tile.position)


class Tile:
    """A request on some client's list."""

    __slots__ = (
        "around",
        "awaited",
        "chunks",
        "client",
        "gaps",
        "improvable",
        "improving",
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
        "wait_until",
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
        self.queue: Queue | None = None
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
        self.improving = False
        """It is about to be assembled again, or is."""
        self.wait_until: float | None = None
        """Until when its first assembly waits for chunks around it; None: not decided yet."""

    def __lt__(self, other: Tile) -> bool:
        if self.tier is other.tier:
            return self.rank < other.rank
        return self.tier < other.tier

    @property
    def unassembled(self) -> bool:
        """Whether it needs chunks, or waits for its first assembly."""
        return self.stage is Stage.LISTED or self.stage is Stage.ADMITTED

    @property
    def finished(self) -> bool:
        """Whether it was assembled, or failed."""
        return self.stage is Stage.STAGED or self.stage is Stage.TAKEN

    @property
    def failed(self) -> bool:
        """Whether it cannot be made, for now or finally."""
        return self.client.failed.get(self.request.key) is self

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

    def needs(self, chunk: Chunk) -> None:
        """It is made of `chunk`, among others."""
        chunk.tiles.add(self)
        self.chunks.append(chunk)
        if chunk.entry is None:
            self.waiting += 1

    # ---- its way ---------------------------------------------------------------------------

    def admit(self, block_bytes: int) -> None:
        """Memory for it is reserved: `block_bytes` for its block."""
        assert self.stage is Stage.LISTED
        self.stage = Stage.ADMITTED
        self.reserved = block_bytes

    def withdraw(self) -> int:
        """Undo `admit`; return the bytes that were reserved for its block."""
        assert self.stage is Stage.ADMITTED
        self.stage = Stage.LISTED
        return self._reserved_no_more()

    def start_assembling(self) -> int:
        """Be made for the first time; return the bytes that were reserved for its block."""
        assert self.stage is Stage.ADMITTED
        assert not self.waiting
        self.stage = Stage.ASSEMBLING
        return self._reserved_no_more()

    def finish(self, result: LoadedTile, nbytes: int) -> None:
        """Wait to be taken: with a first result of `nbytes`, or with a better one."""
        assert self.stage is Stage.ASSEMBLING or self.finished
        if self.stage is Stage.ASSEMBLING:
            self.client.pending -= self.awaited
        self.stage = Stage.STAGED
        self.result = result
        self.reserved = nbytes

    def fail(self) -> None:
        """Wait to be taken without pixels."""
        assert self.stage is Stage.LISTED or self.stage is Stage.ASSEMBLING
        self.client.pending -= self.awaited
        self.client.failed[self.request.key] = self
        self.stage = Stage.STAGED
        self.result = LoadedTile(self.request.key, None, TileState.FAILED, True)

    def improve(self) -> None:
        """A better version than the one handed out is to come."""
        if not self.improving:
            self.improving = True
            self.client.improving += self.awaited

    def end_improving(self) -> None:
        """The better version is there, or will not be made."""
        if self.improving:
            self.improving = False
            self.client.improving -= self.awaited

    def take(self) -> tuple[LoadedTile, int]:
        """Return its result, and the bytes that were reserved for it."""
        assert self.stage is Stage.STAGED
        assert self.result is not None
        result, self.result = self.result, None
        self.stage = Stage.TAKEN
        return result, self._reserved_no_more()

    def end_ahead(self) -> None:
        """Its chunks have been read ahead; nothing is made of them."""
        assert self.only_ahead
        assert self.stage is Stage.LISTED
        self.stage = Stage.TAKEN

    def retry(self, now: float) -> None:
        """Begin again after it failed."""
        assert self.failed
        del self.client.failed[self.request.key]
        self.end_improving()
        self.stage = Stage.LISTED
        self.result = None
        self.since = now

    def leave(self) -> int:
        """Leave the list; return the bytes that were reserved for it."""
        assert self.stage is not Stage.ADMITTED, "withdraw it first"
        self.listed = False
        self.queue = None  # which refers to it: a cycle would be the garbage collector's work
        self.end_improving()
        if self.failed:
            del self.client.failed[self.request.key]
        self.result = None
        return self._reserved_no_more()

    def _reserved_no_more(self) -> int:
        reserved, self.reserved = self.reserved, 0
        return reserved


NO_GAPS: set[ChunkId] = set()
"""What most tiles lack: never changed."""


class ClientList:
    """The current list of one client.

    Parameters
    ----------
    wake : callable
        Called, in any thread and without the lock, when something can be taken.
    settings : ClientSettings
    """

    def __init__(self, wake: Callable[[], None], settings: ClientSettings) -> None:
        self.wake = wake
        self.settings = settings
        self.pace = Pace.UNCERTAIN
        self.closed = False
        self.tiles: dict[object, Tile] = {}
        self.ready: list[Tile] = []
        """Heap of tiles whose chunks are all at hand."""
        self.staged: list[Tile] = []
        """Heap of finished tiles; some may have left the list."""
        self.pending = 0
        """Unfinished tiles that the present view awaits."""
        self.improving = 0
        """Finished ones of which a better version is being made."""
        self.failed: dict[object, Tile] = {}
        """Those that failed, by key."""
