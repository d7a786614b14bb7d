"""NodeTable: all nodes of the trees of a set of points, as arrays.

Invariants: immutable; parents come before their children, and the children of a node lie side by
side; the points of node i are the rows ``starts[i] … starts[i] + counts[i]`` of the set in its own
order, in random order among themselves. Every point is in exactly one node.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_octree.octree.level import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class NodeTable:
    """The nodes.

    Attributes
    ----------
    depths : (n,) int64
        0 is a root.
    cells : (n, ndim) int64
        Each node's cell in the grid of its depth.
    counts : (n,) int64
        Points of the node itself.
    subtrees : (n,) int64
        Points of the node and of all below it.
    lows, highs : (n, ndim) float64
        The box of all these points.
    parents : (n,) int64
        -1 for a root.
    """

    depths: IntArray
    cells: IntArray
    counts: IntArray
    subtrees: IntArray
    lows: FloatArray
    highs: FloatArray
    parents: IntArray

    def __len__(self) -> int:
        return len(self.depths)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return int(self.cells.shape[1])

    @property
    def count(self) -> int:
        """Points in all."""
        return int(self.counts.sum())

    @cached_property
    def ends(self) -> IntArray:
        """The end of each node's points: (n,)."""
        return np.cumsum(self.counts)

    @cached_property
    def starts(self) -> IntArray:
        """The first of each node's points: (n,)."""
        starts: IntArray = self.ends - self.counts
        return starts

    @cached_property
    def roots(self) -> int:
        """How many roots there are: they come first."""
        return int(np.count_nonzero(self.parents < 0))

    @cached_property
    def child_counts(self) -> IntArray:
        """How many children each node has: (n,)."""
        return np.bincount(self.parents[self.roots :], minlength=len(self)).astype(np.int64)

    @cached_property
    def first_children(self) -> IntArray:
        """The first child of each node: (n,); meaningless where it has none."""
        starts: IntArray = self.roots + np.cumsum(self.child_counts) - self.child_counts
        return starts

    @cached_property
    def drawn_within(self) -> IntArray:
        """Points of each node and of those above it with the same box: (n,).

        More than its own only where a place is divided by numbers alone, not by space.
        """
        within = self.counts.copy()
        for depth in range(1, int(self.depths.max(initial=0)) + 1):
            rows = np.flatnonzero(self.depths == depth)
            above = self.parents[rows]
            same = (self.lows[rows] == self.lows[above]).all(axis=1)
            same &= (self.highs[rows] == self.highs[above]).all(axis=1)
            within[rows] += np.where(same, within[above], 0)
        return within

    def children(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return the children of some nodes: where their parents are in `rows`, and their rows."""
        sizes = self.child_counts[rows]
        owner = np.repeat(np.arange(len(rows)), sizes)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return owner, self.first_children[rows][owner] + within

    @property
    def bounds(self) -> FloatArray:
        """The box of all points: (2, ndim); NaN if there are none."""
        if not len(self):
            return np.full((2, self.ndim), np.nan)
        n = self.roots
        return np.array([self.lows[:n].min(axis=0), self.highs[:n].max(axis=0)])

    @classmethod
    def empty(cls, ndim: int) -> NodeTable:
        """Return the table of no points."""
        none, boxes = np.zeros(0, np.int64), np.zeros((0, ndim))
        return cls(none, np.zeros((0, ndim), np.int64), none, none, boxes, boxes, none)

    @classmethod
    def in_order(
        cls,
        depths: IntArray,
        cells: IntArray,
        counts: IntArray,
        lows: FloatArray,
        highs: FloatArray,
        parents: IntArray,
    ) -> tuple[NodeTable, IntArray]:
        """Make a table of nodes in any order, with the boxes of their own points.

        Parents are places among these nodes.

        Returns
        -------
        table : NodeTable
        order : (n,) int64
            Where each of its nodes was.
        """
        n = len(depths)
        order = _breadth_first(depths, cells, parents)
        place = np.empty(n + 1, np.int64)
        place[order] = np.arange(n)
        place[-1] = -1
        moved = place[parents[order]]
        subtrees, low, high = counts[order].copy(), lows[order].copy(), highs[order].copy()
        of_depth = depths[order]
        for depth in range(int(of_depth.max(initial=0)), 0, -1):
            rows = np.flatnonzero(of_depth == depth)
            np.add.at(subtrees, moved[rows], subtrees[rows])
            np.minimum.at(low, moved[rows], low[rows])
            np.maximum.at(high, moved[rows], high[rows])
        table = cls(of_depth, cells[order], counts[order], subtrees, low, high, moved)
        return table, order


def _breadth_first(depths: IntArray, cells: IntArray, parents: IntArray) -> IntArray:
    """Order nodes by depth, within it by the order of their parents, within that by cell."""
    place = np.full(len(depths) + 1, -1, np.int64)
    order: list[IntArray] = []
    done = 0
    for depth in range(int(depths.max(initial=-1)) + 1):
        rows = np.flatnonzero(depths == depth)
        keys = (*cells[rows].T[::-1], place[parents[rows]])
        rows = rows[np.lexsort(keys)]
        place[rows] = np.arange(done, done + len(rows))
        done += len(rows)
        order.append(rows)
    return np.concatenate(order) if order else np.zeros(0, np.int64)
