"""NodeStore: where nodes are written: groups by depth while it grows, by level when it is done.

Invariants: any process; writing a node twice writes the same bytes; a group of a depth appears
whole or not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.core.dtype import VariableLengthBytes

from napari_octree.octree.points.density_grid import DensityGrid
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.points_source import INDEX, POSITION, column_of
from napari_octree.sources.points.zarr_points import (
    ADDITIVE,
    OURS,
    TABLE,
    VERSION,
    ZARR_VECTORS,
    attribute_names,
)
from napari_octree.sources.stores.own_codecs import own_codecs
from napari_octree.writing.errors import written_to
from napari_octree.writing.points.partial import partial_name

CONVENTION = {
    "uuid": "66268a61-7833-4995-bbcb-233bb417dae5",
    "name": "zarr_vectors",
}


@dataclass(frozen=True, eq=False)
class NodeStore:
    """A set of points that is being written.

    Attributes
    ----------
    folder : str
        The zarr group, a local folder.
    grid : PointGrid
    low, high : tuple of float
        Bounds of all points.
    features : tuple of Feature
    dtype : numpy.dtype
        Of a point, with all columns.
    """

    folder: str
    grid: PointGrid
    low: tuple[float, ...]
    high: tuple[float, ...]
    features: tuple[Feature, ...]
    dtype: np.dtype
    _arrays: dict[tuple[int, str], Any] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": {}}

    def write(self, depth: int, cell: Sequence[int], records: np.ndarray) -> None:
        """Write the points of a node."""
        place = tuple((np.array(cell) - self.origin(depth)).tolist())
        for column in self.dtype.names or ():
            kind = self.dtype[column].base
            raw = np.ascontiguousarray(records[column]).astype(kind.newbyteorder("<")).tobytes()
            value = np.empty((1,) * len(place), object)
            value[(0,) * len(place)] = raw
            with written_to(self.folder):
                self._array(depth, column)[tuple(slice(i, i + 1) for i in place)] = value

    def origin(self, depth: int) -> np.ndarray:
        """Return the cell of the least coordinates."""
        return self.grid.cells(np.array([self.low]), depth)[0]

    def _array(self, depth: int, column: str) -> Any:
        name = (depth, column)
        if name not in self._arrays:
            folder = Path(self.folder, f"d{depth}")
            if not folder.exists():
                self._create(depth, folder)
            with own_codecs():
                self._arrays[name] = zarr.open_array(str(folder / self._path(column)), mode="r+")
        return self._arrays[name]

    def _path(self, column: str) -> str:
        if column == POSITION:
            return "vertices"
        return f"vertex_attributes/{attribute_names(self.features)[column]}"

    @own_codecs()
    def _create(self, depth: int, folder: Path) -> None:
        """Make the arrays of a depth beside their place, and move them there."""
        made = partial_name(folder)
        try:
            self._create_arrays(depth, made)
            os.rename(made, folder)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            if not folder.exists():  # else another worker was first
                raise

    def _create_arrays(self, depth: int, folder: Path) -> None:
        group = zarr.create_group(str(folder), zarr_format=3)
        group.create_group("vertex_attributes")
        origin = self.origin(depth)
        last = self.grid.cells(np.array([self.high]), depth)[0]
        for column in self.dtype.names or ():
            kind = "vertices" if column == POSITION else "vertex_attribute"
            group.create_array(
                self._path(column),
                shape=tuple((last - origin + 1).tolist()),
                chunks=(1,) * len(origin),
                dtype=VariableLengthBytes(),
                attributes={
                    "zarr_conventions": [CONVENTION],
                    "zarr_vectors": {
                        "kind": kind,
                        "dtype": self.dtype[column].base.newbyteorder("<").str,
                        "encoding": "raw",
                        "chunk_grid_origin": origin.tolist(),
                    },
                },
            )

    @own_codecs()
    def finish(
        self,
        table: NodeTable,
        sample: np.ndarray,
        count: int,
        identity: str,
        density: DensityGrid | None = None,
    ) -> None:
        """Name the levels, and write the table, the sample and all metadata.

        Once it was called, `reopen` comes before anything else is written.
        """
        with written_to(self.folder):
            self._finish(table, sample, count, identity, density)

    def reopen(self) -> None:
        """Give levels the names of their depths again: their nodes may be written once more."""
        folder = Path(self.folder)
        levels = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
        for level in levels:  # depth 0, named first, is the last of all levels
            os.rename(folder / str(level), folder / f"d{max(levels) - level}")

    def _finish(
        self,
        table: NodeTable,
        sample: np.ndarray,
        count: int,
        identity: str,
        density: DensityGrid | None,
    ) -> None:
        deepest = int(table.depths.max(initial=0))
        root = zarr.open_group(self.folder, mode="a", zarr_format=3)
        for depth in range(deepest + 1):
            points = int(table.counts[table.depths == depth].sum())
            self._finish_level(depth, deepest - depth, points)
        octree = root.require_group("octree")
        for part in TABLE:
            octree.create_array(part, data=getattr(table, part), overwrite=True)
        raw = sample.astype(self.dtype.newbyteorder("<")).tobytes()
        octree.create_array("sample", data=np.frombuffer(raw, np.uint8), overwrite=True)
        known: dict[str, Any] = {"count": count, "identity": identity}
        if density is not None:
            octree.create_array("density", data=density.counts, overwrite=True)
            known["density"] = asdict(density.plan)
        capabilities = [ADDITIVE] if deepest else []
        root.attrs.update(
            {
                "zarr_conventions": [CONVENTION],
                "zarr_vectors": {
                    "kind": "root",
                    "zv_version": ZARR_VECTORS,
                    "geometry_types": ["point_cloud"],
                    "chunk_shape": self.grid.shape(deepest).tolist(),
                    "bounds": [list(self.low), list(self.high)],
                    "format_capabilities": capabilities,
                    "required_capabilities": capabilities,
                },
                "user_metadata": {OURS: self._own_metadata(known)},
            }
        )

    def _finish_level(self, depth: int, level: int, points: int) -> None:
        """Give a depth the name and the metadata of its level."""
        source, target = Path(self.folder, f"d{depth}"), Path(self.folder, str(level))
        if source.exists():
            os.rename(source, target)
        group = zarr.open_group(str(target), mode="a", zarr_format=3)
        inner = {} if depth == 0 else {"refinement": "add"}
        group.attrs.update(
            {
                "zarr_conventions": [CONVENTION],
                "zarr_vectors": {
                    "kind": "level",
                    "level": level,
                    "chunk_shape": self.grid.shape(depth).tolist(),
                    "vertex_count": points,
                    **inner,
                },
            }
        )

    def _own_metadata(self, known: dict[str, Any]) -> dict[str, Any]:
        """What Zarr Vectors has no place for."""
        names = attribute_names(self.features)
        return {
            "version": VERSION,
            "ndim": len(self.low),
            "grid": asdict(self.grid),
            **known,
            "position_dtype": self.dtype[POSITION].base.newbyteorder("<").str,
            "features": [f.as_json() for f in self.features],
            "columns": {column_of(f.name): names[column_of(f.name)] for f in self.features},
            "index": names[INDEX],
        }
