"""RAM: fills itself in the right order, within hard limits, whatever the store does.

Knows neither napari nor Qt nor GL. See docs/architecture.md, "The loader, as its clients see it".
"""

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.loading.cache.values import value_at
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.loader import ChunkLoader, LoaderClient, default_loader
from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.loading.scheduling.pools import Pace
from napari_octree.loading.statistics import LoaderStatistics, PoolStatistics, SourceStatistics
from napari_octree.sources.protocol import ChunkId

__all__ = [
    "ChunkCache",
    "ChunkId",
    "ChunkLoader",
    "LoadFailure",
    "LoadedTile",
    "LoaderClient",
    "LoaderStatistics",
    "Pace",
    "PoolStatistics",
    "SourceStatistics",
    "TileRequest",
    "TileState",
    "default_loader",
    "value_at",
]
