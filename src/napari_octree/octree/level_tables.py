"""The numbers of all levels as arrays, for batches of tiles of different levels.

Invariants: immutable; rows are levels, columns axes; edges are computed by the expression of
`OctreeLevel.edges` and are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.level import FloatArray, IntArray, OctreeLevel


@dataclass(frozen=True, eq=False)
class LevelTables:
    """Geometry of every level.

    Attributes
    ----------
    factor : (levels, rank) float64
        Level-0 pixels per pixel.
    pitches, origins : (levels, 2·rank) float64
        Length of a whole tile and translation, twice side by side: for starts and stops.
    grid_shape : (levels, rank) int64
    extent, extents : (rank,), (2·rank,) float64
        Shape of level 0, once and twice.
    shifted : bool
        Whether some level has a translation.
    starts_late, ends_early : bool
        Whether some level's own pixels begin after, or end before, those of level 0.
    some_empty : bool
        Whether some tile lies wholly outside level 0 and so stands for nothing.
    steps : (levels, rank) int64 or None
        Tiles per coarser tile, if every level's grid nests in the next coarser one.
    """

    factor: FloatArray
    pitches: FloatArray
    origins: FloatArray
    grid_shape: IntArray
    extent: FloatArray
    extents: FloatArray
    shifted: bool
    starts_late: bool
    ends_early: bool
    some_empty: bool
    steps: IntArray | None

    @classmethod
    def of(cls, levels: Sequence[OctreeLevel]) -> LevelTables:
        """Collect the numbers of some levels."""
        pitch = np.array([level.pitch for level in levels])
        origin = np.array([level.transform.translation for level in levels])
        grid = np.array([level.grid_shape for level in levels], np.int64)
        extent = np.array(levels[0].extent, np.float64)
        steps = np.ones_like(pitch)
        steps[1:] = pitch[1:] / pitch[:-1]
        nested = (
            bool((steps == np.rint(steps)).all())
            and bool((origin == origin[0]).all())
            and bool((grid[1:] * steps[1:] >= grid[:-1]).all())
        )
        return cls(
            np.array([level.transform.factor for level in levels]),
            np.tile(pitch, 2),
            np.tile(origin, 2),
            grid,
            extent,
            np.tile(extent, 2),
            bool(origin.any()),
            bool((origin > 0).any()),
            bool((pitch * grid + origin < extent).any()),
            bool(((pitch * (grid - 1) + origin >= extent) | (pitch + origin <= 0)).any()),
            steps.astype(np.int64) if nested else None,
        )

    def bounds(self, levels: IntArray, tiles: IntArray) -> FloatArray:
        """Find the regions of tiles: (N, 2·rank) starts, then stops, in octree coordinates."""
        rank = tiles.shape[1]
        both = np.concatenate([tiles, tiles + 1], axis=1)
        bounds: FloatArray = self.pitches[levels] * both
        if self.shifted:
            bounds += self.origins[levels]
        np.minimum(np.maximum(bounds, 0.0, out=bounds), self.extents, out=bounds)
        # Only levels that do not reach the border by themselves need this.
        if self.starts_late:
            bounds[:, :rank][tiles <= 0] = 0.0
        if self.ends_early:
            last = both[:, rank:] >= self.grid_shape[levels]
            bounds[:, rank:][last] = np.broadcast_to(self.extent, last.shape)[last]
        return bounds

    def children(
        self, levels: IntArray, tiles: IntArray, bounds: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """Find the tiles one level finer that belong to given tiles.

        A tile belongs to the coarser tile in which its centre lies, so every tile has exactly
        one parent, whether the levels nest or not.

        Parameters
        ----------
        levels : (N,) int64
            Of the parents; at least 1.
        tiles : (N, rank) int64
            The parents.
        bounds : (N, 2·rank) float64
            Their `bounds`.

        Returns
        -------
        owner : (M,) int64
            Position of each child's parent among the N; rising.
        children : (M, rank) int64
        """
        if self.steps is not None:
            nested = self.steps[levels]
            first = tiles * nested
            last = np.minimum(first + nested, self.grid_shape[levels - 1])
        else:
            first, last = self._centred(levels - 1, bounds)
        sizes = last - first
        steps = np.indices(sizes.max(axis=0, initial=0)).reshape(sizes.shape[1], -1).T
        owner = np.repeat(np.arange(len(levels)), len(steps))
        children = (first[:, np.newaxis] + steps).reshape(-1, sizes.shape[1])
        if (sizes == sizes[:1]).all():
            return owner, children
        own = np.flatnonzero((children < last[owner]).all(axis=1))
        return owner[own], children[own]

    def _centred(self, levels: IntArray, bounds: FloatArray) -> tuple[IntArray, IntArray]:
        """Return the ranges of tiles whose centres lie within bounds."""
        rank = bounds.shape[1] // 2
        places = (bounds - self.origins[levels]) / self.pitches[levels] - 0.5
        grid = self.grid_shape[levels]
        first = np.ceil(places[:, :rank]).astype(np.int64)
        last = np.ceil(places[:, rank:]).astype(np.int64)
        # Border tiles may have their centre outside the image; they go to the border's tile.
        first = np.where(bounds[:, :rank] <= 0, 0, np.clip(first, 0, grid))
        last = np.where(bounds[:, rank:] >= self.extent, grid, np.clip(last, 0, grid))
        return first, np.maximum(first, last)
