"""Pieces of work that the scheduler hands out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_octree.loading.assembly import Part, assemble, grow, storage_apron
from napari_octree.loading.chunk_cache import ChunkId
from napari_octree.loading.loader_pool import LoaderPool
from napari_octree.loading.request import LoadedTile, TileState
from napari_octree.loading.retry import ShapeMismatchError
from napari_octree.loading.working_set import Chunk, Tile
from napari_octree.sources.protocol import Region, StorageArray


@dataclass(eq=False, slots=True)
class ReadJob:
    """One read of one storage chunk.

    Attributes
    ----------
    chunk : Chunk
    pool : LoaderPool
        In which it counts as running.
    started : float
    queued_s : float
        From the wish to the start.
    written_off : bool
        It took too long: whatever it returns is ignored.
    handle : object
        What the executor needs to cancel it.
    """

    chunk: Chunk
    pool: LoaderPool
    started: float
    queued_s: float
    written_off: bool = False
    handle: object = field(default=None)


@dataclass(eq=False, slots=True)
class AssembleJob:
    """Chunks at hand to be made into one tile.

    Attributes
    ----------
    tile : Tile
    parts : list of Part
        Those of the tile's own chunks first.
    complete : bool
        No chunk around the tile is absent.
    held : list of ChunkId
        Chunks that must stay cached until the job is done.
    reserved : int
        Bytes set aside for the block and the result.
    """

    tile: Tile
    parts: list[Part]
    complete: bool
    held: list[ChunkId]
    reserved: int

    def run(self) -> LoadedTile:
        """Assemble and finish the tile (worker threads; may raise what user code raises)."""
        request = self.tile.request
        source = request.source
        storage = source.storage
        parts = self.parts
        core = self.tile.core
        apron = storage_apron(source, request.apron)
        if storage.in_memory:
            around = grow(core, apron, storage.shape)
            parts = [(around, read_checked(storage, around))]
        block = assemble(core, apron, storage.shape, storage.dtype, storage.fill_value, parts)
        data = request.finish(source.drop_fixed(block))
        own = parts[: max(len(self.tile.chunks), 1)]
        missing = all(pixels is None for _, pixels in own)
        state = TileState.MISSING if missing else TileState.LOADED
        return LoadedTile(request.key, data, state, self.complete)


def read_checked(storage: StorageArray, region: Region) -> np.ndarray | None:
    """Read a chunk and check what came.

    Raises
    ------
    ShapeMismatchError
        It has not the shape or type that the array announced.
    """
    pixels = storage.read(region)
    if pixels is None:
        return None
    pixels = np.asarray(pixels)
    shape = tuple(stop - start for start, stop in region)
    if pixels.shape != shape:
        raise ShapeMismatchError(f"a chunk of shape {pixels.shape}, where {shape} was announced")
    if pixels.dtype != storage.dtype:
        raise ShapeMismatchError(
            f"a chunk of type {pixels.dtype}, where {storage.dtype} was announced"
        )
    if not storage.in_memory and pixels.base is not None:
        base = pixels.base
        if isinstance(base, np.ndarray) and base.nbytes > 2 * pixels.nbytes:
            return pixels.copy()  # a small view would keep a large array in memory, uncounted
    return pixels
