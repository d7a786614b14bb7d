"""Which slice of n-D data is shown, and which tile of which slice: immutable values.

Plain tuples: they are hashed a thousand times per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from napari_octree.octree.chunk_key import ChunkKey


class SliceKey(NamedTuple):
    """One slice of an n-D image.

    Attributes
    ----------
    version : int
        Counts the data of the layer: new data never meets old tiles.
    displayed : tuple of int
        Data axes on the canvas, in the order (…, row, column).
    ranges : tuple of ((int, int) or None)
        Per data axis the half-open range of level-0 pixels that is projected, None where the
        axis is displayed. A thin slice has ranges of length 1.
    projection : str
        How a range longer than 1 becomes one value: 'sum', 'mean', 'max' or 'min'.
    """

    version: int
    displayed: tuple[int, ...]
    ranges: tuple[tuple[int, int] | None, ...]
    projection: str = "mean"

    def position(self, axis: int) -> int:
        """Index at which the slice begins on `axis`, 0 where the axis is displayed."""
        extent = self.ranges[axis]
        return 0 if extent is None else extent[0]

    def axis_to(self, other: SliceKey) -> int | None:
        """The first axis along which `other` lies elsewhere; None if the display differs."""
        if self.displayed != other.displayed:
            return None
        pairs = enumerate(zip(self.ranges, other.ranges, strict=True))
        return next((axis for axis, (own, theirs) in pairs if own != theirs), None)

    def moved(self, axis: int, steps: int, shape: Sequence[int]) -> SliceKey | None:
        """The slice `steps` further along `axis`, or None beyond the data."""
        old = self.ranges[axis]
        if old is None:
            return None
        start, stop = old[0] + steps, old[1] + steps
        if start < 0 or stop > shape[axis]:
            return None
        ranges = (*self.ranges[:axis], (start, stop), *self.ranges[axis + 1 :])
        return SliceKey(self.version, self.displayed, ranges, self.projection)


class TileKey(NamedTuple):
    """A tile (or a brick) wherever those of several slices meet.

    Equal to the plain pair of its fields, with the same hash: lists of hundreds may hold those.

    Attributes
    ----------
    place : SliceKey
        The slice that it is of.
    chunk : ChunkKey
        Where it lies in that slice's octree.
    """

    place: SliceKey
    chunk: ChunkKey
