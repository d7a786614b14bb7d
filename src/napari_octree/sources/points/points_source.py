"""PointsSource: a set of points with its trees, as layers and the loader know it.

Invariants: the table of nodes and the sample are in memory; the points are read node by node
through `storage`, in worker threads, as the chunks of any other array: a node is a storage chunk.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from napari_octree.octree.points.density_grid import DensityGrid
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.sources.chunk_grid import IrregularGrid
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.protocol import ChunkGrid, LevelSource, Region

POSITION, INDEX = "position", "index"
"""Columns that every set of points has: where a point is, and its number in the original set."""

SAMPLE = 4096
"""Points of the sample at most."""


class NodeReader(Protocol):
    """Reads columns of one node (worker threads only; may block and raise)."""

    def read(self, node: int, start: int, stop: int, columns: Sequence[str]) -> np.ndarray:
        """Return a structured array with a field for each of `columns`.

        `node` is a row of the table, `start` and `stop` the place of its points in the order of
        the table.
        """
        ...


@dataclass(frozen=True)
class Placement:
    """What a format says of the coordinates.

    Attributes
    ----------
    axes : tuple of str
    scale : tuple of float
        Units that a step of the coordinates is long, along each axis.
    units : tuple of str
    """

    axes: tuple[str, ...]
    scale: tuple[float, ...]
    units: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PointsSource:
    """A set of points.

    Attributes
    ----------
    name : str
        What a person calls it; a path.
    table : NodeTable
    features : tuple of Feature
    sample : structured array
        A random sample of all points, with all columns: `position`, `index`, and one for each
        feature, named by `column_of`.
    reader : NodeReader
    total : int
        Points of the whole set: more than the table knows while only a sample is at hand.
    key : Hashable
        Identity of the data.
    in_memory, is_remote : bool
        As in `StorageArray`.
    position_dtype : numpy.dtype
    grid_of_cells : PointGrid or None
        How the trees divide space; None of a sample only.
    density : DensityGrid or None
        How many points lie where; None of sets that are split along three axes, and of formats
        that do not say it.
    placement : Placement or None
        None where nothing is known.
    """

    name: str
    table: NodeTable
    features: tuple[Feature, ...]
    sample: np.ndarray = field(repr=False)
    reader: NodeReader = field(repr=False)
    total: int
    key: Hashable
    in_memory: bool
    position_dtype: np.dtype
    is_remote: bool = False
    grid_of_cells: PointGrid | None = None
    density: DensityGrid | None = field(default=None, repr=False)
    placement: Placement | None = None
    _storages: dict[tuple[str, ...], LevelSource] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_storages": {}}
        return {k: v for k, v in state.items() if k not in ("columns", "grid")}

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.table.ndim

    @property
    def is_complete(self) -> bool:
        """Whether all points are in the trees."""
        return self.table.count == self.total

    def feature(self, name: str) -> Feature | None:
        """Return a feature by name, or None."""
        return next((f for f in self.features if f.name == name), None)

    def dtype(self, columns: Sequence[str]) -> np.dtype:
        """Return the structured type of some columns."""
        return record_dtype(self.ndim, self.position_dtype, self.features, columns)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return (POSITION, INDEX, *(column_of(f.name) for f in self.features))

    @cached_property
    def grid(self) -> IrregularGrid:
        """The nodes as chunks of an array of all points."""
        return IrregularGrid(((0, *self.table.ends.tolist()),))

    def level(self, columns: Sequence[str]) -> LevelSource:
        """Return all points in the order of the trees, with some columns: made once."""
        wanted = tuple(columns)
        if wanted not in self._storages:
            self._storages[wanted] = LevelSource(NodeStorage(self, wanted), (None,))
        return self._storages[wanted]

    @property
    def levels(self) -> tuple[LevelSource, ...]:
        """Those made so far."""
        return tuple(self._storages.values())

    def region(self, node: int) -> Region:
        """Return the place of a node's points in such a level."""
        return ((int(self.table.starts[node]), int(self.table.ends[node])),)


@dataclass(frozen=True, eq=False)
class NodeStorage:
    """Some columns of all points as a `StorageArray` of one axis.

    Attributes
    ----------
    source : PointsSource
    columns : tuple of str
    """

    source: PointsSource
    columns: tuple[str, ...]
    is_computed: bool = False

    @property
    def key(self) -> Hashable:
        """Identity of the data and the columns."""
        return (self.source.key, self.columns)

    @property
    def shape(self) -> tuple[int, ...]:
        """(points,)."""
        return (self.source.table.count,)

    @cached_property
    def dtype(self) -> np.dtype:
        """A field for each column."""
        return self.source.dtype(self.columns)

    @property
    def in_memory(self) -> bool:
        """Whether reading is only gathering."""
        return self.source.in_memory

    @property
    def source_name(self) -> str:
        """What a person calls the set."""
        return self.source.name

    @property
    def group(self) -> SourceGroup:
        """All columns of a set."""
        return SourceGroup(self.source.key, self.source.name)

    @property
    def is_remote(self) -> bool:
        """Whether it is on a network."""
        return self.source.is_remote

    @property
    def fill_value(self) -> object:
        """Of points that are not stored: there are none."""
        return None

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the nodes."""
        return self.source.grid

    def read(self, region: Region) -> np.ndarray | None:
        """Return the points of one node (worker threads only)."""
        ((start, stop),) = region
        node = int(self.source.table.ends.searchsorted(start, "right"))
        return self.source.reader.read(node, start, stop, self.columns)


def column_of(feature: str) -> str:
    """Return the name of a feature's column: it can be no other column's."""
    return f"feature {feature}"


def record_dtype(
    ndim: int, position: np.dtype, features: Sequence[Feature], columns: Sequence[str]
) -> np.dtype:
    """Return the structured type of some columns."""
    known = {column_of(f.name): f.dtype for f in features}
    fields: list[tuple[str, np.dtype] | tuple[str, np.dtype, tuple[int, ...]]] = []
    for column in columns:
        if column == POSITION:
            fields.append((column, position, (ndim,)))
        elif column == INDEX:
            fields.append((column, np.dtype(np.int64)))
        else:
            fields.append((column, known[column]))
    return np.dtype(fields)
