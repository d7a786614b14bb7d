"""Levels of a pyramid: where their pixels lie and how they are cut into tiles.

Invariants
----------
* Everything is computed from a formula, nothing is stored per tile: a level may have 2^40
  pixels a side.
* The tiles of one level cover the extent of level 0 exactly once. Inner edges follow the level's
  own pixels; the first and last tile reach to the border of level 0 even where the level
  itself starts later or ends earlier (floor-sized levels), so every level can stand in anywhere.
* An edge is always computed by the same expression (`OctreeLevel.edges`), so two tiles that
  share an edge share the very same float64 value.

Octree coordinates: float64, level-0 pixel *i* covers [i, i + 1). Axis order (…, z, y, x).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_octree.octree.transform import LevelTransform

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BOXES = slice(None)
"""In the place of an axis: arrays of (…, 2·rank) hold starts, then stops, of all axes."""


@dataclass(frozen=True)
class OctreeLevel:
    """One level of a pyramid and its grid of tiles.

    Attributes
    ----------
    index : int
        0 is the finest.
    shape : tuple of int
        Pixels per displayed axis.
    tile_shape : tuple of int
        Pixels of a whole tile per axis; tiles at the far edge are cut to the level.
    transform : LevelTransform
        From edges of level pixels to octree coordinates.
    extent : tuple of int
        Shape of level 0: the region that the tiles of every level cover.
    """

    index: int
    shape: tuple[int, ...]
    tile_shape: tuple[int, ...]
    transform: LevelTransform
    extent: tuple[int, ...]

    @cached_property
    def grid_shape(self) -> tuple[int, ...]:
        """Number of tiles per axis."""
        return tuple(-(-n // t) for n, t in zip(self.shape, self.tile_shape, strict=True))

    @cached_property
    def pitch(self) -> tuple[float, ...]:
        """Length of a whole tile per axis, in octree coordinates."""
        return tuple(f * t for f, t in zip(self.transform.factor, self.tile_shape, strict=True))

    @cached_property
    def _numbers(self) -> FloatArray:
        """Pitch, translation, extent, number of tiles and factor: (5, 2·rank), all axes twice."""
        factor, translation = self.transform.factor, self.transform.translation
        numbers = (self.pitch, translation, self.extent, self.grid_shape, factor)
        return np.tile(np.array(numbers, np.float64), 2)

    @cached_property
    def _starts_late(self) -> bool:
        """Its own pixels begin after those of level 0 on some axis."""
        return max(self.transform.translation) > 0

    @cached_property
    def _ends_early(self) -> bool:
        """Its own tiles end before level 0 does on some axis."""
        pitch, origin, extent, n, _ = self._numbers
        return bool((pitch * n + origin < extent).any())

    def tile_region(self, index: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Pixels of a tile: a half-open (start, stop) per axis, cut to the level."""
        return tuple(
            (i * t, min((i + 1) * t, n))
            for i, t, n in zip(index, self.tile_shape, self.shape, strict=True)
        )

    def tile_bounds(self, index: Sequence[int]) -> tuple[tuple[float, float], ...]:
        """Region that a tile stands for: (start, stop) per axis, in octree coordinates."""
        return tuple((self.edge(a, i), self.edge(a, i + 1)) for a, i in enumerate(index))

    def edge(self, axis: int, i: int) -> float:
        """`edges` of a single tile."""
        extent = float(self.extent[axis])
        if i <= 0:
            return 0.0
        if i >= self.grid_shape[axis]:
            return extent
        return min(max(self.pitch[axis] * i + self.transform.translation[axis], 0.0), extent)

    def edges(self, axis: int | slice, i: IntArray) -> FloatArray:
        """Where tiles `i` of an axis begin (and tiles ``i - 1`` end), in octree coordinates.

        With `BOXES` in the place of an axis: the regions of boxes of tiles, (N, 2·rank).
        """
        pitch, origin, extent, n, _ = self._numbers[:, axis]
        edges: FloatArray = pitch * i
        edges += origin
        np.minimum(np.maximum(edges, 0.0, out=edges), extent, out=edges)
        if self._starts_late:
            edges[i <= 0] = 0.0
        if self._ends_early:
            np.copyto(edges, extent, where=i >= n)
        return edges

    def bounds(self, tiles: IntArray) -> FloatArray:
        """`tile_bounds` of many tiles: (N, 2·rank), all starts and then all stops."""
        return self.edges(BOXES, np.concatenate([tiles, tiles + 1], axis=1))

    def texels(self, regions: FloatArray, tiles: IntArray) -> FloatArray:
        """Pixels of the level, from the first one of a tile, that regions cover.

        Parameters
        ----------
        regions : (N, 2·rank) float64
            Starts and stops in octree coordinates.
        tiles : (N, rank) int64
            Those that each region is counted from.

        Returns
        -------
        (N, 2·rank) float64
        """
        pitch, origin, _, _, factor = self._numbers
        texels: FloatArray = regions - (np.concatenate([tiles, tiles], axis=1) * pitch + origin)
        texels /= factor
        return texels

    def tile_ranges(
        self, axis: int | slice, start: FloatArray, stop: FloatArray, slack: float = 0.0
    ) -> tuple[IntArray, IntArray]:
        """Tiles that intervals touch.

        Parameters
        ----------
        axis : int or slice
            The axis of the intervals. Or several: then they are the last axis of `start` and
            `stop`.
        start, stop : numpy.ndarray
            Intervals in octree coordinates. They may reach outside the extent.
        slack : float
            Overlaps thinner than this do not count (octree coordinates).

        Returns
        -------
        first, last : numpy.ndarray of int64
            Half-open ranges of tile indices; empty (``first >= last``) for intervals that lie
            outside the extent or are empty themselves.
        """
        pitch, origin, extent, n, _ = self._numbers[:, axis]
        low = np.floor((start + (slack - origin)) / pitch)
        high = np.ceil((stop - (slack + origin)) / pitch)
        first = np.minimum(np.maximum(low, 0), n - 1).astype(np.int64)
        last = np.minimum(np.maximum(high, 1), n).astype(np.int64)
        # An interval thinner than the slack, or than rounding, still lies in some tile.
        np.maximum(last, first + 1, out=last)
        np.copyto(last, first, where=(stop <= 0) | (start >= extent) | (stop <= start))
        return first, last

    def tile_range(self, axis: int, start: float, stop: float) -> tuple[int, int]:
        """`tile_ranges` of a single interval: the same arithmetic on plain numbers."""
        n, pitch = self.grid_shape[axis], self.pitch[axis]
        origin = self.transform.translation[axis]
        first = int(min(max((start - origin) / pitch, 0.0), n - 1.0))
        if stop <= 0 or start >= self.extent[axis] or stop <= start:
            return first, first
        last = math.ceil(min(max((stop - origin) / pitch, 1.0), float(n)))
        return first, max(last, first + 1)
