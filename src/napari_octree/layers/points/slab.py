"""Slab: what the sliders of a viewer choose of points with more axes than are displayed.

Invariants: immutable and pure, so that workers use it; the same points, in the same sizes, as
napari's own slices of points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Slab:
    """Some thickness of space.

    Attributes
    ----------
    displayed : tuple of int
        Axes that are drawn, in the order (…, row, column).
    low, high : tuple of float
        Per axis; infinite where the axis is displayed.
    point : tuple of float
        Where the sliders stand.
    rescale : {"", "linear", "spherical"}
        How points that lie off the middle are drawn smaller.
    """

    displayed: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    point: tuple[float, ...]
    rescale: str = ""

    @property
    def hidden(self) -> list[int]:
        """The axes of sliders."""
        return [axis for axis in range(len(self.low)) if axis not in self.displayed]

    def inside(self, positions: np.ndarray) -> np.ndarray | None:
        """Tell which of some positions, (N, ndim), lie in it; None: all."""
        hidden = self.hidden
        if not hidden:
            return None
        places = positions[:, hidden]
        low, high = np.array(self.low)[hidden], np.array(self.high)[hidden]
        found: np.ndarray = np.logical_and.reduce((places >= low) & (places <= high), axis=1)
        return found

    def factors(self, positions: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Return by what the size of points in it is multiplied; 0 hides a point.

        Parameters
        ----------
        positions : (N, ndim) array
        radii : (N,) array
            Of the points as they are, in data coordinates.
        """
        hidden = self.hidden
        if not (hidden and self.rescale):
            return np.ones(len(positions))
        off = positions[:, hidden] - np.array(self.point)[hidden]
        if self.rescale == "linear":
            low = (np.array(self.low) - np.array(self.point))[hidden]
            high = (np.array(self.high) - np.array(self.point))[hidden]
            scales: np.ndarray = np.prod(1 - off / np.where(off < 0, low, high), axis=1)
            return scales
        # A ball cut by the middle of the slab, axis by axis.
        radii = np.maximum(radii, 1e-300)[:, np.newaxis]
        meets = (np.abs(off) < radii).all(axis=1)
        share = np.prod(1 - np.minimum(np.abs(off) / radii, 1), axis=1)
        return np.where(meets, np.sqrt(np.maximum(1 - (1 - share) ** 2, 0)), 0.0)
