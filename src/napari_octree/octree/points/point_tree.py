"""Build the trees of points that are in memory: pure functions in numpy.

Invariants: a node keeps the points with the least hashes of all in its cell that its ancestors
have left: exactly `quota` of them, or all if no more than twice as many are left. Hashes are those
of the points' numbers, not of a generator: so the trees do not depend on how the points came in
blocks, and each node, and each prefix of it, is a random sample of its cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import CodeArray, PointGrid

QUOTA = 16384
"""Points that an inner node keeps. With fewer, requests dominate; with more, culling is coarse."""


def hashes_of(numbers: IntArray) -> CodeArray:
    """Return a random-looking number for each point's number: (N,), all different.

    The finalizer of splitmix64 (Steele, Lea and Flood 2014), which is a bijection.
    """
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: CodeArray = z ^ (z >> np.uint64(31))
    return mixed


@dataclass(eq=False)
class _Nodes:
    """The nodes found so far, and the rows of each."""

    depths: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    cells: list[IntArray] = field(default_factory=list)
    rows: list[IntArray] = field(default_factory=list)

    def add(self, depth: int, parent: int, cell: IntArray, rows: IntArray) -> int:
        self.depths.append(depth)
        self.parents.append(parent)
        self.cells.append(cell)
        self.rows.append(rows)
        return len(self.depths) - 1


def build_trees(
    positions: FloatArray,
    hashes: CodeArray,
    grid: PointGrid,
    quota: int = QUOTA,
    top: int = 0,
) -> tuple[NodeTable, IntArray]:
    """Build the trees of some points.

    Parameters
    ----------
    positions : (N, ndim) float32 or float64
        All finite.
    hashes : (N,) uint64
        All different; see `hashes_of`.
    grid : PointGrid
    quota : int
    top : int
        The depth at which the trees begin: where points are all of one subtree.

    Returns
    -------
    table : NodeTable
        With depths from `top` on; those nodes are its roots.
    order : (N,) int64
        The rows of all nodes, one after the other; by hash within each.
    """
    n, ndim = len(positions), grid.ndim
    if not n:
        return NodeTable.empty(ndim), np.zeros(0, np.int64)
    nodes = _Nodes()
    for rows, cell in _groups(grid.cells(positions, top)):
        _grow(nodes, positions, hashes, grid, quota, (rows, top, cell, -1))
    lows = np.empty((len(nodes.rows), ndim))
    highs = np.empty_like(lows)
    for i, rows in enumerate(nodes.rows):
        points = positions[rows]
        lows[i], highs[i] = points.min(axis=0), points.max(axis=0)
    counts = np.array([len(rows) for rows in nodes.rows], np.int64)
    table, order = NodeTable.in_order(
        np.array(nodes.depths, np.int64) - top,
        np.array(nodes.cells, np.int64).reshape(-1, ndim),
        counts,
        lows,
        highs,
        np.array(nodes.parents, np.int64),
    )
    if top:
        table = NodeTable(
            table.depths + top,
            table.cells,
            table.counts,
            table.subtrees,
            table.lows,
            table.highs,
            table.parents,
        )
    return table, np.concatenate([nodes.rows[i] for i in order])


def _groups(cells: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Return the rows of each distinct cell, and the cell."""
    low = cells.min(axis=0)
    spans = cells.max(axis=0) - low + 1
    if (spans == 1).all():
        return [(np.arange(len(cells)), low)]
    if float(np.prod(spans.astype(float))) < 2.0**62:
        strides = np.concatenate([np.cumprod(spans[::-1])[::-1][1:], [1]])
        numbers = (cells - low) @ strides
        order = np.argsort(numbers, kind="stable")
    else:
        order = np.lexsort(cells.T[::-1])
    changed = (np.diff(cells[order], axis=0) != 0).any(axis=1)
    groups = np.split(order, np.flatnonzero(changed) + 1)
    return [(np.sort(rows), cells[rows[0]]) for rows in groups]


def _grow(
    nodes: _Nodes,
    positions: FloatArray,
    hashes: CodeArray,
    grid: PointGrid,
    quota: int,
    start: tuple[IntArray, int, IntArray, int],
) -> None:
    """Add the nodes of one cell and all below it."""
    axes = grid.split_axes
    ways = np.arange(1, 2 ** len(axes), dtype=np.uint64)
    steps = np.zeros((2 ** len(axes), grid.ndim), np.int64)
    for bit, axis in enumerate(reversed(axes)):
        steps[:, axis] = np.arange(2 ** len(axes)) >> bit & 1
    halves = np.where(grid.split, 2, 1)
    waiting: list[tuple[IntArray, CodeArray | None, int, int, IntArray, int]] = []
    rows, depth, cell, parent = start
    waiting.append((rows, None, 0, depth, cell, parent))
    while waiting:
        rows, codes, used, depth, cell, parent = waiting.pop()
        few = len(rows) <= 2 * quota or depth >= grid.deepest or not axes
        of_rows = hashes[rows]
        if few:
            nodes.add(depth, parent, cell, rows[np.argsort(of_rows)])
            continue
        least = np.argpartition(of_rows, quota - 1)[:quota]
        kept = rows[least]
        node = nodes.add(depth, parent, cell, kept[np.argsort(of_rows[least])])
        rest = np.ones(len(rows), np.bool_)
        rest[least] = False
        rows = rows[rest]
        if codes is None or used >= grid.bits:
            codes = grid.codes(positions[rows], depth)
            order = np.argsort(codes, kind="stable")
            rows, codes, used = rows[order], codes[order], 0
        else:
            codes = codes[rest]
        # All codes agree in what is above this depth's bits.
        shift = len(axes) * (grid.bits - used - 1)
        above = int(codes[0]) >> (shift + len(axes)) << (shift + len(axes))
        edges = codes.searchsorted(np.uint64(above) + (ways << np.uint64(shift)))
        for way, (part, part_codes) in enumerate(
            zip(np.split(rows, edges), np.split(codes, edges), strict=True)
        ):
            if len(part):
                child = cell * halves + steps[way]
                waiting.append((part, part_codes, used + 1, depth + 1, child, node))


def sample_rows(hashes: npt.NDArray[np.uint64], most: int) -> IntArray:
    """Return the rows of a random sample: those with the least hashes, in their order."""
    n = len(hashes)
    if n <= most:
        return np.argsort(hashes)
    least = np.argpartition(hashes, most - 1)[:most]
    return least[np.argsort(hashes[least])]
