"""What clients have on their lists: tiles, the storage chunks they need, and lanes of tiles.

Invariants:

* A `Chunk` record exists exactly while a listed tile needs it or its read is under way; there is
  one per `ChunkId`, whoever needs it.
* A tile's `waiting` is the number of its chunks that are neither cached nor known to be missing.
* Bytes are reserved for a tile from the moment it is admitted until it is taken or leaves the
  list, so an admitted tile can always be finished.

Everything here is touched under the loader's lock only.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from napari_octree.loading.assembly import grow, nbytes_of, storage_apron
from napari_octree.loading.chunk_cache import ChunkId
from napari_octree.loading.concurrency import SourceConcurrency
from napari_octree.loading.loader_pool import LoaderPool
from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.protocol import ChunkGrid, Region, StorageArray


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


class Source:
    """What is known of one source, from its reads.

    Parameters
    ----------
    name : str
    most : int
        Reads at once at most.
    """

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.concurrency = SourceConcurrency(most)
        self.latency_s: float | None = None
        self.reads = 0
        self.failures = 0
        self.retries = 0
        self.nbytes = 0
        self.read_seconds = 0.0

    def measured(self, seconds: float, nbytes: int) -> None:
        """One read arrived after `seconds`."""
        self.reads += 1
        self.nbytes += nbytes
        self.read_seconds += seconds
        # Weights recent reads by a quarter: follows a store that changes within a few reads.
        self.latency_s = (
            seconds if self.latency_s is None else 0.75 * self.latency_s + 0.25 * seconds
        )


class Chunk:
    """A storage chunk that listed tiles need or that is being read."""

    __slots__ = (
        "attempts",
        "chunk_id",
        "job",
        "nbytes",
        "not_before",
        "reserved",
        "source",
        "state",
        "storage",
        "tiles",
    )

    def __init__(self, chunk_id: ChunkId, storage: StorageArray, source: Source) -> None:
        self.chunk_id = chunk_id
        self.storage = storage
        self.source = source
        self.nbytes = nbytes_of(chunk_id.region, storage.dtype)
        self.state = ChunkState.QUEUED
        self.tiles: set[Tile] = set()
        self.reserved = False
        self.attempts = 0
        self.not_before = 0.0
        self.job: object = None

    @property
    def available(self) -> bool:
        """Whether its pixels are at hand."""
        return self.state is ChunkState.CACHED or self.state is ChunkState.MISSING


class Tile:
    """A request on some client's list."""

    __slots__ = (
        "around",
        "block_bytes",
        "chunks",
        "client",
        "gaps",
        "improvable",
        "lane",
        "listed",
        "position",
        "rank",
        "request",
        "reserved",
        "result",
        "since",
        "stage",
        "waiting",
    )

    def __init__(self, client: ClientList, request: TileRequest, since: float) -> None:
        self.client = client
        self.request = request
        self.since = since
        self.block_bytes = 0 if request.only_ahead else block_bytes_of(request)
        self.around: tuple[ChunkId, ...] | None = None
        self.rank = 0
        self.lane: Lane | None = None
        self.position = 0
        self.chunks: list[Chunk] = []
        self.waiting = 0
        self.stage = Stage.LISTED
        self.listed = True
        self.reserved = 0
        self.result: LoadedTile | None = None
        self.gaps: frozenset[ChunkId] = frozenset()
        self.improvable = False

    def __lt__(self, other: Tile) -> bool:
        return (self.request.tier, self.rank) < (other.request.tier, other.rank)

    def is_same(self, request: TileRequest) -> bool:
        """Whether `request` asks for the pixels that this tile is about."""
        own = self.request
        return own is request or (
            own.only_ahead == request.only_ahead
            and own.region == request.region
            and own.apron == request.apron
            and own.source.fixed == request.source.fixed
            and own.source.storage.key == request.source.storage.key
        )

    @property
    def core(self) -> Region:
        """The tile's own pixels in the storage array."""
        return self.request.source.storage_region(self.request.region)

    def neighbours(self) -> tuple[ChunkId, ...]:
        """Return the chunks that touch the tile's apron, but not the tile."""
        if self.around is None:
            request = self.request
            source = request.source
            storage = source.storage
            grid = storage.grid(source.storage_shape(request.hint))
            apron = storage_apron(source, request.apron)
            own = {chunk.chunk_id.region for chunk in self.chunks}
            boxes = map(grid.region, grid.indices(grow(self.core, apron, storage.shape)))
            self.around = tuple(ChunkId(storage.key, box) for box in boxes if box not in own)
        return self.around


