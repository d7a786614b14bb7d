"""GivenPoints: what a person passes as points, and what is shown of it at once.

Invariants: immutable; `first` reads a few thousand points in memory, `whole` all of them, in a
worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_octree.config import OctreeConfig
from napari_octree.sources.arrays.sliced_array import is_memory_mapped
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.memory_points import (
    checked_positions,
    first_sample,
    index_points,
)
from napari_octree.sources.points.points_source import PointsSource

AT_ONCE = 50_000
"""So many points get their trees in the main thread: that takes less than a frame or two."""

NOT_IN_MEMORY = (
    "{name}: only points in memory are indexed here. Build an index of these first, with "
    "napari-octree build POINTS DST or napari_octree.build_points, and open that."
)


@dataclass(frozen=True, eq=False)
class GivenPoints:
    """A set of points.

    Attributes
    ----------
    positions : (N, ndim) array
    values : {feature: (N,) array-like}
    planes : tuple of int or None
    source : PointsSource or None
        A set that has its trees already.
    config : OctreeConfig or None
        Of the layer that this is copied from.
    """

    positions: np.ndarray | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    planes: tuple[int, ...] | None = None
    source: PointsSource | None = None
    config: OctreeConfig | None = None

    @classmethod
    def of(cls, source: Any, features: Any, planes: tuple[int, ...] | None) -> GivenPoints:
        """Take what a person passed.

        Raises
        ------
        SourceError
        """
        if isinstance(source, GivenPoints):
            return source
        if isinstance(source, PointsSource):
            _refuse_one_axis(source.ndim)
            return cls(source=source)
        if source is None:
            source = np.zeros((0, 2))
        if not isinstance(source, np.ndarray | list | tuple) and not hasattr(source, "to_numpy"):
            raise SourceError(NOT_IN_MEMORY.format(name=type(source).__name__))
        if hasattr(source, "to_numpy"):
            source = source.to_numpy()
        positions = checked_positions(source)
        _refuse_one_axis(positions.shape[1])
        values = {} if features is None else {str(k): features[k] for k in features}
        for name, column in values.items():
            if len(column) != len(positions):
                raise SourceError(
                    f"the feature {name!r} has {len(column)} values for {len(positions)} points"
                )
        return cls(positions, values, planes)

    def with_sizes(self, size: Any) -> tuple[GivenPoints, Any]:
        """Take sizes of single points for a feature, and return its name in their place."""
        if isinstance(size, str) or np.ndim(size) == 0:
            return self, size
        distinct = np.unique(np.asarray(size, float))
        if len(distinct) == 1:
            return self, float(distinct[0])
        if self.positions is None or len(size) != len(self.positions):
            raise TypeError("sizes of single points need as many points in memory")
        if "size" in self.values:
            raise TypeError("there is a feature 'size': name it as the size")
        values = {**self.values, "size": np.asarray(size, np.float32)}
        return replace(self, values=values), "size"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Positions in memory, as who makes a stock layer of a copy's data takes them."""
        if self.positions is None:
            raise SourceError(
                "these points are where they are stored: extract a region as Points to have some "
                "of them in a stock layer"
            )
        return np.array(self.positions, dtype, copy=copy)

    def __len__(self) -> int:
        if self.positions is not None:
            return len(self.positions)
        return 0 if self.source is None else self.source.total

    def __deepcopy__(self, memo: dict[int, Any]) -> GivenPoints:
        return self  # nobody writes to it: a copy of a layer shows the same points

    @property
    def is_first_complete(self) -> bool:
        """Whether `first` is all there is."""
        return self.source is not None or (
            self.positions is not None and len(self.positions) <= AT_ONCE and not self._is_mapped
        )

    @property
    def _is_mapped(self) -> bool:
        return self.positions is not None and is_memory_mapped(self.positions)

    def first(self) -> PointsSource:
        """Return what can be shown at once."""
        if self.source is not None:
            return self.source
        assert self.positions is not None
        if self.is_first_complete:
            return self.whole()
        if self._is_mapped:  # the main thread reads no file
            none = np.zeros((0, self.positions.shape[1]))
            return first_sample(none, {name: np.zeros(0) for name in self.values})
        return first_sample(self.positions, self.values)

    def whole(self) -> PointsSource:
        """Return all of it (takes its time; a worker's work)."""
        if self.source is not None:
            return self.source
        assert self.positions is not None
        return index_points(self.positions, self.values, self.planes)


def _refuse_one_axis(ndim: int) -> None:
    """Raise where napari could not place a layer."""
    if ndim < 2:
        raise SourceError("points of one axis cannot be shown: give them a second one, of zeros")
