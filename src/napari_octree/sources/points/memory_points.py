"""Points in memory: their trees are made here, their arrays are not copied.

Invariants: `first_sample` costs little however many points there are; `index_points` takes a
second per two million points and belongs in a worker; neither writes to the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.octree.points.density_grid import DensityGrid, DensityPlan
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid, choose_planes
from napari_octree.octree.points.point_tree import QUOTA, build_trees, hashes_of, sample_rows
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import fresh_token
from napari_octree.sources.points.encode_feature import encode
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    SAMPLE,
    PointsSource,
    column_of,
    record_dtype,
)


@dataclass(frozen=True, eq=False)
class MemoryReader:
    """Gathers the points of a node.

    Attributes
    ----------
    positions : (N, ndim) array
    values : dict of str to (N,) array
        By column.
    order : (M,) int64
        The rows of all nodes, one after the other.
    dtype : callable
        The structured type of some columns.
    """

    positions: np.ndarray
    values: Mapping[str, np.ndarray]
    order: np.ndarray
    features: tuple[Feature, ...]

    def read(self, node: int, start: int, stop: int, columns: Sequence[str]) -> np.ndarray:
        """Gather a node's points."""
        return self.gather(self.order[start:stop], columns)

    def gather(self, rows: np.ndarray, columns: Sequence[str]) -> np.ndarray:
        """Gather some rows."""
        ndim, kind = self.positions.shape[1], position_dtype(self.positions)
        block = np.empty(len(rows), record_dtype(ndim, kind, self.features, columns))
        for column in columns:
            if column == POSITION:
                block[column] = self.positions[rows]
            elif column == INDEX:
                block[column] = rows
            else:
                block[column] = self.values[column][rows]
        return block


def position_dtype(positions: np.ndarray) -> np.dtype:
    """Return float32 for what float32 holds, else float64."""
    small = positions.dtype.kind in "iub" and positions.dtype.itemsize <= 2
    single = positions.dtype.kind == "f" and positions.dtype.itemsize <= 4
    return np.dtype(np.float32 if small or single else np.float64)


def checked_positions(positions: Any) -> np.ndarray:
    """Return an array of (N, ndim) numbers.

    Raises
    ------
    SourceError
    """
    array: np.ndarray = np.asanyarray(positions)
    if array.ndim == 1 and not len(array):
        array = array.reshape(0, 2)
    if array.ndim != 2 or array.dtype.kind not in "iubf" or array.shape[1] < 1:
        raise SourceError(
            f"points must be an array of N × axes numbers, not of {array.shape}, {array.dtype}"
        )
    return array


def first_sample(
    positions: np.ndarray, values: Mapping[str, np.ndarray], most: int = QUOTA
) -> PointsSource:
    """Return a source that knows a random sample only, at once.

    Parameters
    ----------
    positions : (N, ndim) array
    values : {feature: (N,) array-like}
    most : int
        Points in the sample.
    """
    n = len(positions)
    if n <= most:
        rows = np.arange(n)
    else:  # with repeats, of which there are few where there are many points
        rows = np.unique(hashes_of(np.arange(most)) % np.uint64(n)).astype(np.int64)
    some = {name: _rows(column, rows) for name, column in values.items()}
    found = index_points(np.asarray(positions[rows]), some, planes=(), most_in_sample=most)
    return PointsSource(
        "points in memory",
        found.table,
        found.features,
        found.sample,
        found.reader,
        n,
        found.key,
        True,
        found.position_dtype,
    )


def _rows(column: Any, rows: np.ndarray) -> Any:
    taken: Any = getattr(column, "iloc", column)
    return taken[rows]


def index_points(
    positions: np.ndarray,
    values: Mapping[str, Any],
    planes: tuple[int, ...] | None = None,
    quota: int = QUOTA,
    most_in_sample: int = SAMPLE,
) -> PointsSource:
    """Make the trees of points in memory.

    Parameters
    ----------
    positions : (N, ndim) array
        Points with a coordinate that is not finite are left out.
    values : {feature: (N,) array-like}
    planes : tuple of int, optional
        Axes whose planes get trees of their own; default: see `choose_planes`.
    quota : int
        Points of an inner node.
    most_in_sample : int
        Points of all that limits of contrast and hovering go by at once.

    Raises
    ------
    SourceError
        A feature has another length, or a type that cannot be shown.
    """
    n, ndim = positions.shape
    encoded = {}
    features = []
    for name, column in values.items():
        feature, stored = encode(name, column)
        if len(stored) != n:
            raise SourceError(f"the feature {name!r} has {len(stored)} values for {n} points")
        features.append(feature)
        encoded[column_of(name)] = stored
    valid = np.isfinite(positions).all(axis=1) if positions.dtype.kind == "f" else None
    rows = None if valid is None or valid.all() else np.flatnonzero(valid)
    kept = positions if rows is None else positions[rows]
    numbers = np.arange(n) if rows is None else rows
    hashes = hashes_of(numbers)
    if len(kept):
        low, high = kept.min(axis=0).astype(float), kept.max(axis=0).astype(float)
        integers = tuple(_whole(kept[:, axis]) for axis in range(ndim))
        wanted = planes_of(planes, ndim)
        grid = PointGrid.of(low, high, choose_planes(low, high, len(kept), integers, wanted))
        table, order = build_trees(kept, hashes, grid, quota)
        order = numbers[order]
        plane_axes = [axis for axis in range(ndim) if not grid.split[axis]]
        roots = table.cells[: table.roots, plane_axes].tolist()
        plan = DensityPlan.of(grid, low, high, roots)
        density = None if plan is None else DensityGrid.of(plan, kept)
    else:
        table, order = NodeTable.empty(ndim), np.zeros(0, np.int64)
        grid, density = None, None
    reader = MemoryReader(positions, encoded, order, tuple(features))
    picked = numbers[sample_rows(hashes, most_in_sample)]
    columns = (POSITION, INDEX, *encoded)
    return PointsSource(
        "points in memory",
        table,
        tuple(features),
        reader.gather(picked, columns),
        reader,
        len(numbers),
        ("points", fresh_token()),
        True,
        position_dtype(positions),
        grid_of_cells=grid,
        density=density,
    )


def planes_of(planes: tuple[int, ...] | None, ndim: int) -> tuple[int, ...] | None:
    """Return the axes of planes that are wanted; of more than three axes the first always are."""
    if planes is None:
        return None
    return tuple(sorted({*(axis % ndim for axis in planes), *range(max(ndim - 3, 0))}))


def _whole(column: np.ndarray) -> bool:
    """Whether all positions along an axis are whole numbers."""
    if column.dtype.kind in "iub":
        return True
    if column.size and float(column[0]) % 1:
        return False
    return bool((column == np.rint(column)).all())
