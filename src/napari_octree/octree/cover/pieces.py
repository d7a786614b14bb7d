"""Rectangles that wait for a chunk to show, and how tile edges cut them.

Invariants: pure; rectangles are (N, 4) float64 rows of y0, x0, y1, x1 in octree coordinates; an
edge of a part is an edge of a tile grid or the very same value as that of the piece that was cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_octree.octree.level import BOXES, FloatArray, IntArray, OctreeLevel


@dataclass(frozen=True)
class Pieces:
    """Rectangles that wait for a chunk, each with the place of its tile in the intersection."""

    rectangles: FloatArray
    owners: IntArray

    def take(self, chosen: npt.NDArray[np.bool_] | IntArray | slice) -> Pieces:
        """Return some of them."""
        return Pieces(self.rectangles[chosen], self.owners[chosen])

    def __add__(self, other: Pieces) -> Pieces:
        return Pieces(
            np.concatenate([self.rectangles, other.rectangles]),
            np.concatenate([self.owners, other.owners]),
        )


def cut(
    level: OctreeLevel, pieces: Pieces, boxes: IntArray, owner: IntArray, cells: IntArray
) -> FloatArray:
    """Return the parts of pieces inside given tiles of a level.

    The outermost tiles of a piece end where the piece ends (not at their own, perhaps
    differently rounded, edges), so that no gap can open between pieces.
    """
    rectangles, spans = pieces.rectangles[owner], np.concatenate([cells, cells + 1], axis=1)
    np.copyto(rectangles, level.edges(BOXES, spans), where=spans != boxes[owner])
    return rectangles
