"""Which point is under the cursor: of those that are drawn, from RAM only.

Invariants: any thread, as napari asks in one of its own; nothing is read: where only the positions
of a node are in RAM, all of its columns are asked for, and are there the next time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from napari_octree.layers.points.slab import Slab
from napari_octree.loading.loader import ChunkLoader
from napari_octree.loading.request import TileRequest
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.points.points_source import INDEX, POSITION, PointsSource, column_of
from napari_octree.sources.protocol import ChunkId


class PickedPoint(NamedTuple):
    """A point under the cursor.

    Attributes
    ----------
    node, row : int
        Where it is stored: the row of the table, and the place among the node's points.
    position : tuple of float
    number : int or None
        Its number in the original set; None until the node's other columns are in RAM.
    features : tuple of (str, str)
        Names and values; () until then.
    """

    node: int
    row: int
    position: tuple[float, ...]
    number: int | None
    features: tuple[tuple[str, str], ...]


class PointPicker:
    """Looks points up.

    Parameters
    ----------
    source : PointsSource
    loader : ChunkLoader
    """

    def __init__(self, source: PointsSource, loader: ChunkLoader) -> None:
        self._source = source
        self._loader = loader
        self.client = loader.open(_nothing)
        self._asked = -1

    def close(self) -> None:
        """Ask for nothing any more."""
        self.client.close()

    def at(
        self, nodes: Iterable[int], slab: Slab, position: np.ndarray, reach: np.ndarray
    ) -> PickedPoint | None:
        """Return the point nearest to a position.

        Parameters
        ----------
        nodes : iterable of int
            Those that are drawn.
        slab : Slab
        position : (ndim,) float64
        reach : (ndim,) float64
            How far a point may be from it, along each displayed axis.
        """
        axes = list(slab.displayed)
        point, limit = np.asarray(position, float)[axes], reach[axes]
        best: tuple[float, int, int] | None = None
        for node in self._near(nodes, axes, point - limit, point + limit):
            positions = self._positions(node)
            if positions is None:
                continue
            off = (positions[:, axes] - point) / limit
            hit = (np.abs(off) <= 1).all(axis=1)
            best = self._nearer(best, node, positions, slab, hit, (off**2).sum(axis=1))
        return None if best is None else self._picked(best[1], best[2])

    def along(
        self,
        nodes: Iterable[int],
        slab: Slab,
        start: np.ndarray,
        stop: np.ndarray,
        reach: np.ndarray,
    ) -> PickedPoint | None:
        """Return the foremost point that a line of sight meets.

        Parameters
        ----------
        nodes, slab, reach
            As `at` takes them.
        start, stop : (ndim,) float64
            Where the line enters the points' box and leaves it, nearer end first.
        """
        axes = list(slab.displayed)
        scale = reach[axes]
        first = np.asarray(start, float)[axes] / scale
        way = np.asarray(stop, float)[axes] / scale - first
        length = float(np.linalg.norm(way))
        if not length:
            return None
        way /= length
        best: tuple[float, int, int] | None = None
        for node in self._crossed(nodes, axes, first, way, scale):
            positions = self._positions(node)
            if positions is None:
                continue
            off = positions[:, axes] / scale - first
            along = off @ way
            hit = ((off**2).sum(axis=1) - along**2) <= 1
            best = self._nearer(best, node, positions, slab, hit, along)
        return None if best is None else self._picked(best[1], best[2])

    def _near(
        self, nodes: Iterable[int], axes: list[int], low: np.ndarray, high: np.ndarray
    ) -> list[int]:
        rows = np.fromiter(nodes, np.int64)
        table = self._source.table
        rows = rows[rows < len(table)]
        inside = (table.highs[rows][:, axes] >= low) & (table.lows[rows][:, axes] <= high)
        found: list[int] = rows[inside.all(axis=1)].tolist()
        return found

    def _crossed(
        self,
        nodes: Iterable[int],
        axes: list[int],
        first: np.ndarray,
        way: np.ndarray,
        scale: np.ndarray,
    ) -> list[int]:
        """Return the nodes whose boxes a line comes within a point's reach of."""
        rows = np.fromiter(nodes, np.int64)
        table = self._source.table
        rows = rows[rows < len(table)]
        low = table.lows[rows][:, axes] / scale - 1 - first
        high = table.highs[rows][:, axes] / scale + 1 - first
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = low / way, high / way
        still = way == 0
        outside = still & ((low > 0) | (high < 0))
        enters = np.where(still, -np.inf, np.minimum(a, b)).max(axis=1)
        leaves = np.where(still, np.inf, np.maximum(a, b)).min(axis=1)
        found: list[int] = rows[(enters <= leaves) & ~outside.any(axis=1)].tolist()
        return found

    def _nearer(
        self,
        best: tuple[float, int, int] | None,
        node: int,
        positions: np.ndarray,
        slab: Slab,
        hit: np.ndarray,
        order: np.ndarray,
    ) -> tuple[float, int, int] | None:
        inside = slab.inside(positions)
        rows = np.flatnonzero(hit if inside is None else hit & inside)
        if not len(rows):
            return best
        row = int(rows[np.argmin(order[rows])])
        value = float(order[row])
        return (value, node, row) if best is None or value < best[0] else best

    # --------------------------------------------------------------------- RAM

    def _positions(self, node: int) -> np.ndarray | None:
        """The positions of a node, if any of what was loaded of it has them."""
        source = self._source
        if source.in_memory:
            region = source.region(node)[0]
            found: np.ndarray = source.reader.read(node, *region, (POSITION,))[POSITION]
            return found
        for level in source.levels:
            cached = self._loader.cache.peek(ChunkId(level.storage.key, source.region(node)))
            if cached is not None and cached.pixels is not None:
                loaded: np.ndarray = cached.pixels[POSITION]
                return loaded
        return None

    def _picked(self, node: int, row: int) -> PickedPoint | None:
        source = self._source
        records = self._records(node)
        if records is None:
            positions = self._positions(node)
            if positions is None:
                return None
            return PickedPoint(node, row, tuple(positions[row].tolist()), None, ())
        record = records[row : row + 1]
        values = [
            (feature.name, _text(feature.values(record[column_of(feature.name)])[0]))
            for feature in source.features
        ]
        place = tuple(record[POSITION][0].tolist())
        return PickedPoint(node, row, place, int(record[INDEX][0]), tuple(values))

    def _records(self, node: int) -> np.ndarray | None:
        """All columns of a node; asked for where they are not in RAM."""
        source = self._source
        if source.in_memory:
            return source.reader.read(node, *source.region(node)[0], source.columns)
        level = source.level(source.columns)
        cached = self._loader.cache.peek(ChunkId(level.storage.key, source.region(node)))
        if cached is not None:
            return cached.pixels
        if node != self._asked:
            self._asked = node
            request = TileRequest(
                node, level, source.region(node), (0,), (1,), _as_it_is, Tier.PREFETCH
            )
            self.client.replace([request])
        return None


def _text(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    return str(value)


def _as_it_is(block: np.ndarray) -> np.ndarray:
    return block


def _nothing() -> None:
    """Whoever hovers asks again."""
