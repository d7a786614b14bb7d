"""One index of one axis of an array, as an array: the channels of an image.

Invariants: holds no pixels; layers made of views of one array share its storage chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.arrays.full_index import full_index


@dataclass(frozen=True, eq=False, repr=False)
class AxisView:
    """The array `array` at `index` of `axis`, without that axis.

    Attributes
    ----------
    array : array-like
        Anything with shape, dtype and slicing.
    axis : int
        May be negative.
    index : int
        May be negative.

    Raises
    ------
    IndexError
        There is no such axis or index.
    """

    array: Any
    axis: int
    index: int

    def __post_init__(self) -> None:
        ndim = len(self.array.shape)
        if not -ndim <= self.axis < ndim:
            raise IndexError(f"an array of shape {self.array.shape} has no axis {self.axis}")
        object.__setattr__(self, "axis", self.axis % ndim)
        size = self.array.shape[self.axis]
        if not -size <= self.index < size:
            raise IndexError(
                f"axis {self.axis} of an array of shape {self.array.shape} has no {self.index}"
            )
        object.__setattr__(self, "index", self.index % size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the axis."""
        shape = tuple(int(n) for n in self.array.shape)
        return shape[: self.axis] + shape[self.axis + 1 :]

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        result: np.dtype = self.array.dtype
        return result

    @property
    def ndim(self) -> int:
        """Axes that are left."""
        return len(self.array.shape) - 1

    @property
    def size(self) -> int:
        """Pixels."""
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        index = full_index(index, self.ndim)
        return np.asarray(self.array[(*index[: self.axis], self.index, *index[self.axis :])])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<AxisView {self.shape} {self.dtype}: index {self.index} of axis {self.axis}>"
