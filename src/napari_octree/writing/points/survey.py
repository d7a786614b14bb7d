"""What has to be known of all points before their trees are planned: bounds, types, categories.

Invariants: a survey of a block is small, and kept; surveys merge in the order of their blocks,
whatever the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_octree.octree.points.point_grid import PointGrid, choose_planes
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.encode_feature import MOST_DISTINCT, encode
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.memory_points import (
    checked_positions,
    planes_of,
    position_dtype,
)
from napari_octree.sources.points.point_blocks import Block


@dataclass(frozen=True)
class Survey:
    """Some points in numbers.

    Attributes
    ----------
    count, valid : int
        Points, and those whose coordinates are finite.
    low, high : tuple of float
        Bounds of these.
    integers : tuple of bool
        Per axis: whether all are whole numbers.
    position_dtype : str
    features : tuple of Feature
    """

    count: int
    valid: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    integers: tuple[bool, ...]
    position_dtype: str
    features: tuple[Feature, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.low)

    def grid(self, planes: tuple[int, ...] | None) -> PointGrid:
        """Choose how space is divided."""
        low, high = np.array(self.low), np.array(self.high)
        if not self.valid:
            low = high = np.zeros(self.ndim)
        wanted = planes_of(planes, self.ndim)
        return PointGrid.of(low, high, choose_planes(low, high, self.valid, self.integers, wanted))


def survey_block(block: Block) -> Survey:
    """Look at the points of a block."""
    positions = checked_positions(block.positions)
    valid = np.isfinite(positions).all(axis=1)
    kept = positions if valid.all() else positions[valid]
    features = []
    for name, values in block.values.items():
        feature, stored = encode(name, values)
        if len(stored) != len(positions):
            raise SourceError(
                f"the feature {name!r} has {len(stored)} values for {len(positions)} points"
            )
        features.append(feature)
    ndim = positions.shape[1]
    low = kept.min(axis=0).tolist() if len(kept) else [np.inf] * ndim
    high = kept.max(axis=0).tolist() if len(kept) else [-np.inf] * ndim
    whole = [bool((kept[:, a] == np.rint(kept[:, a])).all()) for a in range(ndim)]
    return Survey(
        len(positions),
        len(kept),
        tuple(map(float, low)),
        tuple(map(float, high)),
        tuple(whole),
        position_dtype(positions).str,
        tuple(features),
    )


def merge(surveys: Sequence[Survey]) -> Survey:
    """Return the survey of all blocks.

    Raises
    ------
    SourceError
        They have not the same axes or features.
    """
    if not surveys:
        raise SourceError("there are no points")
    first = surveys[0]
    for other in surveys:
        if other.ndim != first.ndim:
            raise SourceError(f"blocks of {first.ndim} and of {other.ndim} axes")
        if [f.name for f in other.features] != [f.name for f in first.features]:
            raise SourceError("blocks have different features")
    columns = zip(*(s.features for s in surveys), strict=True)
    return replace(
        first,
        count=sum(s.count for s in surveys),
        valid=sum(s.valid for s in surveys),
        low=tuple(map(min, zip(*(s.low for s in surveys), strict=True))),
        high=tuple(map(max, zip(*(s.high for s in surveys), strict=True))),
        integers=tuple(map(all, zip(*(s.integers for s in surveys), strict=True))),
        position_dtype=np.result_type(*(s.position_dtype for s in surveys)).str,
        features=tuple(_merged(column) for column in columns),
    )


def _merged(column: Sequence[Feature]) -> Feature:
    first = column[0]
    kinds = {f.is_category for f in column}
    if len(kinds) > 1:
        raise SourceError(f"the feature {first.name!r} is numbers in some blocks, text in others")
    if first.is_category:
        names = dict.fromkeys(name for f in column for name in f.categories or ())
        return replace(first, categories=tuple(names))
    if len({f.time for f in column}) > 1:
        raise SourceError(f"the feature {first.name!r} has times of different units")
    known = [f for f in column if np.isfinite(f.low)]
    low = min((f.low for f in known), default=np.nan)
    high = max((f.high for f in known), default=np.nan)
    distinct = None
    if all(f.distinct is not None for f in known) and known and high - low < MOST_DISTINCT:
        distinct = tuple(dict.fromkeys(v for f in known for v in f.distinct or ()))
    dtype = np.result_type(*(f.dtype for f in column))
    return replace(first, dtype=dtype, low=low, high=high, distinct=distinct)


def records_of(block: Block, first: int, survey: Survey, dtype: np.dtype) -> np.ndarray:
    """Return the points of a block that are finite, with all columns.

    Parameters
    ----------
    block : Block
    first : int
        The number of its first point in the whole set.
    survey : Survey
        Of the whole set.
    dtype : numpy.dtype
        As `record_dtype` makes it, of `position`, `index` and all features in their order.
    """
    positions = checked_positions(block.positions)
    rows = np.flatnonzero(np.isfinite(positions).all(axis=1))
    records = np.empty(len(rows), dtype)
    position, index, *columns = dtype.names or ()
    records[position] = positions[rows]
    records[index] = rows + first
    for feature, column in zip(survey.features, columns, strict=True):
        own, stored = encode(feature.name, block.values[feature.name])
        if feature.categories is not None:
            places = {name: i for i, name in enumerate(feature.categories)}
            lookup = np.array([*(places[name] for name in own.categories or ()), -1])
            stored = lookup[stored]
        records[column] = stored[rows]
    return records
