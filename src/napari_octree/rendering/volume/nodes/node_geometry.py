"""How the bricks of neighbouring levels of an octree lie on each other.

Invariants: pure; a function of the octree alone. What the CPU enters into the textures of nodes,
and where the GPU looks for it, follow from it by the same formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.octree import Octree

CHILD_SLACK = 2.0**-8
"""In bricks: rounding of float32 when the shader computes the first child of a brick."""

MAX_LEVELS = 24
"""As in bricks.glsl."""

TABLE_BRICKS = 16**3
"""The finest level that nests and has no more bricks than these has a table."""


@dataclass(frozen=True, eq=False)
class NodeGeometry:
    """How bricks of neighbouring levels lie on each other; what the shader is told of it.

    Attributes
    ----------
    octree : Octree
        Of three axes.
    pitch, translation : (levels, 3) float64
        Size of a brick and place of the first, octree coordinates.
    last : (levels, 3) int64
        Index of the last brick.
    ratio, shift : (levels, 3) float64
        Brick j of level + 1 begins at ``j * ratio + shift`` in bricks of the level.
    block : (3,) int64
        Most children per axis.
    """

    octree: Octree
    pitch: FloatArray
    translation: FloatArray
    last: IntArray
    ratio: FloatArray
    shift: FloatArray
    block: IntArray

    @classmethod
    def of(cls, octree: Octree) -> NodeGeometry:
        """Compute the geometry of an octree.

        Raises
        ------
        ValueError
            It has not three axes, or more levels than the shader can walk.
        """
        if len(octree.extent) != 3 or len(octree.levels) > MAX_LEVELS:
            raise ValueError(
                f"a volume needs 3 axes and at most {MAX_LEVELS} levels, not "
                f"{len(octree.extent)} and {len(octree.levels)}"
            )
        pitch = np.array([level.pitch for level in octree.levels])
        translation = np.array([level.transform.translation for level in octree.levels])
        last = np.array([level.grid_shape for level in octree.levels], np.int64) - 1
        ratio, shift = np.ones_like(pitch), np.zeros_like(pitch)
        ratio[:-1] = pitch[1:] / pitch[:-1]
        shift[:-1] = (translation[1:] - translation[:-1]) / pitch[:-1]
        # A brick begins up to the slack before a whole child, and ends anywhere.
        block = np.ceil(np.ceil(ratio[:-1] - 2 * CHILD_SLACK) + _fraction(ratio, shift)[:-1])
        widest = np.maximum(block.max(axis=0, initial=1.0).astype(np.int64), last[-1] + 1)
        geometry = cls(octree, pitch, translation, last, ratio, shift, widest)
        for level in range(len(pitch) - 1):
            # The last brick of a level also has the children beyond its own end.
            beyond = last[level] + 1 - geometry.first_child(level, last[level + 1])
            np.maximum(widest, beyond, out=widest)
        return geometry

    def first_child(self, level: int, parents: IntArray) -> IntArray:
        """Index in `level` of the first child of bricks of ``level + 1``; the shader's formula."""
        first = np.floor(parents * self.ratio[level] + self.shift[level] + CHILD_SLACK)
        return np.where(parents > 0, np.maximum(first, 0.0), 0.0).astype(np.int64)

    @cached_property
    def table_level(self) -> int:
        """The finest level that has a table (`node_table`), the coarsest in the worst case.

        Each of its bricks lies in one brick of every coarser level, and there are few of them.
        """
        bricks = self.last + 1
        level = len(bricks) - 1
        while level > 0 and self._nests(level - 1) and bricks[level - 1].prod() <= TABLE_BRICKS:
            level -= 1
        return level

    def _nests(self, level: int) -> bool:
        """Whether each brick of a level lies in one of the next coarser level."""
        ratio = np.round(self.ratio[level])
        return bool(
            np.isclose(self.ratio[level], ratio, atol=1e-9).all()
            and (self.shift[level] == 0).all()
            and ((self.last[level + 1] + 1) * ratio > self.last[level]).all()
        )

    def above(self, level: int) -> list[IntArray]:
        """Per axis, in which brick of a coarser level each brick of `table_level` lies."""
        finest = self.table_level
        counts = np.round(self.pitch[level] / self.pitch[finest]).astype(np.int64)
        return [
            np.arange(n + 1) // count for n, count in zip(self.last[finest], counts, strict=True)
        ]

    def parents(self, level: int, tiles: IntArray) -> tuple[IntArray, IntArray]:
        """Bricks of ``level + 1`` that bricks of `level` overlap.

        Returns
        -------
        child, parents : (M,), (M, 3) int64
            Position among `tiles`, and the index of the coarser brick.
        """
        coarse, fine = self.octree.levels[level + 1], self.octree.levels[level]
        child = np.arange(len(tiles))
        columns: list[IntArray] = []
        for axis in range(3):
            start = fine.edges(axis, tiles[:, axis])
            stop = fine.edges(axis, tiles[:, axis] + 1)
            first, last = coarse.tile_ranges(
                axis, start, stop, CHILD_SLACK * self.pitch[level, axis]
            )
            widest = int((last - first).max(initial=1))
            first, last = first[child], last[child]
            steps = np.arange(widest)
            inside = (first[:, None] + steps) < last[:, None]
            rows, nth = np.nonzero(inside)
            child = child[rows]
            columns = [column[rows] for column in columns] + [first[rows] + nth]
        return child, np.stack(columns, axis=1)


def _fraction(ratio: FloatArray, shift: FloatArray) -> FloatArray:
    """1 where bricks of two levels do not nest, else 0."""
    nested = np.isclose(ratio, np.round(ratio), atol=1e-9) & np.isclose(
        shift, np.round(shift), atol=1e-9
    )
    return np.where(nested, 0.0, 1.0)
