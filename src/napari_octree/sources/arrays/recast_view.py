"""An array whose pixels are given as another type of the same size: bool as uint8.

Invariants: holds no pixels, and copies none: what is read is a view of what the array gave.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkGrid, Region, StorageArray


def recast(array: Any, dtype: Any) -> Any:
    """Return `array` with pixels of `dtype`: itself if they are, a view of an array in memory."""
    wanted = np.dtype(dtype)
    if array.dtype == wanted:
        return array
    if isinstance(array, np.ndarray):
        return array.view(wanted)
    return RecastView(array, wanted)


@dataclass(frozen=True, eq=False, repr=False)
class RecastView:
    """The array `array` with pixels of type `dtype`, which are as large.

    Attributes
    ----------
    array : array-like
        Anything with shape, dtype and slicing.
    dtype : numpy.dtype
    """

    array: Any
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(int(n) for n in self.array.shape)

    @property
    def ndim(self) -> int:
        """Axes of the array."""
        return len(self.array.shape)

    @property
    def size(self) -> int:
        """Pixels."""
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        return np.asarray(self.array[index]).view(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<RecastView of {self.array!r} as {self.dtype}>"


@dataclass(frozen=True, eq=False)
class RecastArray:
    """The `StorageArray` of a `RecastView`: that of its array, but for the type.

    Attributes
    ----------
    storage : StorageArray
    dtype : numpy.dtype
    """

    storage: StorageArray
    dtype: np.dtype

    @cached_property
    def key(self) -> Hashable:
        """That of the array, and the type."""
        return ("recast", self.storage.key, self.dtype.str)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.storage.shape

    @property
    def in_memory(self) -> bool:
        """As the array."""
        return self.storage.in_memory

    @property
    def source_name(self) -> str:
        """Name of the array."""
        return self.storage.source_name

    @cached_property
    def fill_value(self) -> object:
        """That of the array, as the type."""
        return np.asarray(self.storage.fill_value, self.storage.dtype).view(self.dtype)[()]

    @cached_property
    def group(self) -> SourceGroup:
        """That of the array."""
        return self.storage.group

    @property
    def is_remote(self) -> bool:
        """Whether the array is."""
        return self.storage.is_remote

    @property
    def is_computed(self) -> bool:
        """Whether the array is: seeing it as another type is no computation."""
        return self.storage.is_computed

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the chunks of the array."""
        return self.storage.grid(hint)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a box (worker threads only)."""
        block = self.storage.read(region)
        return None if block is None else block.view(self.dtype)
