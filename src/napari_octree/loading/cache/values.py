"""The value under the cursor, without reading anything."""

from __future__ import annotations

from napari_octree.loading.cache.chunk_cache import ChunkCache
from napari_octree.sources.protocol import ChunkId, LevelSource


def value_at(
    cache: ChunkCache, source: LevelSource, index: tuple[int, ...], hint: tuple[int, ...]
) -> object | None:
    """Return the value of one pixel if it is at hand (any thread; never reads a store).

    Parameters
    ----------
    cache : ChunkCache
    source : LevelSource
    index : tuple of int
        The pixel, per axis of the level.
    hint : tuple of int
        As in the requests that load the level.

    Returns
    -------
    numpy scalar, or None if the pixel is outside the array or its chunk is not in RAM
    """
    if not all(0 <= i < n for i, n in zip(index, source.shape, strict=True)):
        return None
    storage = source.storage
    point = source.storage_region(tuple((i, i + 1) for i in index))
    if storage.in_memory:
        pixel = storage.read(point)
        return storage.fill_value if pixel is None else pixel.item()
    grid = storage.grid(source.storage_shape(hint))
    box = grid.region(next(iter(grid.indices(point))))
    cached = cache.peek(ChunkId(storage.key, box))
    if cached is None:
        return None
    if cached.pixels is None:
        return storage.fill_value
    result: object | None = cached.pixels[
        tuple(start - o for (start, _), (o, _) in zip(point, box, strict=True))
    ]
    return result
