"""PointGrid: the cells of a tree of points, level by level.

Invariants: immutable and pure. Axes that are split halve from depth to depth; axes of planes
(times, channels) keep their cells: there is a tree for each. All sides of cells that are split are
powers of two, so that a point's cell is exact in float64 and cells of two depths nest: a cell of
depth d is ``floor(position / side * 2**d)``, whatever the data's origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_octree.octree.level import FloatArray, IntArray

CodeArray = npt.NDArray[np.uint64]

MOST_PLANES = 4096
"""An axis with more cells than this is split, or its planes are thicker."""

FEWEST_IN_PLANE = 1024
"""Points that a plane should have on average to be worth a tree of its own."""

THICK_PLANES = 256
"""Cells, at most, of an axis of planes whose positions are not whole numbers, or are many."""

MOST_SPLIT = 3
"""Axes that are split: more would give more than eight children."""


@dataclass(frozen=True)
class PointGrid:
    """How space is divided.

    Attributes
    ----------
    sides : tuple of float
        Per axis: the side of a root cell; of a plane, which never divides, its thickness.
    split : tuple of bool
        Per axis: whether it halves from depth to depth.
    deepest : int
        Depth at which positions can no longer be told apart.
    """

    sides: tuple[float, ...]
    split: tuple[bool, ...]
    deepest: int

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.sides)

    @property
    def split_axes(self) -> tuple[int, ...]:
        """The axes that halve."""
        return tuple(axis for axis, split in enumerate(self.split) if split)

    @property
    def bits(self) -> int:
        """Depths that one code of 64 bits holds."""
        return min(62 // max(len(self.split_axes), 1), 31)

    def shape(self, depth: int) -> FloatArray:
        """Return the sides of a cell at a depth."""
        halvings = np.where(self.split, float(depth), 0.0)
        sides: FloatArray = np.array(self.sides) * 2.0**-halvings
        return sides

    def cells(self, positions: FloatArray, depth: int) -> IntArray:
        """Return the cell of each point at a depth: (N, ndim), floors of multiples of its side."""
        scale = 2.0 ** np.where(self.split, float(depth), 0.0) / np.array(self.sides)
        cells: IntArray = np.floor(np.asarray(positions, np.float64) * scale).astype(np.int64)
        return cells

    def codes(self, positions: FloatArray, depth: int) -> CodeArray:
        """Return where each point lies in its cell of a depth: (N,), the bits of `bits` halvings.

        The first halving is the highest group of bits, one bit for each axis that is split.
        """
        axes = self.split_axes
        down = min(self.bits, self.deepest - depth)
        inside = self.cells(positions, depth + down)
        codes = np.zeros(len(inside), np.uint64)
        low = np.int64((1 << down) - 1)
        for place, axis in enumerate(reversed(axes)):
            bits = (inside[:, axis] & low).astype(np.uint64)
            codes |= _spread(bits, len(axes)) << np.uint64(place)
        return codes << np.uint64(len(axes) * (self.bits - down))

    @classmethod
    def of(
        cls,
        low: FloatArray,
        high: FloatArray,
        planes: dict[int, float] | None = None,
    ) -> PointGrid:
        """Choose the grid of points that lie in a box.

        Parameters
        ----------
        low, high : (ndim,) float64
        planes : {axis: thickness}, optional
            Axes that are not split.
        """
        planes = planes or {}
        ndim = len(low)
        split = tuple(axis not in planes for axis in range(ndim))
        if sum(split) > MOST_SPLIT:
            raise ValueError(f"at most {MOST_SPLIT} axes can be split, not {sum(split)}")
        extents = [float(high[a] - low[a]) for a in range(ndim) if split[a]]
        extent = max(extents, default=0.0)
        ends = [float(v[a]) for a in range(ndim) if split[a] for v in (low, high)]
        far = max(map(abs, ends), default=0.0)
        # Points of no extent get a cell that their coordinates can still tell apart.
        extent = max(extent, far * 2.0**-40, 2.0**-900)
        side = 2.0 ** math.ceil(math.log2(extent))
        # Beyond this floor(position / side * 2^depth) is no exact int64.
        deepest = max(61 - max(math.ceil(math.log2(max(far / side, 1.0))), 0), 0)
        deepest = min(deepest, 56)
        sides = tuple(planes.get(axis, side) for axis in range(ndim))
        return cls(sides, split, deepest)


def choose_planes(
    low: FloatArray,
    high: FloatArray,
    count: int,
    integers: tuple[bool, ...],
    planes: tuple[int, ...] | None = None,
) -> dict[int, float]:
    """Choose the axes of which each plane gets a tree of its own, and how thick it is.

    A slice through a tree that is split along the slider would show little of what it loads. So
    axes of whole numbers with enough points in each plane are not split, nor are all before the
    last three.

    Parameters
    ----------
    low, high : (ndim,) float64
        The points' bounds.
    count : int
        How many there are.
    integers : tuple of bool
        Per axis: whether all positions are whole numbers.
    planes : tuple of int, optional
        The axes that the caller wants; the last one or two axes can be among them too.

    Returns
    -------
    {axis: thickness}
    """
    ndim = len(low)
    if planes is not None:
        wanted = {axis % ndim for axis in planes}
    else:
        wanted = set(range(max(ndim - MOST_SPLIT, 0)))
        trees = 1.0
        for axis in range(ndim - 2):
            cells = float(high[axis] - low[axis]) + 1
            trees *= cells if integers[axis] else 1
            enough = count >= trees * FEWEST_IN_PLANE and trees <= MOST_PLANES
            if integers[axis] and enough:
                wanted.add(axis)
    chosen = {}
    for axis in sorted(wanted):
        extent = max(float(high[axis] - low[axis]), 0.0)
        if integers[axis] and extent < MOST_PLANES:
            chosen[axis] = 1.0
        else:
            chosen[axis] = 2.0 ** math.ceil(math.log2(max(extent, 2.0**-900) / THICK_PLANES))
    return chosen


def _spread(values: CodeArray, axes: int) -> CodeArray:
    """Put axes − 1 zero bits between the bits of values (31 bits of two, 20 of three axes)."""
    if axes == 1:
        return values
    if axes == 2:
        steps: tuple[tuple[int, int], ...] = (
            (16, 0x0000FFFF0000FFFF),
            (8, 0x00FF00FF00FF00FF),
            (4, 0x0F0F0F0F0F0F0F0F),
            (2, 0x3333333333333333),
            (1, 0x5555555555555555),
        )
    else:
        steps = (
            (32, 0x001F00000000FFFF),
            (16, 0x001F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        )
    for shift, mask in steps:
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
