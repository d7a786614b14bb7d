"""Tiles at hand: made by copying a little of a plain array in memory, so that a frame may do it.

Invariants: any thread; nothing waits. Who makes a tile here asks the loader for it only if it
could not be made: the loader then says why.
"""

from __future__ import annotations

from napari_octree.loading.request import LoadedTile, TileRequest
from napari_octree.loading.work import make_tile
from napari_octree.sources.arrays.memory_cost import bytes_touched
from napari_octree.sources.protocol import LevelSource, Region

MOST_BYTES = 2**22
"""Of memory touched for one tile: copied, converted and sent within a few milliseconds."""


CALCULATED = 8
"""A byte from which texels are calculated takes so many times as long as one that is copied."""


def is_at_hand(request: TileRequest, calculated: bool = False) -> bool:
    """Whether a tile costs no more than to copy a little memory.

    Parameters
    ----------
    request : TileRequest
    calculated : bool
        `finish` makes other numbers of the pixels.
    """
    return region_is_at_hand(request.source, request.region, calculated)


def region_is_at_hand(source: LevelSource, region: Region, calculated: bool = False) -> bool:
    """The same of a region of a level."""
    touched = bytes_touched(source, region)
    return touched is not None and touched * (CALCULATED if calculated else 1) <= MOST_BYTES


def make_at_hand(request: TileRequest) -> LoadedTile | None:
    """Make a tile that is at hand, in the calling thread; None if that raises."""
    try:
        return make_tile(request, (), 0, True)
    except Exception:  # conversions may be foreign code, and memory may be short
        return None
