"""What is asked of the loader and what comes back: immutable values."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.protocol import LevelSource, Region


@dataclass(frozen=True, slots=True, eq=False)
class TileRequest:
    """One tile or brick to be assembled in RAM from storage chunks.

    Attributes
    ----------
    key : Hashable
        The tile's name; unique within one client.
    source : LevelSource
    region : Region
        The tile's own pixels, in pixels of the level, one pair per axis of the level
        (without apron, inside the array).
    apron : tuple of int
        Pixels wanted around `region`, per axis. Chunks are never *read* for the apron alone: what
        is cached, or in the working set, fills it; elsewhere (and outside the array) the
        tile's edge is repeated.
    hint : tuple of int
        Chunk shape for sources that have no chunks of their own (tile size on displayed
        axes, 1 elsewhere).
    finish : callable
        Turns the assembled block (shape of `region` plus aprons) into the contiguous array
        that is uploaded: transpose, project, convert. Runs in a worker.
    tier, relative_level
        As in `octree.Wish`; they choose the pool and the delay. A request of the tier PREFETCH
        only brings its storage chunks into RAM: it is never assembled nor handed out. Those of the
        tiers AHEAD, PREFETCH and BACKGROUND are not awaited: a client is done without them.
    finished_bytes : int
        What `finish` makes takes so many bytes, if that is more than the block (a brick is of one
        size, however few voxels it has at the edge of the data).
    outward : bool
        Its storage chunks are read from its middle outward, where a person looks; else in the
        order of the grid.
    """

    key: Hashable
    source: LevelSource
    region: Region
    apron: tuple[int, ...]
    hint: tuple[int, ...]
    finish: Callable[[np.ndarray], np.ndarray]
    tier: Tier
    relative_level: int = 0
    finished_bytes: int = 0
    outward: bool = False

    @property
    def only_ahead(self) -> bool:
        """Whether its storage chunks are to be in RAM and nothing is made of them (PREFETCH)."""
        return self.tier is Tier.PREFETCH


class TileState(Enum):
    """What became of a request."""

    LOADED = "loaded"
    MISSING = "missing"
    """Every chunk is absent from the store: the tile is all fill value (and can be drawn)."""
    FAILED = "failed"
    """Some chunk cannot be read, for now or finally: there is nothing to draw."""


class LoadedTile(NamedTuple):
    """A finished request.

    Attributes
    ----------
    key : Hashable
    data : numpy.ndarray or None
        Contiguous, ready for upload; None if failed.
    state : TileState
    complete : bool
        The apron is final: every neighbouring chunk inside the array was at hand. An
        incomplete tile is delivered again when its neighbours (if requested) have arrived.
    """

    key: Hashable
    data: np.ndarray | None
    state: TileState
    complete: bool
