"""How a mosaic is cut into chunks.

Invariants: pure functions of metadata. Where fields lie on a lattice, a chunk of the mosaic is one
chunk of one field, or a part of a gap. Elsewhere chunks are boxes of one shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.protocol import ChunkGrid

COARSE_CHUNK = 160
"""Pixels a side, at most, of what is read of a coarse level at once: the fields of a few wells.

Each costs a thread of the loader; their fields are fetched side by side."""


def field_grid(
    shape: Sequence[int], places: Places, chunk: Sequence[int]
) -> IrregularGrid | RegularGrid:
    """Return the grid of a level that the fields have stored.

    Parameters
    ----------
    shape : sequence of int
        Of the mosaic at this level.
    places : Places
        At this level.
    chunk : sequence of int
        Shape of a field's chunks at this level.
    """
    if not places.are_a_lattice:
        return RegularGrid(
            tuple(shape), tuple(min(c, n) for c, n in zip(chunk, shape, strict=True))
        )
    return IrregularGrid(
        tuple(
            tuple(_edges(places.intervals(axis).tolist(), n, c))
            for axis, (n, c) in enumerate(zip(shape, chunk, strict=True))
        )
    )


def coarse_grid(shape: Sequence[int], chunk: Sequence[int], pitch: Sequence[int]) -> ChunkGrid:
    """Return the grid of a level that is made from a coarser than stored picture of each field.

    Parameters
    ----------
    shape : sequence of int
        Of the mosaic at this level.
    chunk : sequence of int
        Shape of a field's chunks; counts for all axes but the last two.
    pitch : sequence of int
        Pixels of this level between two wells, per axis; 0 where there is no such rule.
    """
    ndim = len(shape)
    sides = []
    for axis, (n, c, p) in enumerate(zip(shape, chunk, pitch, strict=True)):
        side = c if axis < ndim - 2 else p * max(COARSE_CHUNK // p, 1) if p else COARSE_CHUNK
        sides.append(max(min(side, n), 1))
    return RegularGrid(tuple(shape), tuple(sides))


def _edges(intervals: Sequence[tuple[int, int]], size: int, chunk: int) -> Iterator[int]:
    """Yield 0, then the ends of chunks and gaps along an axis."""
    yield 0
    end = 0
    for start, stop in intervals:
        if start >= size:
            break
        if start > end:
            yield start
        yield from range(start + chunk, min(stop, size), chunk)
        end = min(stop, size)
        yield end
    if end < size:
        yield size
