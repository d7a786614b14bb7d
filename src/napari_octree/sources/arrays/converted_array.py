"""An array whose pixels are given in another type: a level that was stored otherwise.

Invariants: the same chunks as the array that it wraps, and read once each; values that the new
type cannot hold become the nearest that it can (NaN becomes 0), never something else.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkGrid, Region, StorageArray


@dataclass(frozen=True, eq=False)
class ConvertedArray:
    """A `StorageArray` of the pixels of another one, as `dtype`."""

    array: StorageArray
    dtype: np.dtype

    is_computed = False

    @cached_property
    def key(self) -> Hashable:
        """That of the array, and the type."""
        return ("converted", self.array.key, self.dtype.str)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.array.shape)

    @property
    def in_memory(self) -> bool:
        """Never: converting takes time."""
        return False

    @property
    def source_name(self) -> str:
        """That of the array."""
        return self.array.source_name

    @cached_property
    def group(self) -> SourceGroup:
        """That of the array."""
        return self.array.group

    @property
    def is_remote(self) -> bool:
        """Whether the array is."""
        return self.array.is_remote

    @property
    def fill_value(self) -> object:
        """That of the array, converted."""
        return convert(np.asarray([self.array.fill_value]), self.dtype)[0]

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the chunks of the array."""
        return self.array.grid(hint)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a chunk, and convert it (worker threads only)."""
        block = self.array.read(region)
        return None if block is None else convert(block, self.dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        own = hasattr(self.array, "__getitem__")
        inner: Any = self.array if own else getattr(self.array, "array", self.array)
        return convert(np.asarray(inner[index]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)


def convert(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Pixels as another type; what lies out of its range becomes the nearest it can hold."""
    result: np.ndarray
    if dtype.kind == "b":
        result = pixels != 0
        return result
    if dtype.kind not in "iu" or pixels.dtype.kind == "b":
        with np.errstate(over="ignore"):
            return pixels.astype(dtype)
    limits = np.iinfo(dtype)
    if pixels.dtype.kind in "iu":
        own = np.iinfo(pixels.dtype)
        low, high = max(int(limits.min), int(own.min)), min(int(limits.max), int(own.max))
        result = np.clip(pixels, low, high).astype(dtype)
        return result
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.nan_to_num(np.rint(pixels), nan=0.0, posinf=np.inf, neginf=-np.inf)
        result = np.clip(rounded, float(limits.min), float(limits.max)).astype(dtype)
    # float(2^64 - 1) is 2^64, which no uint64 is: what reached the limit is set, not converted.
    result[rounded >= float(limits.max)] = limits.max
    result[rounded <= float(limits.min)] = limits.min
    return result
