"""Coarser levels of files that are mapped into memory, where each pixel would cost a page.

Invariants: a pixel of such a level is one of the file, of its own slice and colour, and stands
for a few of its neighbours too: for so many that a tile takes no more than `MOST_PAGES` pages of
the file; only where it would take more is a level thinned at all.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_octree.sources.arrays.sliced_array import is_memory_mapped
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.derived.reduced_array import ReducedArray
from napari_octree.sources.protocol import ChunkGrid, LevelSource, Region

MOST_PAGES = 4096
"""Of a file, for a tile: 16 MiB with pages of 4 KiB."""


@dataclass(frozen=True, eq=False)
class ThinnedArray(ReducedArray):
    """A `StorageArray` with a pixel for each box of `factors` pixels, `shared` by several.

    Attributes
    ----------
    source : LevelSource
        Of a mapped array.
    factors : tuple of int
        Pixels of `source` per pixel, axis by axis; at least 1.
    shared : tuple of int
        Pixels of this level that are one and the same pixel of the file, axis by axis.
    """

    shared: tuple[int, ...]

    @cached_property
    def key(self) -> Hashable:
        """That of the source, and how it is thinned."""
        below = (self.source.storage.key, self.source.fixed)
        return ("thinned", below, self.factors, self.shared)

    @property
    def source_name(self) -> str:
        """Name of the source, and the factors."""
        factors = "×".join(map(str, self.factors))
        return f"{self.source.storage.source_name} / {factors} thinned"

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return boxes of shape `hint`."""
        return RegularGrid(self.shape, hint)

    def read(self, region: Region) -> np.ndarray:
        """Take the pixel at the centre of each box that is shared (worker threads only)."""
        places = iter(
            np.minimum(np.arange(start, stop) // s * (s * f) + (s * f - 1) // 2, n - 1)
            for (start, stop), f, s, n in zip(
                region, self.factors, self.shared, self.source.shape, strict=True
            )
        )
        array = mapped_array(self.source)
        assert array is not None
        every = [next(places) if i is None else np.array([i]) for i in self.source.fixed]
        return self.source.drop_fixed(np.asarray(array[np.ix_(*every)], self.dtype))


def thinned_level(
    source: LevelSource,
    factors: tuple[int, ...],
    displayed: Collection[int],
    tile: tuple[int, ...],
    most_pages: int = MOST_PAGES,
) -> ThinnedArray | None:
    """Thin a level if it has to be; None where a pixel of its own for each costs few pages.

    Parameters
    ----------
    source : LevelSource
        A level that is stored; any, but only those of mapped files can be thinned.
    factors : tuple of int
    displayed : collection of int
        The axes on the canvas.
    tile : tuple of int
        Shape of a tile over all axes; 1 along sliders.
    most_pages : int
        For a tile.
    """
    array = mapped_array(source)
    if array is None:
        return None
    of_level = [step for step, i in zip(array.strides, source.fixed, strict=True) if i is None]

    def pages(share: int) -> int:
        """Of a tile, one pixel of which serves `share` a side."""
        apart = sorted(
            (abs(of_level[a]) * factors[a] * share, max(tile[a] // share, 1)) for a in displayed
        )
        number, length = 1, 1  # of runs of pages, and of bytes in a run
        for step, count in apart:
            if step < mmap.PAGESIZE or step <= length:
                length += step * (count - 1)
            else:
                number *= count
        return number * math.ceil(length / mmap.PAGESIZE)

    share = 1
    while pages(share) > most_pages and share < max(tile):
        share *= 2
    if share == 1:
        return None
    shared = tuple(share if a in displayed else 1 for a in range(len(factors)))
    return ThinnedArray(source, factors, shared)


def mapped_array(source: LevelSource) -> np.ndarray | None:
    """Return the array behind a level if it is a file that is mapped into memory."""
    array = getattr(source.storage, "array", None)
    return array if isinstance(array, np.ndarray) and is_memory_mapped(array) else None
