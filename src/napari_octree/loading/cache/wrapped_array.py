"""An array that is another one, read in another way."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from napari_octree.sources.protocol import ChunkGrid, Region, StorageArray


class WrappedArray:
    """A `StorageArray` with everything but `read` taken from another one.

    Parameters
    ----------
    storage : StorageArray
    """

    def __init__(self, storage: StorageArray) -> None:
        self.storage = storage
        self.key = storage.key
        self.shape = storage.shape
        self.dtype = storage.dtype
        self.in_memory = storage.in_memory
        self.source_name = storage.source_name
        self.group = storage.group
        self.is_remote = storage.is_remote
        self.is_computed = storage.is_computed
        self.fill_value = storage.fill_value

    @property
    def version(self) -> str:
        """The array's own; an AttributeError if it has none."""
        result: str = self.storage.version  # type: ignore[attr-defined]
        return result

    def around(self, storage: StorageArray) -> Self:
        """Return the same for another array of equal pixels."""
        twin = copy.copy(self)
        twin.storage = storage
        return twin

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the array's own grid."""
        return self.storage.grid(hint)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a chunk (worker threads only)."""
        return self.storage.read(region)