def block_bytes_of(request: TileRequest) -> int:
    """Return the bytes of the assembled block and (an estimate) of what `finish` makes of it."""
    n = request.source.dtype.itemsize
    for (start, stop), apron in zip(request.region, request.apron, strict=True):
        n *= stop - start + 2 * apron
    return 2 * n


class Lane:
    """Tiles of one client, pool, source and tier, best first; the cursor is at the next one."""

    __slots__ = ("client", "cursor", "due", "only_ahead", "pool", "source", "tiles")

    def __init__(
        self, client: ClientList, pool: LoaderPool, source: Source, only_ahead: bool = False
    ) -> None:
        self.client = client
        self.pool = pool
        self.source = source
        self.only_ahead = only_ahead
        self.tiles: list[Tile] = []
        self.cursor = 0
        self.due: float | None = None
        """When the first tile that the cursor passed over may start."""

    def has_room(self, moving: bool) -> bool:
        """Whether one more read may start."""
        source = self.source
        return self.pool.has_room() and source.concurrency.has_room(
            moving, source.latency_s or 0.0
        )

    def may_read_ahead(self, moving: bool) -> bool:
        """Whether reading ahead would delay nothing that may be wanted in a moment.

        A read cannot be called back: so half of the source stays free, and while the user moves
        only fast sources are read.
        """
        latency_s = self.source.latency_s or 0.0
        if moving and latency_s > self.pool.auto_sync_s:
            return False
        concurrency = self.source.concurrency
        return 2 * concurrency.running < max(concurrency.allowed(moving, latency_s), 2)

    def delay_s(self, tier: Tier) -> float:
        """Seconds that a tile has to stay on the list before it is read."""
        return self.pool.delay_of(tier, self.source.latency_s, self.client.moving)

    def rewind(self, position: int = 0) -> None:
        """Look again at the tiles from `position` on."""
        if position < self.cursor:
            self.cursor = position
        if position == 0:
            self.due = None


class ClientList:
    """The current list of one client.

    Parameters
    ----------
    wake : callable
        Called, in any thread and without the lock, when something can be taken.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.moving = False
        self.closed = False
        self.tiles: dict[object, Tile] = {}
        self.lanes: dict[tuple[int, int, Tier], Lane] = {}
        self.ready: list[Tile] = []
        """Heap of tiles whose chunks are all at hand."""
        self.staged: list[Tile] = []
        """Heap of finished tiles; some may have left the list."""
        self.pending = 0
        """Unfinished tiles that the present view awaits."""
        self.failed: set[object] = set()


class GridMemo:
    """Storage chunks of a request's region; remembers grids for the length of one `replace`."""

    def __init__(self) -> None:
        self._grids: dict[tuple[int, tuple[int, ...]], tuple[ChunkGrid, bool]] = {}

    def chunk_ids(self, request: TileRequest) -> list[ChunkId]:
        """Return the chunks that hold the request's own pixels (none if in memory)."""
        source = request.source
        storage = source.storage
        if storage.in_memory:
            return []
        name = (id(source), request.hint)
        known = self._grids.get(name)
        if known is None:
            grid = storage.grid(source.storage_shape(request.hint))
            known = self._grids[name] = grid, any(i is not None for i in source.fixed)
        grid, partly_fixed = known
        region = source.storage_region(request.region) if partly_fixed else request.region
        key = storage.key
        if isinstance(grid, RegularGrid):
            box = _single_box(grid, region)
            if box is not None:
                return [ChunkId(key, box)]
        return [ChunkId(key, grid.region(index)) for index in grid.indices(region)]


def _single_box(grid: RegularGrid, region: Region) -> Region | None:
    """Return the one chunk that holds all of `region`, or None: the usual case, made quick."""
    box = []
    for (start, stop), size, chunk in zip(region, grid.shape, grid.chunk_shape, strict=True):
        first = start - start % chunk
        last = first + chunk
        if last > size:
            last = size
        if not first <= start < stop <= last:
            return None
        box.append((first, last))
    return tuple(box)
