"""Pieces of work that the scheduler hands out: values, of which workers make `loading.work`."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_octree.loading.cache.eviction import CachedChunk
from napari_octree.loading.scheduling.model import Chunk, Tile
from napari_octree.loading.scheduling.pools import ClientSettings, LoaderPool


@dataclass(eq=False, slots=True)
class ReadJob:
    """One read of one storage chunk.

    Attributes
    ----------
    chunk : Chunk
    tile : Tile or None
        The tile that is made of this chunk alone: the thread that reads it also makes the tile.
    pool : LoaderPool
        In which it counts as running.
    settings : ClientSettings
        Whose workers read.
    started : float
    queued_s : float
        From the request to the start.
    overdue : bool
        It may hang: all others go on as if it were not there.
    probe : bool
        The chunk had failed: this is to see whether its source has healed.
    ended : bool
        Nothing is expected of it any more: whatever it returns is ignored.
    handle : object
        What the executor needs to cancel it.
    """

    chunk: Chunk
    tile: Tile | None
    pool: LoaderPool
    settings: ClientSettings
    started: float
    queued_s: float
    overdue: bool = False
    probe: bool = False
    ended: bool = False
    handle: object = field(default=None)


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

    @property
    def settings(self) -> ClientSettings:
        """Whose workers assemble."""
        return self.tile.client.settings
