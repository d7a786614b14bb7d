"""How an array is cut into chunks: grids of equal boxes, and of boxes of any sizes.

Invariants: grids are immutable and hold no pixels; the regions of all chunks fill the array
without overlap; `indices` costs what it yields, whatever the size of the grid. Chunks at the
array's end are clipped to it. An array of size zero has no chunks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, product

from napari_octree.sources.protocol import Region


@dataclass(frozen=True, slots=True)
class RegularGrid:
    """Chunks that all have the same shape, except where the array ends.

    Attributes
    ----------
    shape : tuple of int
        Pixels of the array, per axis.
    chunk_shape : tuple of int
        Pixels of a chunk, per axis; at least 1.
    """

    shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.chunk_shape) or min(self.chunk_shape, default=1) < 1:
            raise ValueError(f"chunks of {self.chunk_shape} do not fit an array of {self.shape}")

    def indices(self, region: Region) -> Iterator[tuple[int, ...]]:
        """Grid indices of the chunks that touch `region`, the last axis fastest."""
        return product(
            *(
                range(max(start, 0) // chunk, -(-min(stop, size) // chunk))
                if max(start, 0) < min(stop, size)
                else ()
                for (start, stop), size, chunk in zip(
                    region, self.shape, self.chunk_shape, strict=True
                )
            )
        )

    def region(self, index: tuple[int, ...]) -> Region:
        """Return the box of chunk `index`, clipped to the array.

        Raises
        ------
        IndexError
            There is no such chunk.
        """
        box = tuple(
            (i * chunk, min((i + 1) * chunk, size))
            for i, size, chunk in zip(index, self.shape, self.chunk_shape, strict=True)
        )
        if any(start < 0 or start >= stop for start, stop in box):
            raise IndexError(f"no chunk {index} in an array of {self.shape}")
        return box


@dataclass(frozen=True, slots=True)
class IrregularGrid:
    """Chunks whose boundaries are given axis by axis, as dask's are.

    Attributes
    ----------
    boundaries : tuple of tuple of int
        Per axis: 0, then the end of each chunk; never falling. Chunks of size zero keep their
        index but are in no region.
    """

    boundaries: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        for axis, edges in enumerate(self.boundaries):
            if edges[0] != 0 or any(a > b for a, b in pairwise(edges)):
                raise ValueError(f"chunk boundaries of axis {axis} are not in order from 0")

    @classmethod
    def from_sizes(cls, sizes: Iterable[Sequence[int]]) -> IrregularGrid:
        """Make a grid from the sizes of chunks, axis by axis (dask's `chunks`)."""
        return cls(tuple(tuple(accumulate((int(n) for n in axis), initial=0)) for axis in sizes))

    def indices(self, region: Region) -> Iterator[tuple[int, ...]]:
        """Grid indices of the chunks that touch `region`, the last axis fastest."""
        return product(
            *(
                [
                    i
                    for i in range(
                        max(bisect_right(edges, max(start, 0)) - 1, 0),
                        min(bisect_left(edges, stop), len(edges) - 1),
                    )
                    if edges[i + 1] > edges[i] and stop > start
                ]
                for (start, stop), edges in zip(region, self.boundaries, strict=True)
            )
        )

    def region(self, index: tuple[int, ...]) -> Region:
        """Return the box of chunk `index`.

        Raises
        ------
        IndexError
            There is no such chunk, or it is empty.
        """
        box = tuple(
            (edges[i], edges[i + 1]) if 0 <= i < len(edges) - 1 else (0, 0)
            for i, edges in zip(index, self.boundaries, strict=True)
        )
        if any(start == stop for start, stop in box):
            raise IndexError(f"no chunk {index} in a grid with boundaries {self.boundaries}")
        return box


def grid_from_chunks(shape: tuple[int, ...], chunks: object) -> RegularGrid | IrregularGrid | None:
    """Make the grid of an array's `chunks` attribute: sizes as zarr, h5py or dask give them.

    Returns
    -------
    RegularGrid, IrregularGrid or None
        None if `chunks` says nothing usable about this shape.
    """
    if not isinstance(chunks, Sequence) or len(chunks) != len(shape):
        return None
    try:
        if all(isinstance(axis, Sequence) for axis in chunks):
            if tuple(sum(axis) for axis in chunks) != shape:
                return None
            if all(axis[0] >= axis[-1] and set(axis[:-1]) <= {axis[0]} for axis in chunks):
                return RegularGrid(shape, tuple(int(axis[0]) for axis in chunks))
            return IrregularGrid.from_sizes(chunks)
        return RegularGrid(shape, tuple(int(n) for n in chunks))
    except (TypeError, ValueError, IndexError):
        return None
