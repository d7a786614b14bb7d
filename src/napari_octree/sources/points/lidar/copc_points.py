"""COPC: LAZ files whose chunks are the nodes of an octree, read node by node.

A node adds points to those above it, as ours do. The hierarchy is read by laspy, a chunk by one
request and lazrs.

Invariants: opening reads the header, the hierarchy and a sample; the file is not open in between,
so that it can be replaced. Nodes need not be in random order in the file: they are put into one.
Limits of features are those of the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.octree.points.point_tree import hashes_of
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.cell_nodes import CellNodes
from napari_octree.sources.points.encode_feature import limits
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.latest_cells import LatestCells
from napari_octree.sources.points.lidar.las_features import (
    CLASSIFICATION,
    features_of_format,
    laspy_module,
    lazrs_module,
    positions_of,
)
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    SAMPLE,
    PointsSource,
    column_of,
    record_dtype,
)
from napari_octree.sources.stores.address import is_url, shown

ENDING = ".copc.laz"

POSITIONS_ONLY = frozenset({POSITION, INDEX})


@dataclass(frozen=True)
class FilePart:
    """A file, read by ranges.

    Attributes
    ----------
    where : str
    options : tuple of (str, object)
        For addresses, as fsspec takes them.
    """

    where: str
    options: tuple[tuple[str, Any], ...] = ()

    def open(self) -> Any:
        """Open it as a binary file.

        Raises
        ------
        SourceError
            There is no such file.
        """
        if not is_url(self.where):
            try:
                return Path(self.where).expanduser().open("rb")
            except OSError as error:
                raise SourceError(
                    f"{self.where}: cannot be read: {error.strerror or error}"
                ) from error
        try:
            import fsspec
        except ImportError as error:
            raise SourceError(
                f"{shown(self.where)}: fsspec is needed: pip install 'napari-octree[remote]'"
            ) from error
        return fsspec.open(self.where, "rb", **dict(self.options)).open()

    def read(self, start: int, size: int) -> bytes:
        """Return some bytes (worker threads only)."""
        if is_url(self.where):
            from fsspec.core import url_to_fs

            file_system, path = url_to_fs(self.where, **dict(self.options))
            fetched: bytes = file_system.cat_file(path, start, start + size)
            return fetched
        with self.open() as file:
            file.seek(start)
            found: bytes = file.read(size)
        return found

    @property
    def identity(self) -> tuple[object, ...]:
        """Another value once a local file has been replaced."""
        if is_url(self.where):
            return (self.where,)
        path = Path(self.where).expanduser()
        status = path.stat()
        return str(path.resolve()), status.st_size, status.st_mtime_ns


@dataclass(frozen=True, eq=False)
class CopcReader:
    """Reads chunks.

    Attributes
    ----------
    file : FilePart
    header : laspy.LasHeader
    laszip : bytes
        How chunks are compressed.
    nodes : CellNodes
    chunks : (n, 3) int64
        Of each cell: first byte, bytes, and the number of its first point in the file.
    counts : (n,) int64
    features : tuple of Feature
    """

    file: FilePart
    header: Any
    laszip: bytes
    nodes: CellNodes
    chunks: np.ndarray
    counts: np.ndarray
    features: tuple[Feature, ...]
    latest: LatestCells = field(default_factory=LatestCells)

    def read(self, node: int, start: int, stop: int, columns: Sequence[str]) -> np.ndarray:
        """Read a node.

        Raises
        ------
        SourceError
            The chunk is broken.
        """
        cell, first = int(self.nodes.cells[node]), int(self.nodes.firsts[node])
        count = int(self.counts[cell])
        if count == stop - start:
            points, order = self._points(cell, POSITIONS_ONLY.issuperset(columns))
        else:
            points, order = self.latest.get(cell, partial(self._points, cell, False), count)
        rows = order[first : first + stop - start]
        chosen = points[rows]
        dtype = record_dtype(3, np.dtype(np.float64), self.features, columns)
        block = np.empty(len(rows), dtype)
        for column in columns:
            if column == POSITION:
                block[column] = positions_of(chosen)
            elif column == INDEX:
                block[column] = rows + self.chunks[cell, 2]
            else:
                name = next(f.name for f in self.features if column_of(f.name) == column)
                block[column] = np.asarray(chosen[name])
        return block

    def _points(self, cell: int, positions_only: bool) -> tuple[Any, np.ndarray]:
        """Decode a chunk: its points, and a random order of them."""
        laspy, lazrs = laspy_module(), lazrs_module()
        offset, size, first = self.chunks[cell].tolist()
        count = int(self.counts[cell])
        raw = self.file.read(offset, size)
        if len(raw) < size:
            raise SourceError(f"{shown(self.file.where)}: the file ends within a chunk")
        selection = laspy.DecompressionSelection.all()
        if positions_only:
            selection = laspy.DecompressionSelection.base() | laspy.DecompressionSelection.Z
        made = np.zeros(count * self.header.point_format.size, np.uint8)
        try:
            lazrs.decompress_points_with_chunk_table(
                raw, self.laszip, made, [(count, size)], selection.to_lazrs()
            )
        except Exception as error:  # lazrs' own, and of threads
            raise SourceError(
                f"{shown(self.file.where)}: a chunk cannot be decoded: {error}"
            ) from error
        packed = laspy.PackedPointRecord.from_buffer(made, self.header.point_format)
        points = laspy.ScaleAwarePointRecord(
            packed.array, packed.point_format, self.header.scales, self.header.offsets
        )
        return points, np.argsort(hashes_of(np.arange(count) + first), kind="stable")


def open_copc(where: str, **storage_options: Any) -> PointsSource:
    """Open the points of a COPC file (may block).

    Parameters
    ----------
    where : str
        Path or address.
    **storage_options
        For addresses, as fsspec takes them.

    Raises
    ------
    SourceError
    """
    copc = laspy_module("copc")
    file = FilePart(where, tuple(storage_options.items()))
    try:
        with file.open() as opened, copc.CopcReader(opened) as reader:
            header, laszip, info = reader.header, reader.laszip_vlr, reader.copc_info
            found = copc.load_octree_for_query(opened, info, reader.root_page)
    except SourceError:
        raise
    except Exception as error:  # laspy's, of the format, and of the store
        raise SourceError(
            f"{shown(where)}: not COPC that can be read: {type(error).__name__}: {error}; of "
            "other LAS and LAZ files build an index: napari-octree build POINTS"
        ) from error
    found = [node for node in found if node.point_count > 0]
    held = sum(node.point_count for node in found)
    if held != header.point_count:
        raise SourceError(
            f"{shown(where)}: not COPC that can be read: its octree holds {held:,} points of "
            f"{header.point_count:,}"
        )
    found.sort(key=lambda node: (node.key.level, node.key.z, node.key.y, node.key.x))
    nodes, chunks, counts = _nodes(found, header)
    reader = CopcReader(file, header, laszip.record_data, nodes, chunks, counts, ())
    return _source(where, file, reader)


def _nodes(found: Sequence[Any], header: Any) -> tuple[CellNodes, np.ndarray, np.ndarray]:
    """Return the nodes of chunks, and where these are."""
    n = len(found)
    counts = np.array([node.point_count for node in found], np.int64)
    chunks = np.array([(c.offset, c.byte_size, 0) for c in found], np.int64).reshape(n, 3)
    in_file = np.argsort(chunks[:, 0], kind="stable")
    chunks[in_file, 2] = np.cumsum(counts[in_file]) - counts[in_file]
    # Bounds and boxes are those of coordinates before they were rounded to the file's scale.
    step = np.asarray(header.scales, float)
    bounds = np.array([header.mins - step, header.maxs + step])
    corners = np.array([(c.bounds.mins, c.bounds.maxs) for c in found], float).reshape(n, 2, 3)
    corners += np.array([-step, step])
    corners = np.clip(corners, bounds[0], bounds[1])[..., ::-1]
    rows: dict[tuple[int, ...], int] = {}
    parents = []
    for row, node in enumerate(found):
        key = (node.key.level, node.key.x, node.key.y, node.key.z)
        rows[key] = row
        parent = -1
        while key[0] > 0 and parent < 0:
            key = (key[0] - 1, *(place >> 1 for place in key[1:]))
            parent = rows.get(key, -1)
        parents.append(parent)
    places = np.array([(c.key.z, c.key.y, c.key.x) for c in found], np.int64).reshape(n, 3)
    return CellNodes.of(places, counts, corners[:, 0], corners[:, 1], parents), chunks, counts


def _source(where: str, file: FilePart, reader: CopcReader) -> PointsSource:
    table, laspy = reader.nodes.table, laspy_module()
    some = laspy.ScaleAwarePointRecord.zeros(1, header=reader.header)
    features = features_of_format(reader.header.point_format, some)
    reader = replace(reader, features=features)
    columns = (POSITION, INDEX, *(column_of(f.name) for f in features))
    kind = np.dtype(np.float64)
    parts = [np.zeros(0, record_dtype(3, kind, features, columns))]
    for node, count in reader.nodes.sampled(SAMPLE):
        start = int(table.starts[node])
        parts.append(reader.read(node, start, int(table.ends[node]), columns)[:count])
    sample = np.concatenate(parts)
    known = []
    for feature in features:
        if feature.name != CLASSIFICATION:
            low, high = limits(sample[column_of(feature.name)])
            feature = replace(feature, low=low, high=high)
        known.append(feature)
    return PointsSource(
        where,
        table,
        tuple(known),
        sample,
        reader,
        table.count,
        ("copc", *file.identity),
        False,
        kind,
        is_url(where),
    )
