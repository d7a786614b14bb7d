"""Pieces of work that the scheduler hands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_octree.loading.assembly import Part, assemble, grow, storage_apron
from napari_octree.loading.cache.eviction import CachedChunk
from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.loading.retry import ShapeMismatchError
from napari_octree.loading.scheduling.model import Chunk, Tile
from napari_octree.loading.scheduling.pools import LoaderPool
from napari_octree.sources.protocol import Region, StorageArray

if TYPE_CHECKING:
    from napari_octree.loading.executors.workers import Workers


@dataclass(eq=False, slots=True)
class ReadJob:
    """One read of one storage chunk.

    Attributes
    ----------
    chunk : Chunk
    tile : Tile or None
        The tile that is made of this chunk alone: who has read makes it in the same breath.
    pool : LoaderPool
        In which it counts as running.
    workers : Workers
        Who reads.
    started : float
    queued_s : float
        From the wish to the start.
    overdue : bool
        It may hang: all others go on as if it were not there.
    written_off : bool
        It took too long: whatever it returns is ignored.
    handle : object
        What the executor needs to cancel it.
    """

    chunk: Chunk
    tile: Tile | None
    pool: LoaderPool
    workers: Workers
    started: float
    queued_s: float
    overdue: bool = False
    written_off: bool = False
    handle: object = field(default=None)


class ReadOutcome(NamedTuple):
    """What became of a read.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        None if it failed, and where the store holds nothing.
    error : BaseException or None
    seconds : float
    decode_s : float or None
        What decoding took of it; None where the reader cannot tell it from fetching.
    busy_s : float or None
        What the reading thread computed of it; None if it is not known.
    """

    pixels: np.ndarray | None
    error: BaseException | None = None
    seconds: float = 0.0
    decode_s: float | None = None
    busy_s: float | None = None


class Made(NamedTuple):
    """What became of a tile.

    Attributes
    ----------
    result : LoadedTile or None
        None if it failed.
    error : BaseException or None
    """

    result: LoadedTile | None
    error: BaseException | None


@dataclass(eq=False, slots=True)
class AssembleJob:
    """Chunks at hand to be made into one tile.

    Attributes
    ----------
    tile : Tile
    complete : bool
        No chunk around the tile is absent.
    held : list of CachedChunk
        The tile's own chunks, then those around it; they stay cached until the job is done.
    reserved : int
        Bytes set aside for the block and the result.
    """

    tile: Tile
    complete: bool
    held: list[CachedChunk]
    reserved: int

    def run(self) -> LoadedTile:
        """Assemble and finish the tile (worker threads; may raise what user code raises)."""
        request = self.tile.request
        source = request.source
        storage = source.storage
        if storage.in_memory:
            core = source.storage_region(request.region)
            around = grow(core, storage_apron(source, request.apron), storage.shape)
            return make_tile(request, [(around, read_checked(storage, around))], 1, True)
        parts = [(entry.chunk_id.region, entry.pixels) for entry in self.held]
        return make_tile(request, parts, len(self.tile.chunks), self.complete)


def make_tile(request: TileRequest, parts: list[Part], own: int, complete: bool) -> LoadedTile:
    """Assemble and finish a tile (worker threads; may raise what user code raises).

    Parameters
    ----------
    request : TileRequest
    parts : list of Part
        The tile's own chunks, then those around it.
    own : int
        How many are its own.
    complete : bool
        No chunk around it is absent.
    """
    source = request.source
    storage = source.storage
    core = source.storage_region(request.region)
    apron = storage_apron(source, request.apron)
    block = assemble(core, apron, storage.shape, storage.dtype, storage.fill_value, parts)
    data = request.finish(source.drop_fixed(block))
    state = TileState.MISSING
    for _, pixels in parts[:own]:
        if pixels is not None:
            state = TileState.LOADED
            break
    return LoadedTile(request.key, data, state, complete)


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
    shape = tuple([stop - start for start, stop in region])
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
