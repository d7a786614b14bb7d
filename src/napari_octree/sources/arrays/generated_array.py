"""Arrays that hold nothing: pixels are computed when they are sliced.

Invariants: slicing follows numpy for integers, slices and the ellipsis; only the pixels asked for
are computed, in the thread that asks.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.arrays.full_index import full_index
from napari_octree.sources.protocol import StorageArray


@dataclass(frozen=True, eq=False, repr=False)
class GeneratedArray:
    """An array whose pixels a function makes.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : numpy.dtype
    chunks : tuple of int
        The shape in which it is best asked for; () if any will do.
    compute : callable
        Takes a `range` of pixels per axis, gives an array of their lengths.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...]
    compute: Callable[[tuple[range, ...]], np.ndarray]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Compute pixels."""
        ranges: list[range] = []
        single: list[slice | int] = []
        for i, n in zip(full_index(index, self.ndim), self.shape, strict=True):
            if isinstance(i, slice):
                ranges.append(range(n)[i])
                single.append(slice(None))
            else:
                pixel = range(n)[operator.index(i)]
                ranges.append(range(pixel, pixel + 1))
                single.append(0)
        pixels = self.compute(tuple(ranges))
        return pixels[tuple(single)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<{self.name}, {' × '.join(map(str, self.shape))}, {self.dtype}>"


def read_ranges(storage: StorageArray, ranges: tuple[range, ...]) -> np.ndarray:
    """Read pixels of a `StorageArray` as a `GeneratedArray` computes them (may block)."""
    shape = tuple(len(r) for r in ranges)
    if 0 in shape:
        return np.empty(shape, storage.dtype)
    region = tuple((min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges)
    block = storage.read(region)
    if block is None:
        return np.full(shape, storage.fill_value, storage.dtype)
    index = (np.array(r) - low for r, (low, _) in zip(ranges, region, strict=True))
    result: np.ndarray = block[np.ix_(*index)]
    return result
