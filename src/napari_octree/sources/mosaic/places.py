"""Where the images of a mosaic lie.

Invariants: immutable, metadata only; boxes are half-open, in pixels of the mosaic's finest level;
where two overlap, the first in the list is on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from napari_octree.sources.protocol import Region


@dataclass(frozen=True, eq=False)
class Places:
    """The boxes of a mosaic's images (its fields).

    Attributes
    ----------
    boxes : (n, ndim, 2) int64
        Start and stop of each field along each axis.
    names : sequence of str
        What a person calls each field ("B/03 field 2").
    """

    boxes: np.ndarray
    names: Sequence[str] = field(repr=False)

    def __post_init__(self) -> None:
        if self.boxes.ndim != 3 or self.boxes.shape[2] != 2:
            raise ValueError(f"boxes of shape {self.boxes.shape} are not (fields, axes, 2)")
        if len(self.names) != len(self.boxes):
            raise ValueError(f"{len(self.names)} names for {len(self.boxes)} fields")

    def __len__(self) -> int:
        return len(self.boxes)

    @cached_property
    def sizes(self) -> list[tuple[int, ...]]:
        """Pixels of each field along each axis."""
        return list(map(tuple, (self.boxes[:, :, 1] - self.boxes[:, :, 0]).tolist()))

    def at_level(self, factors: Sequence[int]) -> Places:
        """Return the same places in pixels of a level; starts are rounded to whole pixels."""
        f = np.asarray(factors, np.int64)
        starts = self.boxes[:, :, 0]
        sizes = -(-(self.boxes[:, :, 1] - starts) // f)
        starts = (starts + f // 2) // f
        return Places(np.stack([starts, starts + sizes], axis=2), self.names)

    def find(self, region: Region) -> np.ndarray:
        """Return the numbers of the fields that touch a box, in the order of the list."""
        if not len(self.boxes):
            return np.zeros(0, np.int64)
        first, last = self._sorted_starts
        # The last axis but one is searched, the others are compared.
        start, stop = region[-2]
        low = np.searchsorted(first, start - self._longest, side="right")
        candidates = last[low : np.searchsorted(first, stop, side="left")]
        box = np.asarray(region, np.int64)
        boxes = self.boxes[candidates]
        touching = ((boxes[:, :, 0] < box[:, 1]) & (boxes[:, :, 1] > box[:, 0])).all(axis=1)
        return np.sort(candidates[touching])

    def name_at(self, point: Sequence[float]) -> str | None:
        """Return the name of the field under a point (pixels of the finest level), if any."""
        number = self.number_at(point)
        return None if number is None else self.names[number]

    def number_at(self, point: Sequence[float]) -> int | None:
        """Return the number of the field under a point, as `name_at` does its name."""
        found = self.find(tuple((int(np.floor(p)), int(np.floor(p)) + 1) for p in point))
        return int(found[0]) if len(found) else None

    @cached_property
    def are_a_lattice(self) -> bool:
        """Whether no two fields overlap, and rows and columns of fields are in line."""
        return all(self._intervals_are_apart(axis) for axis in range(self.boxes.shape[1]))

    def intervals(self, axis: int) -> np.ndarray:
        """Return the different (start, stop) of the fields along an axis, in order."""
        # Several times as fast as `np.unique` of rows, which has to be asked for every level.
        starts, stops = self.boxes[:, axis, 0], self.boxes[:, axis, 1]
        ordered = self.boxes[np.lexsort((stops, starts)), axis]
        is_new = np.ones(len(ordered), bool)
        is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        found: np.ndarray = ordered[is_new]
        return found

    def _intervals_are_apart(self, axis: int) -> bool:
        intervals = self.intervals(axis)
        return bool((intervals[1:, 0] >= intervals[:-1, 1]).all())

    @cached_property
    def _sorted_starts(self) -> tuple[np.ndarray, np.ndarray]:
        starts = self.boxes[:, -2, 0]
        order = np.argsort(starts, kind="stable")
        return starts[order], order

    @cached_property
    def _longest(self) -> int:
        sizes = self.boxes[:, -2, 1] - self.boxes[:, -2, 0]
        return int(sizes.max(initial=0))
