"""Whatever holds points, as blocks to be indexed: arrays, tables in memory, files.

Invariants: metadata is read, points are not.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.lidar.las_blocks import LasBlocks
from napari_octree.sources.points.lidar.las_features import ENDINGS as LIDAR
from napari_octree.sources.points.point_blocks import ArrayBlocks, PointBlocks
from napari_octree.sources.points.table_blocks import (
    TABLES,
    PartitionBlocks,
    chosen_columns,
    csv_blocks,
    parquet_blocks,
)

FILES = (*TABLES, *LIDAR)
"""How the names of files end that hold points."""


def blocks_of(
    source: Any,
    features: Any = None,
    axes: Sequence[str] | None = None,
) -> PointBlocks:
    """Take anything that holds points for blocks.

    Parameters
    ----------
    source : array-like, DataFrame, path, or sequence of (N,) arrays
        (N, ndim) positions in the order (…, z, y, x); the columns of each axis; a table of pandas
        or dask; the path of a parquet, CSV, LAS or LAZ file, or of a folder of parquet files;
        whatever else reads itself in blocks: see `PointBlocks`.
    features : mapping or DataFrame, optional
        Of arrays: (N,) columns. Of tables: the names of columns; default: all others.
    axes : sequence of str, optional
        Of tables: columns of positions, in the order (…, z, y, x). Default: of ``t z y x``
        those that there are.

    Raises
    ------
    SourceError
    """
    if isinstance(source, str | os.PathLike):
        return _file_blocks(Path(source).expanduser(), features, axes)
    if hasattr(source, "columns"):
        return _frame_blocks(source, features, axes)
    if isinstance(source, PointBlocks):
        return source
    values = {} if features is None else {str(name): features[name] for name in features}
    kind = type(source).__name__
    if isinstance(source, list | tuple) and source and np.ndim(source[0]) == 1:
        return ArrayBlocks(kind, [*source], values)
    if not hasattr(source, "shape"):
        source = np.asarray(source)
    if len(source.shape) != 2:
        raise SourceError(f"{kind}: points are N × axes numbers, not {tuple(source.shape)}")
    return ArrayBlocks(kind, source, values)


def _frame_blocks(table: Any, features: Any, axes: Sequence[str] | None) -> PointBlocks:
    names = [str(name) for name in table.columns]
    found, others = chosen_columns(type(table).__name__, names, features, axes)
    if hasattr(table, "npartitions"):
        return PartitionBlocks(type(table).__name__, table, found, others)
    columns = [table[axis].to_numpy() for axis in found]
    return ArrayBlocks(type(table).__name__, columns, {name: table[name] for name in others})


def _file_blocks(path: Path, features: Any, axes: Sequence[str] | None) -> PointBlocks:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise SourceError(f"{path}: there is no such file, or no parquet file in this folder")
    ending = files[0].suffix.lower()
    if ending not in FILES:
        raise SourceError(f"{path}: points are read from {', '.join(FILES)}, not from {ending!r}")
    if ending in LIDAR:
        if axes is not None and tuple(axes) != ("z", "y", "x"):
            raise SourceError(f"{path}: the axes of LAS files are z, y and x")
        return LasBlocks.of(path, features)
    if ending in (".parquet", ".pq"):
        return parquet_blocks(str(path), files, features, axes)
    return csv_blocks(path, features, axes)
