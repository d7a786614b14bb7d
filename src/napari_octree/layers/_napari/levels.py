"""OctreeLevels: the list of levels that napari takes for a layer's data (napari 0.9.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.layers._multiscale_data import MultiScaleData


class OctreeLevels(MultiScaleData):
    """napari's list of levels, but one that copying does not read.

    napari's Duplicate deep-copies `layer.data` in the GUI thread; levels are sources that
    nobody writes to, so both layers may look at the same ones.

    Parameters
    ----------
    levels : iterable of arrays
    config : OctreeConfig, optional
    level_transforms : sequence of LevelTransform, optional
        What a copy of the layer is to have too. napari's state of a layer is no place for them:
        its actions hand all of it to layers of their own.
    is_single : bool
        The only level was given by itself: a copy's `data` is to be it, too.
    """

    def __init__(
        self,
        levels: Iterable[Any],
        config: Any = None,
        level_transforms: Any = None,
        is_single: bool = False,
    ) -> None:
        # Theirs asks for `size` and `ndim` too, which follow from the shape.
        self._data = list(levels)
        self.config = config
        self.level_transforms = level_transforms
        self.is_single = is_single

    @property
    def size(self) -> int:
        """Pixels of the finest level."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """Axes of each level."""
        return len(self.shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> OctreeLevels:
        return self

    @property
    def _array(self) -> np.ndarray | None:
        """The only level, if it is in memory: nothing needs to be read."""
        alone = len(self._data) == 1 and isinstance(self._data[0], np.ndarray)
        return self._data[0] if alone else None

    def __getitem__(self, key: Any) -> Any:
        """A level; with a tuple the pixels of the only one, as plugins ask stock layers."""
        if isinstance(key, tuple) and self._array is not None:
            return self._array[key]
        return self._data[key]

    def __getattr__(self, name: str) -> Any:
        # What plugins ask of a stock layer's data: astype, max, mean and the like.
        array = self._array if "_data" in self.__dict__ and not name.startswith("_") else None
        if array is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(array, name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._array is not None:
            return np.asarray(self._array, dtype=dtype, copy=copy)
        raise TypeError(
            "an OctreeImage's data is not read as a whole: index one level, e.g. "
            "np.asarray(layer.data[-1])"
        )
