"""PaintedLevels: a layer's levels, which napari's tools paint on.

Invariants: indexed by a number it is the list of the levels as they were given, which nobody
writes to; indexed by slices (as arrays are) it is level 0 with the edits. Main thread; what is
not in memory is read by workers meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
