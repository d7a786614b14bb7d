"""An array with its axes in another order, and perhaps new ones of one pixel.

napari slices by the position of an axis: a picture whose axes are to be shown in another order
than they are stored has to be given in that order.

Invariants: the chunks are those of the array that it wraps, turned; each is read once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkGrid, Region, StorageArray


@dataclass(frozen=True, eq=False)
class ArrangedArray:
    """A `StorageArray` of the pixels of another one.

    Attributes
    ----------
    array : StorageArray
    order : tuple of (int or None)
        Per axis: which of the array's axes it is, each once; None for a new one of one pixel.
    """

    array: StorageArray
    order: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if sorted(self._sources) != list(range(len(self.array.shape))):
            raise ValueError(f"{self.order} is no order of {len(self.array.shape)} axes")

    @property
    def _sources(self) -> list[int]:
        return [axis for axis in self.order if axis is not None]

    @cached_property
    def key(self) -> Hashable:
        """That of the array, and the order."""
        return ("arranged", self.array.key, self.order)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Pixels per axis."""
        return self._arranged(self.array.shape, 1)

    @property
    def dtype(self) -> np.dtype:
        """That of the array."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.order)

    @property
    def in_memory(self) -> bool:
        """Whether the array is."""
        return self.array.in_memory

    @property
    def source_name(self) -> str:
        """That of the array."""
        return self.array.source_name

    @cached_property
    def group(self) -> SourceGroup:
        """That of the array."""
        return self.array.group

    @cached_property
    def is_remote(self) -> bool:
        """Whether the array is."""
        return self.array.is_remote

    @cached_property
    def is_computed(self) -> bool:
        """Whether the array is: what is done to it here costs nothing to speak of."""
        return self.array.is_computed

    @property
    def fill_value(self) -> object:
        """That of the array."""
        return self.array.fill_value

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the chunks of the array, turned."""
        grid = self.array.grid(self._stored(hint))
        if type(grid) is RegularGrid:
            return RegularGrid(self.shape, self._arranged(grid.chunk_shape, 1))
        if type(grid) is IrregularGrid:
            return IrregularGrid(self._arranged(grid.boundaries, (0, 1)))
        return _ArrangedGrid(grid, self)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a chunk, and turn it (worker threads only)."""
        block = self.array.read(self._stored(region))
        return None if block is None else self._turned(block)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        whole = tuple((0, n) for n in self.array.shape)
        index = index if isinstance(index, tuple) else (index,)
        if Ellipsis not in index and all(isinstance(i, slice) for i in index):
            # Only the box that is asked for; steps and turns come after.
            index = index + (slice(None),) * (self.ndim - len(index))
            spans = [i.indices(n) for i, n in zip(index, self.shape, strict=True)]
            if all(step > 0 for _, _, step in spans):
                box = tuple((start, max(start, stop)) for start, stop, _ in spans)
                pixels = self._turned(_load(self.array, self._stored(box)))
                return pixels[tuple(slice(None, None, step) for _, _, step in spans)]
        result: np.ndarray = self._turned(_load(self.array, whole))[index]
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def _arranged(self, values: Any, new: Any) -> tuple[Any, ...]:
        return tuple(new if axis is None else values[axis] for axis in self.order)

    def _stored(self, values: Any) -> tuple[Any, ...]:
        return tuple(values[self.order.index(axis)] for axis in range(len(self.array.shape)))

    def _turned(self, block: np.ndarray) -> np.ndarray:
        turned = block.transpose(self._sources)
        return turned[tuple(None if axis is None else slice(None) for axis in self.order)]


@dataclass(frozen=True)
class _ArrangedGrid:
    """The chunks of a grid of any kind, turned."""

    inner: ChunkGrid
    owner: ArrangedArray

    def indices(self, region: Region) -> Iterator[tuple[int, ...]]:
        for index in self.inner.indices(self.owner._stored(region)):
            yield self.owner._arranged(index, 0)

    def region(self, index: tuple[int, ...]) -> Region:
        return self.owner._arranged(self.inner.region(self.owner._stored(index)), (0, 1))


def _load(array: StorageArray, box: Region) -> np.ndarray:
    # Wrappers of our own are sliced as they are; of an array as its store holds it, the array.
    pixels: Any = array if hasattr(array, "__getitem__") else getattr(array, "array", array)
    return np.asarray(pixels[tuple(slice(*edges) for edges in box)])
