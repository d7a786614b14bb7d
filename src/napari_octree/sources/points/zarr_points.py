"""The format of points that we write and read: zarr, a cell of the array for each node.

It follows Zarr Vectors 0.10 with additive levels: a level is a group of arrays of cells, and a
cell holds the bytes of one node's points; level 0 is the finest, and a level's complete content
is its own with that of all coarser ones. What that says nothing of (the table of nodes, features,
a sample) stands in attributes and arrays of our own, under `user_metadata` and `octree`.

Invariants: opening reads metadata, the table of nodes and the sample; a node is read with one
request for each column.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr

from napari_octree.octree.points.density_grid import DensityGrid, DensityPlan
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.nodes import open_node
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    PointsSource,
    column_of,
    record_dtype,
)
from napari_octree.sources.stores.address import is_url
from napari_octree.sources.stores.own_codecs import own_codecs

# zarr-python warns that its name for bytes of any length is not in the specification yet. It is
# the one that Zarr Vectors names, and we read what we write.
warnings.filterwarnings("ignore", message=r"The data type \(VariableLengthBytes")

VERSION = 1
"""Of our own metadata."""

ZARR_VECTORS = "0.10.0"
ADDITIVE = "additive_levels"
OURS = "napari_octree_points"
INDEX_NAME = "point_index"

TABLE = ("depths", "cells", "counts", "subtrees", "lows", "highs", "parents")
"""Arrays of the table of nodes, under `octree`."""


def attribute_names(features: Sequence[Feature]) -> dict[str, str]:
    """Return the name of the array of each column, beside that of positions."""
    names = {INDEX: INDEX_NAME}
    for feature in features:
        plain = re.sub(r"\W", "_", feature.name) or "_"
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}_{number}"
        names[column_of(feature.name)] = name
    return names


def is_points_group(attributes: Mapping[str, Any]) -> bool:
    """Whether a zarr group is a set of points that we wrote."""
    return OURS in (attributes.get("user_metadata") or {})


@dataclass(frozen=True, eq=False)
class ZarrNodeReader:
    """Reads nodes of a store.

    Attributes
    ----------
    group : zarr.Group
    table : NodeTable
    features : tuple of Feature
    position_dtype : numpy.dtype
    """

    group: zarr.Group
    table: NodeTable
    features: tuple[Feature, ...]
    position_dtype: np.dtype
    _arrays: dict[tuple[int, str], tuple[Any, np.ndarray]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if not k.startswith("_")}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["_arrays"], self.__dict__["_lock"] = {}, threading.Lock()

    def read(self, node: int, start: int, stop: int, columns: Sequence[str]) -> np.ndarray:
        """Read columns of a node.

        Raises
        ------
        SourceError
            A cell holds another number of points than the table says.
        """
        n, ndim = stop - start, self.table.ndim
        block = np.empty(n, record_dtype(ndim, self.position_dtype, self.features, columns))
        for column in columns:
            stored = self._cell(node, column)
            if stored.size != block[column].size:
                raise SourceError(
                    f"{self.group.store}: node {node} holds {stored.size} values of {column!r}, "
                    f"and should hold {block[column].size}"
                )
            block[column] = stored.reshape(block[column].shape)
        return block

    def _cell(self, node: int, column: str) -> np.ndarray:
        depth = int(self.table.depths[node])
        array, origin = self._array(depth, column)
        place = tuple((self.table.cells[node] - origin).tolist())
        # A box of one: what a single index returns differs between versions of zarr.
        raw = np.asarray(array[tuple(slice(i, i + 1) for i in place)]).item()
        kind = self._dtype(column)
        return np.frombuffer(raw, kind.newbyteorder("<")).astype(kind, copy=False)

    def _array(self, depth: int, column: str) -> tuple[Any, np.ndarray]:
        name = (depth, column)
        with self._lock:
            known = self._arrays.get(name)
        if known is None:
            level = int(self.table.depths.max()) - depth
            path = f"{level}/vertices"
            if column != POSITION:
                path = f"{level}/vertex_attributes/{attribute_names(self.features)[column]}"
            with own_codecs():
                array: Any = self.group[path]
            attributes: Any = array.attrs["zarr_vectors"]
            origin = attributes["chunk_grid_origin"]
            known = array, np.array(origin, np.int64)
            with self._lock:
                self._arrays[name] = known
        return known

    def _dtype(self, column: str) -> np.dtype:
        if column == POSITION:
            return self.position_dtype
        if column == INDEX:
            return np.dtype(np.int64)
        return next(f.dtype for f in self.features if column_of(f.name) == column)


def open_zarr_points(where: str, **storage_options: Any) -> PointsSource:
    """Open a set of points with its trees (reads metadata; may block).

    Parameters
    ----------
    where : str
        Path or address of what `build_points` wrote.
    **storage_options
        For addresses, as fsspec takes them.

    Raises
    ------
    SourceError
    """
    found: Any = open_node(where, **storage_options)
    if not isinstance(found, zarr.Group) or not is_points_group(dict(found.attrs)):
        raise SourceError(
            f"{where}: not a set of points: build one with napari-octree build POINTS {where}"
        )
    return points_of_group(found, where, is_url(where))


@own_codecs()
def points_of_group(group: zarr.Group, name: str, is_remote: bool = False) -> PointsSource:
    """Return the points of a group.

    Raises
    ------
    SourceError
        It is of a newer version, or incomplete.
    """
    attributes: Any = dict(group.attrs)
    ours = attributes["user_metadata"][OURS]
    if int(ours.get("version", 0)) != VERSION:
        raise SourceError(f"{name}: points of version {ours.get('version')}, not of {VERSION}")
    features = tuple(map(Feature.from_json, ours["features"]))
    kind = np.dtype(ours["position_dtype"]).newbyteorder("=")
    try:
        arrays: dict[str, Any] = {part: group[f"octree/{part}"] for part in TABLE}
        table = NodeTable(**{part: np.asarray(array[...]) for part, array in arrays.items()})
        ndim = int(ours["ndim"])
        columns = (POSITION, INDEX, *(column_of(f.name) for f in features))
        dtype = record_dtype(ndim, kind, features, columns)
        raw: Any = group["octree/sample"]
        stored = np.frombuffer(np.asarray(raw[...], np.uint8).tobytes(), dtype.newbyteorder("<"))
        sample = stored.astype(dtype)
        grid = PointGrid(**{k: _tuples(v) for k, v in ours["grid"].items()})
        density = None
        if "density" in ours:
            plan = DensityPlan(**{k: _tuples(v) for k, v in ours["density"].items()})
            counts: Any = group["octree/density"]
            density = DensityGrid(plan, np.asarray(counts[...]))
    except (KeyError, ValueError) as error:
        raise SourceError(f"{name}: a set of points that is not complete: {error}") from error
    return PointsSource(
        name,
        table,
        features,
        sample,
        ZarrNodeReader(group, table, features, kind),
        int(ours["count"]),
        ("zarr points", name, str(ours.get("identity", ""))),
        False,
        kind,
        is_remote,
        grid,
        density,
    )


def _tuples(value: Any) -> Any:
    """Return lists of JSON as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
