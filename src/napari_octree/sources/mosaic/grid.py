"""How a mosaic is cut into chunks.

Invariants: pure functions of metadata. Where fields lie on a lattice, a chunk of the mosaic is one
chunk of one field, or a part of a gap. Elsewhere chunks are boxes of one shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.protocol import ChunkGrid

FIELDS_AT_ONCE = 16
"""Read, and shown, together at levels that show many. Where stores are far, all requests of the
process share one line: the fewer fields a tile waits for, the sooner the first ones show."""
LEAST_SIDE, MOST_SIDE = 64, 256
"""Of a piece, in pixels: each costs a thread of the loader and a place in the atlas."""


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


def coarse_piece(
    factors: Sequence[int], coarsest: Sequence[int], pitch: Sequence[int], per_field: float
) -> tuple[int, int]:
    """Return the rows and columns of what is read and shown at once of a level that nobody stored.

    They are whole wells, as far as wells are small, and as many at all such levels.

    Parameters
    ----------
    factors : (int, int)
        Pixels of the finest level per pixel of this one, along rows and columns.
    coarsest : (int, int)
        The same of the coarsest level.
    pitch : (int, int)
        Pixels of the finest level between two wells; 0 where there is no such rule.
    per_field : float
        Pixels of the finest level per field, gaps included.
    """
    wanted = (FIELDS_AT_ONCE * per_field) ** 0.5
    sides = []
    for f, most, well in zip(factors, coarsest, pitch, strict=True):
        if not 0 < well // f <= MOST_SIDE:
            sides.append(min(max(round(wanted / f), LEAST_SIDE), MOST_SIDE))
            continue
        wells = max(round(wanted / well), -(-LEAST_SIDE * most // well), 1)
        sides.append(min(wells, MOST_SIDE * f // well) * (well // f))
    rows, columns = sides
    return rows, columns


def coarse_grid(shape: Sequence[int], chunk: Sequence[int], piece: Sequence[int]) -> ChunkGrid:
    """Return the grid of a level that is made from a coarser than stored picture of each field.

    Parameters
    ----------
    shape : sequence of int
        Of the mosaic at this level.
    chunk : sequence of int
        Shape of a field's chunks; counts for all axes but the last two.
    piece : (int, int)
        Rows and columns of a chunk.
    """
    sides = (*chunk[:-2], *piece)
    return RegularGrid(
        tuple(shape), tuple(max(min(s, n), 1) for s, n in zip(sides, shape, strict=True))
    )


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
