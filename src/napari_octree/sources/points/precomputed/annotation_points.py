"""Points of Neuroglancer's precomputed annotations, read by their spatial index.

A level of the index adds points to the coarser ones, as our own trees do. How many points a cell
holds follows from its size, so no cell is read before it is looked at (but where it is compressed
in its shard: then its first bytes are).

Invariants: opening reads the ``info``, the sizes or indices of all cells, and a sample; a node is
a cell or a part of one. Limits of features are those of the sample: the format does not say them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from napari_octree.octree.points.point_tree import hashes_of
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.cell_nodes import CellNodes
from napari_octree.sources.points.encode_feature import limits
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.latest_cells import LatestCells
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    SAMPLE,
    Placement,
    PointsSource,
    column_of,
    record_dtype,
)
from napari_octree.sources.points.precomputed.annotation_info import AnnotationInfo, SpatialLevel
from napari_octree.sources.points.precomputed.shards import (
    morton_cells,
    objects_of_shard,
    unpacked,
)
from napari_octree.sources.stores.byte_store import ByteStore
from napari_octree.sources.stores.object_parts import read_part, size_of, sizes_below
from napari_octree.sources.stores.opening import open_bytes
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import decoded

INFO = "info"

MOST_PROBED = 2**16
"""Cells that are asked for one by one, where a store cannot be listed."""

FIRST_BYTES = 1024
"""Of a compressed cell, in which its number of points is found."""


@dataclass(frozen=True)
class CellPlace:
    """Where a cell is stored.

    Attributes
    ----------
    name : str
        Of the object.
    start, stop : int
        Its bytes.
    packed : bool
        Whether they are compressed.
    """

    name: str
    start: int
    stop: int
    packed: bool = False


@dataclass(frozen=True, eq=False)
class AnnotationReader:
    """Reads cells.

    Attributes
    ----------
    store : ByteStore
    info : AnnotationInfo
    nodes : CellNodes
    places : sequence of CellPlace
        Of the cells.
    counts : (cells,) int64
    latest : LatestCells
        Cells that were read for one of their parts.
    """

    store: ByteStore
    info: AnnotationInfo
    nodes: CellNodes
    places: Sequence[CellPlace]
    counts: np.ndarray
    latest: LatestCells = field(default_factory=LatestCells)

    def read(self, node: int, start: int, stop: int, columns: Sequence[str]) -> np.ndarray:
        """Read a node.

        Raises
        ------
        SourceError
            The cell holds another number of points than its size said.
        """
        cell, first = int(self.nodes.cells[node]), int(self.nodes.firsts[node])
        count = int(self.counts[cell])
        is_whole = count == stop - start
        records, numbers = (
            self._cell(cell)
            if is_whole
            else self.latest.get(cell, partial(self._cell, cell), count)
        )
        rows = slice(first, first + stop - start)
        return self._block(records[rows], numbers[rows], columns)

    def _block(
        self, records: np.ndarray, numbers: np.ndarray, columns: Sequence[str]
    ) -> np.ndarray:
        features = tuple(p.feature for p in self.info.properties)
        known = {p.column: p for p in self.info.properties}
        dtype = record_dtype(self.info.ndim, np.dtype(np.float32), features, columns)
        block = np.empty(len(records), dtype)
        for column in columns:
            if column == POSITION:
                block[column] = records["position"][:, ::-1]
            elif column == INDEX:
                block[column] = numbers.astype(np.int64)
            else:
                block[column] = known[column].values(records)
        return block

    def _cell(self, cell: int) -> tuple[np.ndarray, np.ndarray]:
        """Read a cell: its records and their numbers, in random order."""
        place, count = self.places[cell], int(self.counts[cell])
        where = f"{self.store.address}/{place.name}"
        raw = read_part(self.store, place.name, place.start, place.stop)
        if raw is None:
            raise SourceError(f"{where}: is no longer there")
        size = self.info.record.itemsize
        expected = 8 + count * (size + 8)
        if place.packed:
            raw = unpacked(raw, expected, where)
        held = int.from_bytes(raw[:8], "little")
        if held != count or len(raw) < expected:
            raise SourceError(
                f"{where}: {len(raw)} bytes for {held} points, and not {expected} for {count}"
            )
        records = np.frombuffer(raw, self.info.record, count, 8)
        numbers = np.frombuffer(raw, "<u8", count, 8 + count * size)
        # Writers should store them in random order, and do not.
        order = np.argsort(hashes_of(numbers.astype(np.int64)), kind="stable")
        return records[order], numbers[order]


def open_annotations(where: str, **storage_options: Any) -> PointsSource:
    """Open the points of precomputed annotations (may block).

    Parameters
    ----------
    where : str
        Path or address of the folder with ``info``.
    **storage_options
        For addresses, as fsspec takes them.

    Raises
    ------
    SourceError
    """
    folder = where.removeprefix("precomputed://").rstrip("/").removesuffix(f"/{INFO}")
    store = open_bytes(folder, **storage_options)
    data = store.get(INFO)
    if data is None:
        raise SourceError(f"{where}: there is no {INFO!r}, which describes annotations")
    info = AnnotationInfo.of(decoded(data, f"{store.address}/{INFO}"), where)
    cells: list[np.ndarray] = []
    boxes: list[np.ndarray] = []
    places: list[CellPlace] = []
    counts: list[int] = []
    parents: list[int] = []
    above: list[dict[tuple[int, ...], int]] = []
    for level in info.levels:
        own: dict[tuple[int, ...], int] = {}
        for cell, place, count in _cells(store, info, level):
            low = info.low + np.array(cell) * level.chunk
            high = low + level.chunk
            parents.append(_parent(info, above, (low + high) / 2))
            own[cell] = len(places)
            places.append(place)
            counts.append(count)
            cells.append(np.array(cell[::-1]))
            box = np.clip([low, high], info.low, info.high)
            # Writers find the cell of a point in float32.
            box += np.array([[-1], [1]]) * (np.abs(box).max(axis=0) * 2.0**-22)
            boxes.append(box[:, ::-1])
        above.append(own)
    ndim = info.ndim
    nodes = CellNodes.of(
        np.array(cells, np.int64).reshape(-1, ndim),
        counts,
        np.array([box[0] for box in boxes], float).reshape(-1, ndim),
        np.array([box[1] for box in boxes], float).reshape(-1, ndim),
        parents,
    )
    reader = AnnotationReader(store, info, nodes, places, np.array(counts, np.int64))
    return _source(where, data, store, info, reader)


def _source(
    where: str, data: bytes, store: ByteStore, info: AnnotationInfo, reader: AnnotationReader
) -> PointsSource:
    table = reader.nodes.table
    features = tuple(p.feature for p in info.properties)
    columns = (POSITION, INDEX, *(column_of(f.name) for f in features))
    kind = np.dtype(np.float32)
    parts = [np.zeros(0, record_dtype(info.ndim, kind, features, columns))]
    for node, count in reader.nodes.sampled(SAMPLE):
        start = int(table.starts[node])
        parts.append(reader.read(node, start, int(table.ends[node]), columns)[:count])
    sample = np.concatenate(parts)
    return PointsSource(
        where,
        table,
        tuple(_with_limits(feature, sample) for feature in features),
        sample,
        reader,
        table.count,
        ("precomputed annotations", store.identity, data),
        False,
        kind,
        store.is_far,
        placement=Placement(info.names, info.scale, info.units),
    )


def _with_limits(feature: Feature, sample: np.ndarray) -> Feature:
    if feature.is_category:
        return feature
    low, high = limits(sample[column_of(feature.name)])
    return replace(feature, low=low, high=high)


def _parent(
    info: AnnotationInfo, above: Sequence[dict[tuple[int, ...], int]], middle: np.ndarray
) -> int:
    """Return the nearest coarser cell around a place that holds points; -1 if none does."""
    for level, known in zip(reversed(info.levels[: len(above)]), reversed(above), strict=True):
        cell = np.floor((middle - info.low) / level.chunk).astype(int)
        found = known.get(tuple(cell.tolist()))
        if found is not None:
            return found
    return -1


Found = tuple[tuple[int, ...], CellPlace, int]
"""A cell, where it is stored, and how many points it holds."""


def _cells(store: ByteStore, info: AnnotationInfo, level: SpatialLevel) -> list[Found]:
    """Return the cells of a level that hold points, in order."""
    found = _loose_cells(store, level) if level.sharding is None else _sharded_cells(store, level)
    record = info.record.itemsize + 8
    known: list[Found] = []
    unknown: list[tuple[tuple[int, ...], CellPlace]] = []
    for cell, place in found:
        count, rest = divmod(place.stop - place.start - 8, record)
        if place.packed or rest or count < 0:
            unknown.append((cell, place))
        elif count:
            known.append((cell, place, count))
    tasks = [partial(_count, store, place) for _, place in unknown]
    for (cell, place), count in zip(unknown, _all(tasks), strict=True):
        if count:
            # Compressed on the way, perhaps: it is as long as it says.
            whole = place if place.packed else replace(place, stop=8 + count * record)
            known.append((cell, whole, count))
    return sorted(known, key=lambda entry: entry[0])


def _loose_cells(store: ByteStore, level: SpatialLevel) -> list[tuple[tuple[int, ...], CellPlace]]:
    """Find the cells that are objects of their own."""
    sizes = sizes_below(store, level.key)
    if sizes is None:
        total = int(np.prod(level.grid, dtype=float))
        if total > MOST_PROBED:
            raise SourceError(
                f"{store.address}: {total:,} cells that are not in shards, in a store that cannot "
                "be listed: copy the annotations to this machine"
            )
        cells = list(np.ndindex(*level.grid))
        names = ["_".join(map(str, cell)) for cell in cells]
        asked = _all([partial(size_of, store, f"{level.key}/{name}") for name in names])
        sizes = {n: size for n, size in zip(names, asked, strict=True) if size is not None}
    found = []
    for name, size in sizes.items():
        parts = name.split("_")
        if len(parts) == len(level.grid) and all(part.isdecimal() for part in parts):
            cell = tuple(map(int, parts))
            if all(c < n for c, n in zip(cell, level.grid, strict=True)):
                found.append((cell, CellPlace(f"{level.key}/{name}", 0, size)))
    return found


def _sharded_cells(
    store: ByteStore, level: SpatialLevel
) -> list[tuple[tuple[int, ...], CellPlace]]:
    """Find the cells in shards."""
    sharding = level.sharding
    assert sharding is not None
    names = [f"{level.key}/{name}" for name in sharding.names]
    bits = min(sum((n - 1).bit_length() for n in level.grid), 63)
    indices = _all([partial(objects_of_shard, store, name, sharding) for name in names])
    found = []
    for name, objects in zip(names, indices, strict=True):
        if objects is None:
            continue
        cells = morton_cells(objects.numbers, level.grid)
        if (cells >= level.grid).any() or (objects.numbers >> np.uint64(bits)).any():
            raise SourceError(f"{store.address}/{name}: cells outside of the grid {level.grid}")
        for cell, start, size in zip(
            cells.tolist(), objects.starts.tolist(), objects.sizes.tolist(), strict=True
        ):
            place = CellPlace(name, start, start + size, sharding.packed_data)
            found.append((tuple(cell), place))
    return found


def _count(store: ByteStore, place: CellPlace) -> int:
    """Read how many points a cell says that it holds."""
    stop = min(place.stop, place.start + (FIRST_BYTES if place.packed else 8))
    raw = read_part(store, place.name, place.start, stop) or b""
    if place.packed:
        try:
            raw = zlib.decompressobj(31).decompress(raw, 8)
        except zlib.error as error:
            raise SourceError(f"{store.address}/{place.name}: {error}") from error
    if len(raw) < 8:
        raise SourceError(f"{store.address}/{place.name}: a cell of {len(raw)} bytes")
    return int.from_bytes(raw[:8], "little")


def _all(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run tasks that wait for a store, side by side."""
    if not tasks:
        return []
    results = POOL.run(tasks, POOL.new_turn())
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
