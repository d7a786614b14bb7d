"""Nodes for the cells of formats of others, whatever their sizes.

Formats with additive levels say how many points each cell holds; we want nodes of about a quota.
So a cell of many points becomes a chain of nodes, each a part of its points in random order: the
first part is the parent of the second, and so on, and the cells below it hang on the last one.

Invariants: pure; parents come before their children; every point is in exactly one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_tree import QUOTA


@dataclass(frozen=True, eq=False)
class CellNodes:
    """The nodes of a set of cells.

    Attributes
    ----------
    table : NodeTable
    cells : (n,) int64
        The cell that each node is a part of.
    firsts : (n,) int64
        Where the node's points begin in its cell, in random order.
    """

    table: NodeTable
    cells: IntArray
    firsts: IntArray

    @classmethod
    def of(
        cls,
        places: IntArray,
        counts: Sequence[int] | IntArray,
        lows: FloatArray,
        highs: FloatArray,
        parents: Sequence[int] | IntArray,
        quota: int = QUOTA,
    ) -> CellNodes:
        """Make the nodes of cells that hold points.

        Parameters
        ----------
        places : (n, ndim) int64
            Of each cell in the grid of its level.
        counts : (n,) of int
            Points of the cell itself, at least 1.
        lows, highs : (n, ndim) float64
            The cells' boxes.
        parents : (n,) of int
            The cell above; it comes earlier. -1 for none.
        quota : int
            Points of a node; a cell of up to twice as many is one node.
        """
        depths: list[int] = []
        own: list[int] = []
        above: list[int] = []
        sizes: list[int] = []
        firsts: list[int] = []
        last = np.zeros(len(places), np.int64)
        for cell, (count, parent) in enumerate(zip(counts, parents, strict=True)):
            count = int(count)
            parts = 1 if count <= 2 * quota else -(-count // quota)
            node = -1 if parent < 0 else int(last[parent])
            for part in range(parts):
                start, stop = part * count // parts, (part + 1) * count // parts
                depths.append(0 if node < 0 else depths[node] + 1)
                above.append(node)
                own.append(cell)
                sizes.append(stop - start)
                firsts.append(start)
                node = len(depths) - 1
            last[cell] = node
        cells = np.array(own, np.int64)
        table, order = NodeTable.in_order(
            np.array(depths, np.int64),
            np.asarray(places, np.int64)[cells],
            np.array(sizes, np.int64),
            np.asarray(lows, float)[cells],
            np.asarray(highs, float)[cells],
            np.array(above, np.int64),
        )
        return cls(table, cells[order], np.array(firsts, np.int64)[order])

    def sampled(self, most: int, few: int = 16) -> list[tuple[int, int]]:
        """Return roots, and how many points to take of each, for a sample of all points."""
        table = self.table
        step = max(table.roots // few, 1)
        chosen = np.arange(0, table.roots, step)
        counts = table.counts[chosen]
        share = min(most / max(int(counts.sum()), 1), 1.0)
        return [(int(n), int(np.ceil(c * share))) for n, c in zip(chosen, counts, strict=True)]
