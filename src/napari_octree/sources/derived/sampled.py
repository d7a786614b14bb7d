"""Coarser levels of a store that is too large to be read whole: made of a sample of its chunks.

Invariants: a block of such a level (a cell) is made of the one storage chunk at its centre,
whatever the size of the image, so that what a view reads is bounded; what that chunk covers is
reduced and lies where it belongs, and the rest of the cell repeats its nearest pixel; along axes
that are not reduced nothing is sampled: a pixel is of its own slice and colour.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.derived.reduced_array import ReducedArray
from napari_octree.sources.derived.reduction import Reduction, reduced
from napari_octree.sources.protocol import BlockStore, ChunkGrid, LevelSource, Region

CHUNKS_PER_TILE = 64
"""Read for a tile of a sampled level: eight a side in two dimensions, four in three."""

MOST_CHUNKS, MOST_PIXELS = 1024, 2**28
"""A plane of no more than both is read whole: seconds from a local disk."""


@dataclass(frozen=True, eq=False)
class SampledArray(ReducedArray):
    """A `StorageArray` with a pixel for each box of `factors` pixels, from a sample of them.

    Attributes
    ----------
    source : LevelSource
        A level that is stored.
    factors : tuple of int
        Pixels of `source` per pixel, axis by axis; at least 1.
    cell : tuple of int
        Pixels that are made of one storage chunk.
    tile : tuple of int
        What a store without chunks of its own is read by; 1 along sliders.
    blocks : BlockStore, optional
        Where chunks of the store are looked for, and kept.
    reduction : {"mean", "nearest", "mode"}
        As of a `DownsampledArray`.
    """

    cell: tuple[int, ...]
    tile: tuple[int, ...]
    blocks: BlockStore | None = field(default=None, repr=False)
    reduction: Reduction = "mean"

    @cached_property
    def key(self) -> Hashable:
        """That of the source, and how it is sampled."""
        below = (self.source.storage.key, self.source.fixed)
        return ("sampled", below, self.factors, self.cell, self.reduction)

    @property
    def source_name(self) -> str:
        """Name of the source, and the factors."""
        factors = "×".join(map(str, self.factors))
        return f"{self.source.storage.source_name} / {factors} sampled"

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the cells, whatever the hint."""
        return RegularGrid(self.shape, self.cell)

    def read(self, region: Region) -> np.ndarray | None:
        """Read the chunk at the centre of a cell; None if it is not stored."""
        centre = [
            min((start + stop) * f // 2, n - 1)
            for (start, stop), f, n in zip(region, self.factors, self.source.shape, strict=True)
        ]
        boxes = _chunk_at(self.source, tuple((i, i + 1) for i in centre), self.tile)
        sampled = [
            extent if f == 1 else box
            for extent, box, f in zip(region, boxes, self.factors, strict=True)
        ]
        pixels = read_region(self.source, tuple(sampled), self.blocks, self.tile)
        if pixels is None:
            return None
        pixels = reduced(pixels, self.factors, self.reduction)
        for axis, ((start, stop), (first, _), f) in enumerate(
            zip(region, sampled, self.factors, strict=True)
        ):
            if f > 1:
                places = (np.arange(start, stop) * f + f // 2 - first) // f
                pixels = pixels.take(np.clip(places, 0, pixels.shape[axis] - 1), axis)
        return pixels


def sampled_level(
    source: LevelSource,
    factors: tuple[int, ...],
    displayed: Collection[int],
    tile: tuple[int, ...],
    blocks: BlockStore | None = None,
    reduction: Reduction = "mean",
) -> SampledArray | None:
    """Sample a level if it has to be, or return None where it can be read whole.

    Parameters
    ----------
    source : LevelSource
        A level that is stored; a mosaic is never sampled, as a chunk of it is of one image only.
    factors : tuple of int
    displayed : collection of int
        The axes on the canvas.
    tile : tuple of int
        Shape of a tile over all axes; 1 along sliders.
    blocks : BlockStore, optional
    reduction : {"mean", "nearest", "mode"}
    """
    if not getattr(source.storage, "samples_fairly", True):
        return None
    first = tuple((0, 1) for _ in source.shape)
    chunk = [stop - start for start, stop in _chunk_at(source, first, tile)]
    most = round(CHUNKS_PER_TILE ** (1 / len(displayed)))
    cell = list(tile)
    chunks, pixels, below = 1, 1, 1.0
    for axis in displayed:
        n, f, c = source.shape[axis], factors[axis], chunk[axis]
        across = tile[axis] * f / c
        chunks *= -(-n // c)
        pixels *= n
        below *= max(across, 1)
        cell[axis] = max(math.ceil(across / most) * c // f, 1)
    if (chunks <= MOST_CHUNKS and pixels <= MOST_PIXELS) or below <= CHUNKS_PER_TILE:
        return None
    return SampledArray(source, factors, tuple(cell), tile, blocks, reduction)


def _chunk_at(source: LevelSource, pixel: Region, hint: tuple[int, ...]) -> Region:
    """Return the storage chunk that holds a pixel, without the fixed axes."""
    storage = source.storage
    grid = storage.grid(source.storage_shape(hint))
    box = grid.region(next(iter(grid.indices(source.storage_region(pixel)))))
    return tuple(extent for extent, fixed in zip(box, source.fixed, strict=True) if fixed is None)
