"""How large the tiles of an image are, where nobody asks for a size.

Invariants: metadata only; nothing here reads. A tile is made of whole storage chunks or is a part
of one, as far as chunks are squares: then no chunk is waited for by tiles that show little of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from napari_octree.loading.at_hand import region_is_at_hand
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.protocol import LevelSource, Region, ShowsMany

TILE_SIZE = 256
"""Texels a side of a tile, where chunks do not say better."""

LEAST_SIDE, MOST_TILE_SIDE = 192, 512
"""Of a tile that follows chunks: smaller ones are too many, larger ones show too late."""


def tile_side(source: LevelSource, displayed: Sequence[int]) -> int:
    """Texels a side of the tiles of an image.

    Parameters
    ----------
    source : LevelSource
        Its finest level.
    displayed : (row, column)
        Axes of the source.
    """
    sides = _chunk_sides(source, displayed)
    if sides is None or sides[0] != sides[1]:
        return TILE_SIZE
    side = sides[0]
    if side < LEAST_SIDE:
        return side * max(round(TILE_SIZE / side), 1)
    parts = math.ceil(side / MOST_TILE_SIDE)
    return side // parts if side % parts == 0 else TILE_SIZE


def _chunk_sides(source: LevelSource, displayed: Sequence[int]) -> tuple[int, int] | None:
    """Rows and columns of the chunks of a store; None where it has no equal ones of its own."""
    if source.storage.in_memory:
        return None
    grid = source.storage.grid((TILE_SIZE,) * len(source.storage.shape))
    if not isinstance(grid, RegularGrid):
        return None
    chunk = [n for n, fixed in zip(grid.chunk_shape, source.fixed, strict=True) if fixed is None]
    shape = source.shape
    rows, columns = (chunk[axis] for axis in displayed)
    # A chunk that holds all of an axis says nothing of how the store is cut.
    whole = any(chunk[axis] >= shape[axis] for axis in displayed)
    return None if whole else (rows, columns)


def best_shown_at_once(source: LevelSource) -> tuple[int, ...] | None:
    """Pixels per axis that an array asks to be shown at once; None if it does not care."""
    storage = source.storage
    shape = storage.best_shown_at_once if isinstance(storage, ShowsMany) else None
    if shape is None:
        return None
    return tuple(n for n, fixed in zip(shape, source.fixed, strict=True) if fixed is None)


def is_one_piece(source: LevelSource, region: Region) -> bool:
    """Whether a region of a level is there at once: copied from memory, or read as one chunk."""
    if region_is_at_hand(source, region):
        return True
    if source.storage.in_memory:
        return False
    grid = source.storage.grid(tuple(source.storage.shape))
    return len(list(islice(grid.indices(source.storage_region(region)), 2))) == 1
