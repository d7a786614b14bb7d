"""All lists and all chunks they need: what the parts of the scheduler share.

Invariants: a chunk is in `chunks` exactly as long as it exists (see `model`). Under the loader's
lock only.
"""

from __future__ import annotations

from collections.abc import Iterator

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.scheduling.model import Chunk, ClientList, Tile
from napari_octree.loading.scheduling.pools import ClientSettings
from napari_octree.loading.scheduling.source_record import (
    Processors,
    SourceRecord,
    SourceRecords,
)
from napari_octree.sources.protocol import ChunkId, StorageArray


class WorkingSet:
    """Lists, chunks and sources, and what is to be told.

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
        self.failures: list[tuple[ClientSettings, LoadFailure]] = []
        """What failed finally and has not been told yet."""
        self.healed: list[tuple[ClientSettings, str]] = []
        """Names of sources that are read again, and of which that has not been told yet."""

    def source_of(self, client: ClientList, storage: StorageArray) -> SourceRecord:
        """Return what is known of an array's source."""
        # A mosaic's read is many of its store's, which are put together.
        is_made = storage.is_computed or getattr(storage, "is_mosaic", False)
        far = storage.is_remote and not is_made
        return self.sources.of(storage.group, client.settings.pools.num_workers, far)

    def tiles(self) -> Iterator[Tile]:
        """All tiles on all lists."""
        return (tile for client in self.clients for tile in client.tiles.values())

    def drop(self, chunk: Chunk) -> None:
        """Forget a chunk that no tile needs."""
        del self.chunks[chunk.chunk_id]
        if chunk.entry is not None:
            self.cache.set_listed(chunk.chunk_id, False)
