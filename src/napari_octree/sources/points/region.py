"""The points of a part of space, exactly: how many there are, and which.

Invariants: worker threads; nodes that lie in the region with all that is below them are counted
without reading them; the others are read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.points.node_table import NodeTable
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.points_source import POSITION, PointsSource

Report = Callable[[int, int], None]


class Cancelled(Exception):  # noqa: N818  # it is no error
    """Somebody does not want to know any more."""


@dataclass(frozen=True, eq=False)
class PointRegion:
    """A convex polygon over two axes, and a range along all others.

    Attributes
    ----------
    low, high : (ndim,) float64
        Both ends included; infinite where nothing is left out.
    axes : (int, int) or None
        Those of the polygon.
    corners : (n, 2) float64 or None
        Of the polygon, in order around it; None: the ranges are all.
    """

    low: np.ndarray
    high: np.ndarray
    axes: tuple[int, int] | None = None
    corners: np.ndarray | None = None

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """Tell which positions, (N, ndim), lie in it: (N,) bool."""
        found: np.ndarray = np.logical_and.reduce(
            (positions >= self.low) & (positions <= self.high), axis=1
        )
        if self.corners is not None and self.axes is not None:
            found &= (self._sides(positions[:, list(self.axes)]) >= 0).all(axis=1)
        return found

    def _sides(self, points: np.ndarray) -> np.ndarray:
        """How far points lie inside each side of the polygon: (N, n), negative outside."""
        assert self.corners is not None
        corners = self.corners
        ways = np.roll(corners, -1, axis=0) - corners
        turn = np.sign(_area(corners)) or 1.0
        off = points[:, np.newaxis] - corners
        sides: np.ndarray = turn * (ways[:, 0] * off[..., 1] - ways[:, 1] * off[..., 0])
        return sides

    def nodes(self, table: NodeTable) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of nodes that lie in it with all below them, and of those that may.

        Of a node of the first kind those below it are in neither.
        """
        whole: list[np.ndarray] = []
        partly: list[np.ndarray] = []
        rows = np.arange(table.roots)
        while len(rows):
            lows, highs = table.lows[rows], table.highs[rows]
            meets = ((highs >= self.low) & (lows <= self.high)).all(axis=1)
            within = ((lows >= self.low) & (highs <= self.high)).all(axis=1)
            if self.corners is not None and self.axes is not None:
                y, x = self.axes
                boxes = [
                    self._sides(np.stack([a[:, y], b[:, x]], axis=1))
                    for a in (lows, highs)
                    for b in (lows, highs)
                ]
                sides = np.stack(boxes)
                within &= np.logical_and.reduce(sides >= 0, axis=(0, 2))
                outside = np.logical_and.reduce(sides < 0, axis=0)
                meets &= ~np.logical_or.reduce(outside, axis=1)
            whole.append(rows[meets & within])
            rows = rows[meets & ~within]
            partly.append(rows)
            rows = table.children(rows)[1]
        if not whole:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(whole), np.concatenate(partly)


def _area(corners: np.ndarray) -> float:
    y, x = corners[:, 1], corners[:, 0]
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def count_points(source: PointsSource, region: PointRegion, report: Report | None = None) -> int:
    """Return how many points lie in a region: exactly, reading only nodes at its border.

    Parameters
    ----------
    source : PointsSource
    region : PointRegion
    report : callable, optional
        Called with the nodes that are done and all; may raise `Cancelled`.
    """
    whole, partly = region.nodes(source.table)
    count = int(source.table.subtrees[whole].sum())
    for records in _read(source, partly, (POSITION,), report):
        count += int(np.count_nonzero(region.inside(records[POSITION])))
    return count


def points_in(
    source: PointsSource, region: PointRegion, most: int, report: Report | None = None
) -> np.ndarray:
    """Return the points of a region with all columns, in the order of the trees.

    Raises
    ------
    SourceError
        There are more than `most`.
    """
    whole, partly = region.nodes(source.table)
    total = int(source.table.subtrees[whole].sum())
    if total > most:
        raise SourceError(f"there are more than {most:,} points: {total:,} at least")
    below = [whole]
    while len(below[-1]):
        below.append(source.table.children(below[-1])[1])
    rows = np.concatenate([*below, partly])
    found, count = [np.zeros(0, source.dtype(source.columns))], 0
    for records in _read(source, np.sort(rows), source.columns, report):
        kept = records[region.inside(records[POSITION])]
        count += len(kept)
        if count > most:
            raise SourceError(f"there are more than {most:,} points")
        found.append(kept)
    return np.concatenate(found)


def _read(
    source: PointsSource, rows: np.ndarray, columns: tuple[str, ...], report: Report | None
) -> Iterator[np.ndarray]:
    for done, node in enumerate(rows.tolist()):
        if report is not None:
            report(done, len(rows))
        start, stop = source.region(node)[0]
        yield source.reader.read(node, start, stop, columns)
    if report is not None:
        report(len(rows), len(rows))
