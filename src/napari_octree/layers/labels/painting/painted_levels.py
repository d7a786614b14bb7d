"""PaintedLevels, PaintedArray: a layer's levels, or its only one, which napari's tools paint on.

Invariants: indexed by a number it is the list of the levels as they were given, which nobody
writes to; indexed by slices (as arrays are) it is level 0 with the edits. Main thread; what is
not in memory is read by workers meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from napari_octree.layers._napari import OctreeLevels
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.sources.protocol import Region

MOST_PIXELS = 2**28
"""That can be asked for at once."""


class PaintedLevels(OctreeLevels, NDArrayOperatorsMixin):
    """Levels with edits, once `paint_on` has named them.

    One level in memory can be compared and calculated with as stock's array can.
    """

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return super().__eq__(other) if self._array is None else self._array == other

    def __ne__(self, other: object) -> Any:
        return super().__ne__(other) if self._array is None else self._array != other

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        arrays = [np.asarray(i) if isinstance(i, PaintedLevels) else i for i in inputs]
        return getattr(ufunc, method)(*arrays, **keywords)

    def paint_on(
        self,
        edits: LabelEdits,
        at_hand: Callable[[Region], bool],
        on_edit: Callable[[Region], None],
    ) -> None:
        """Have pixels come from, and go to, some edits.

        Parameters
        ----------
        edits : LabelEdits
        at_hand : callable
            Brings a region's chunks into the edits; says whether all are there.
        on_edit : callable
            Gets the regions that have changed.
        """
        self._edits = edits
        self._at_hand = at_hand
        self._on_edit = on_edit

    @property
    def edits(self) -> LabelEdits | None:
        """What was painted on them."""
        return getattr(self, "_edits", None)

    @property
    def _array(self) -> np.ndarray | None:
        """The only level, if it is in memory, with the edits."""
        array = super()._array
        if array is None or not self._edits:
            return array
        return self._edits.onto(array, [np.arange(n) for n in array.shape])

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, tuple):
            return super().__getitem__(index)
        region, inside = self._located(index)
        return self._read(region)[inside]

    def __setitem__(self, index: tuple[Any, ...], value: Any) -> None:
        region, inside = self._located(index)
        if all(isinstance(i, slice) and i.step == 1 for i in inside):
            pixels = value  # all of the region: there is nothing to keep
            self._bring(region)
        else:
            pixels = self._read(region)
            pixels[inside] = value
        changed = self._edits.write(region, pixels)
        if changed is not None:
            self._on_edit(changed)

    def _read(self, region: Region) -> np.ndarray:
        self._bring(region)
        return self._edits.read(region)

    def _bring(self, region: Region) -> None:
        pixels = math.prod(stop - start for start, stop in region)
        if pixels > MOST_PIXELS:
            raise ValueError(
                f"{pixels:,} pixels at once are too many; index a part, or see layer.level(0)"
            )
        if not self._at_hand(region):
            raise LookupError(f"the labels of {region} could not be loaded")

    def _located(self, index: tuple[Any, ...]) -> tuple[Region, tuple[Any, ...]]:
        """The region that holds an index, and the index in it."""
        region: list[tuple[int, int]] = []
        inside: list[Any] = []
        index = (*index, *[slice(None)] * (len(self.shape) - len(index)))
        for i, n in zip(index, self.shape, strict=True):
            if isinstance(i, slice):
                start, stop, step = i.indices(n)
                stop = max(start, stop)
                region.append((start, stop))
                inside.append(slice(0, stop - start, step))
                continue
            places = np.asarray(i)
            places = np.where(places < 0, places + n, places)
            if places.size and (places.min() < 0 or places.max() >= n):
                raise IndexError(f"index {i} is out of bounds for an axis of {n} pixels")
            low = int(places.min()) if places.size else 0
            region.append((low, (int(places.max()) if places.size else 0) + 1))
            inside.append(places - low if places.ndim else int(places) - low)
        return tuple(region), tuple(inside)


class PaintedArray(NDArrayOperatorsMixin):
    """One array with what was painted above it, as `data` of a stock layer is one array.

    Parameters
    ----------
    levels : PaintedLevels
        Of one level.
    """

    __hash__ = object.__hash__

    def __init__(self, levels: PaintedLevels) -> None:
        self.levels = levels

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(int(n) for n in self.levels.shape)

    @property
    def dtype(self) -> np.dtype:
        """Of the labels."""
        return np.dtype(self.levels.dtype)

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

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        places = self._places(index)
        return np.asarray(self)[index] if places is None else self.levels[places]

    def __setitem__(self, index: Any, value: Any) -> None:
        places = self._places(index)
        if places is None:
            numbers = np.arange(self.size).reshape(self.shape)[index]
            places = np.unravel_index(numbers, self.shape)
        self.levels[places] = value

    def _places(self, index: Any) -> tuple[Any, ...] | None:
        """An index of an integer, slice or array of integers for each axis; None: any other."""
        index = index if isinstance(index, tuple) else (index,)
        if any(i is Ellipsis for i in index):
            at = next(n for n, i in enumerate(index) if i is Ellipsis)
            missing = self.ndim - len(index) + 1
            index = (*index[:at], *[slice(None)] * missing, *index[at + 1 :])
        for i in index:
            is_backward = isinstance(i, slice) and i.step is not None and i.step < 0
            if i is None or is_backward or np.asarray(i).dtype == bool:
                return None
        return index if len(index) <= self.ndim else None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        held = self.levels._array
        pixels = self.levels[(slice(None),) * self.ndim] if held is None else held
        return np.asarray(pixels, dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        arrays = [np.asarray(i) if isinstance(i, PaintedArray) else i for i in inputs]
        return getattr(ufunc, method)(*arrays, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "levels":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)
