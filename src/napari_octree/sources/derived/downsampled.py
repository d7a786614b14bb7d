"""Coarser levels that nobody stored, computed from the level below when they are read.

Invariants: reading one block reads the pixels below it and no others, and none that `blocks`
holds; pixels are made as `reduction` says.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from time import perf_counter

import numpy as np

from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.derived.reduced_array import ReducedArray
from napari_octree.sources.derived.reduction import Reduction, reduced
from napari_octree.sources.protocol import (
    BlockStore,
    ChunkGrid,
    ChunkId,
    LevelSource,
    Region,
    StorageArray,
)


@dataclass(frozen=True, eq=False)
class DownsampledArray(ReducedArray):
    """A `StorageArray` with a pixel for each box of `factors` pixels of `source`.

    Attributes
    ----------
    source : LevelSource
        The level below.
    factors : tuple of int
        Pixels of `source` per pixel, axis by axis; at least 1.
    reduction : {"mean", "nearest", "mode"}
        "mean" averages the box in float64 and rounds to the type; "nearest" takes the pixel
        at the box's centre, for labels and for what is in memory: no other pixel is touched
        there; "mode" takes the most frequent value, for labels.
    blocks : BlockStore, optional
        Where chunks below are looked for, and kept.
    chunk : tuple of int, optional
        Shape of the blocks, whatever the hint: so that the level above, which is computed
        from this one, asks for the same blocks as the tiles do.
    upper : bool
        Of two pixels at the centre "nearest" takes the upper one. Where levels are made of one
        another, every second one should: always the lower ones would end up at the corner.
    """

    reduction: Reduction = "mean"
    blocks: BlockStore | None = field(default=None, repr=False)
    chunk: tuple[int, ...] | None = None
    upper: bool = False

    def __post_init__(self) -> None:
        if len(self.factors) != len(self.source.shape) or min(self.factors) < 1:
            raise ValueError(f"factors {self.factors} do not fit an array of {self.source.shape}")

    @cached_property
    def key(self) -> Hashable:
        """That of the source, and how it is reduced."""
        below = (self.source.storage.key, self.source.fixed)
        centre = ("upper",) if self.upper else ()
        return ("downsampled", below, self.factors, self.reduction, *centre)

    @property
    def source_name(self) -> str:
        """Name of the source, and the factors."""
        return f"{self.source.storage.source_name} / {'×'.join(map(str, self.factors))}"

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return boxes of at least `hint`, and at least a storage chunk of the source.

        So that neighbours along an axis that is not reduced do not read the same chunk again.
        """
        hint = hint if self.chunk is None else self.chunk
        grid = self.source.storage.grid(self.source.storage_shape(hint))
        first = next(grid.indices(tuple((0, 1) for _ in self.source.storage.shape)))
        chunk = [
            stop - start
            for (start, stop), fixed in zip(grid.region(first), self.source.fixed, strict=True)
            if fixed is None
        ]
        return RegularGrid(
            self.shape,
            tuple(max(h, n // f) for h, n, f in zip(hint, chunk, self.factors, strict=True)),
        )

    def read(self, region: Region) -> np.ndarray | None:
        """Read the pixels below a box and reduce them; None where none are stored."""
        below = tuple(
            (start * f, min(stop * f, n))
            for (start, stop), f, n in zip(region, self.factors, self.source.shape, strict=True)
        )
        block = read_region(self.source, below, self.blocks, self.chunk)
        return None if block is None else reduced(block, self.factors, self.reduction, self.upper)


def can_be_strided(storage: StorageArray) -> bool:
    """Whether single pixels cost no more than themselves: memory, or a file mapped into it."""
    return storage.in_memory or isinstance(getattr(storage, "array", None), np.ndarray)


def read_region(
    source: LevelSource,
    region: Region,
    blocks: BlockStore | None = None,
    hint: tuple[int, ...] | None = None,
) -> np.ndarray | None:
    """Read any region of a level, chunk by chunk (worker threads only).

    Parameters
    ----------
    source, region
    blocks : BlockStore, optional
        Chunks at hand, which are not read again.
    hint : tuple of int, optional
        Chunk shape where the source has none of its own; default: the region's.

    Returns
    -------
    numpy.ndarray or None
        None if the store holds none of its chunks.
    """
    storage = source.storage
    wanted = source.storage_region(region)
    sizes = tuple(stop - start for start, stop in wanted)
    if can_be_strided(storage):
        block = storage.read(wanted)
        return None if block is None else source.drop_fixed(block)
    result: np.ndarray | None = None
    grid = storage.grid(sizes if hint is None else source.storage_shape(hint))
    if isinstance(grid, RegularGrid):
        only = _only_chunk(grid, wanted)
        if only is not None:
            block = _read_chunk(storage, only[0], blocks)
            return None if block is None else source.drop_fixed(block[only[1]])
    for index in grid.indices(wanted):
        chunk_region = grid.region(index)
        chunk = _read_chunk(storage, chunk_region, blocks)
        if chunk is None:
            continue
        target, part = [], []
        for (start, stop), (first, last) in zip(wanted, chunk_region, strict=True):
            low, high = max(start, first), min(stop, last)
            target.append(slice(low - start, high - start))
            part.append(slice(low - first, high - first))
        pixels = chunk[tuple(part)]
        if pixels.shape == sizes:  # nothing else is in the region: a large chunk is not copied
            return source.drop_fixed(pixels)
        if result is None:
            result = np.full(sizes, storage.fill_value, storage.dtype)
        result[tuple(target)] = pixels
    return None if result is None else source.drop_fixed(result)


@lru_cache(maxsize=4096)
def _only_chunk(grid: RegularGrid, wanted: Region) -> tuple[Region, tuple[slice, ...]] | None:
    """Return the chunk that a region lies in, and where; None if there are several.

    Kept: thousands of images in a plate are cut alike, and each is asked for the same region.
    """
    index = tuple(start // n for (start, _), n in zip(wanted, grid.chunk_shape, strict=True))
    within = zip(wanted, index, grid.shape, grid.chunk_shape, strict=True)
    if any(not max(i * n, 0) <= a < b <= min((i + 1) * n, size) for (a, b), i, size, n in within):
        return None
    chunk = grid.region(index)
    cut = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(wanted, chunk, strict=True))
    return chunk, cut


def _read_chunk(
    storage: StorageArray, region: Region, blocks: BlockStore | None
) -> np.ndarray | None:
    if blocks is None:
        return storage.read(region)
    chunk_id = ChunkId(storage.key, region)
    found = blocks.find(chunk_id)
    if found is not None:
        return found[0]
    started = perf_counter()
    pixels = storage.read(region)
    blocks.keep(chunk_id, pixels, perf_counter() - started, storage.group)
    return pixels
