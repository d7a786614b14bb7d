"""Which level a view calls for and which of its tiles the view touches.

Invariants: pure; cost and memory follow the number of tiles in view, never the size of the
data; visible tiles are never dropped: where there are too many the level gets coarser. Two
intersections are equal if they name the same tiles of the same slice, whatever the view: then a
frame can reuse its plan.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.cover.polygons import (
    cells_of_rows,
    clip_to_box,
    touched_columns,
    touched_rows,
)
from napari_octree.octree.level import BOXES, FloatArray, IntArray, OctreeLevel
from napari_octree.octree.policy import EXPLORE, Policy

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_octree.octree.octree import Octree
    from napari_octree.octree.view import View

_BLOCK = 16
"""Tiles of a row whose names are kept together."""

ROUNDING = 1e-9
"""A texel that exceeds a pixel by less than this fraction does not: zoom factors are rounded."""


@dataclass(frozen=True)
class OctreeIntersection:
    """The ideal level of a view and the tiles of it that the view touches.

    Attributes
    ----------
    level : int
        The ideal level.
    requested_level : int
        The level before it was coarsened to keep within `max_tiles`.
    slice : Hashable
        The view's slice.
    first_row : int
        First tile row touched.
    columns : tuple of (int, int)
        Half-open range of tile columns for each row, from `first_row` on.
    octree_level : OctreeLevel
        The ideal level itself. Not part of the identity.
    view : View
        Not part of the identity.
    """

    level: int
    requested_level: int
    slice: Hashable
    first_row: int
    columns: tuple[tuple[int, int], ...]
    octree_level: OctreeLevel = field(compare=False, repr=False)
    view: View = field(compare=False, repr=False)

    @cached_property
    def tiles(self) -> IntArray:
        """(N, 2) array of the (row, column) of every tile touched, row by row."""
        rows = (self.first_row, self.first_row + len(self.columns))
        ranges = np.array(self.columns, np.int64).reshape(-1, 2)
        tiles = cells_of_rows(rows, ranges[:, 0], ranges[:, 1])
        tiles.flags.writeable = False
        return tiles

    @cached_property
    def bounds(self) -> FloatArray:
        """(N, 4) array of y0, x0, y1, x1 of `tiles`, in octree coordinates."""
        bounds = self.octree_level.bounds(self.tiles)
        bounds.flags.writeable = False
        return bounds

    @cached_property
    def row_bounds(self) -> FloatArray:
        """(R, 4) array of y0, x0, y1, x1 of the tiles of each row that has any, together."""
        ranges = np.array(self.columns, np.int64).reshape(-1, 2)
        rows = np.flatnonzero(ranges[:, 1] > ranges[:, 0])
        first, last = ranges[rows].T
        rows += self.first_row
        return self.octree_level.edges(BOXES, np.stack([rows, first, rows + 1, last], axis=1))

    @cached_property
    def chunks(self) -> tuple[ChunkKey, ...]:
        """The keys of `tiles`, in the same order."""
        rows = enumerate(self.columns, self.first_row)
        return tuple(chain.from_iterable(_keys(self.level, row, *span) for row, span in rows))

    def distances(self, bounds: FloatArray) -> FloatArray:
        """From the focus to the nearest place of each box (rows as of `bounds`).

        In framebuffer pixels of the view.
        """
        focus, pixel_size = self._focus
        gaps = np.maximum(bounds[:, :2] - focus, focus - bounds[:, 2:])
        np.maximum(gaps, 0.0, out=gaps)
        gaps /= pixel_size
        result: FloatArray = np.hypot(gaps[:, 0], gaps[:, 1])
        return result

    @cached_property
    def _focus(self) -> FloatArray:
        return np.array([self.view.focus_point, self.view.pixel_size])

    @property
    def box(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Half-open ranges of rows and columns that enclose the tiles."""
        spans = [(first, last) for first, last in self.columns if first < last]
        if not spans:
            return (0, 0), (0, 0)
        rows = (self.first_row, self.first_row + len(self.columns))
        return rows, (min(first for first, _ in spans), max(last for _, last in spans))

    def __len__(self) -> int:
        return sum(max(0, last - first) for first, last in self.columns)


def _keys(level: int, row: int, first: int, last: int) -> tuple[ChunkKey, ...]:
    """Name the tiles of a row from column `first` to before `last`."""
    blocks = range(first // _BLOCK, -(-last // _BLOCK))
    keys = tuple(chain.from_iterable(_block_of_keys(level, row, block) for block in blocks))
    start = first // _BLOCK * _BLOCK
    return keys[first - start : last - start]


@lru_cache(maxsize=1024)
def _block_of_keys(level: int, row: int, block: int) -> list[ChunkKey]:
    """Name some tiles of a row: one view shows most of what the view before showed."""
    columns = np.arange(block * _BLOCK, (block + 1) * _BLOCK)
    return chunk_keys(repeat(level), np.stack([np.full(_BLOCK, row), columns], axis=1))


def choose_level(
    octree: Octree,
    pixel_size: tuple[float, ...],
    previous_level: int | None = None,
    level_bias: float = 0.0,
    hysteresis: float = 0.0,
) -> int:
    """Find the coarsest level whose texel is at most a framebuffer pixel on every axis.

    Parameters
    ----------
    octree : Octree
    pixel_size : tuple of float
        Octree-coordinate length of a framebuffer pixel per displayed axis.
    previous_level : int, optional
        The level shown so far; kept until the pixel size exceeds the threshold to a coarser one
        by `hysteresis` octaves. Finer levels are taken at once.
    level_bias : float
        Octaves: 1 allows texels twice as large as a pixel.
    hysteresis : float
        Octaves.
    """
    wanted = _coarsest_within(octree, pixel_size, level_bias)
    if previous_level is None or previous_level >= wanted:
        return wanted
    return max(previous_level, _coarsest_within(octree, pixel_size, level_bias - hysteresis))


def _coarsest_within(octree: Octree, pixel_size: tuple[float, ...], octaves: float) -> int:
    limit = 2.0**octaves * (1 + ROUNDING)
    fitting = min(
        bisect_right(factors, size * limit)
        for factors, size in zip(octree.factors, pixel_size, strict=True)
    )
    return max(0, fitting - 1)


def intersect(
    octree: Octree,
    view: View,
    policy: Policy = EXPLORE,
    previous_level: int | None = None,
    max_tiles: int | None = None,
    locked_level: int | None = None,
    level_bias: float = 0.0,
    margin_texels: float = 0.0,
) -> OctreeIntersection:
    """Find the ideal level of a view and its tiles.

    Parameters
    ----------
    octree : Octree
        Of two displayed axes.
    view : View
    policy : Policy
        Its `hysteresis` and `max_tiles` apply.
    previous_level : int, optional
        The level of the frame before, for hysteresis.
    max_tiles : int, optional
        What the atlas can hold, if less than `policy.max_tiles`.
    locked_level : int, optional
        Use this level (cut to those that exist) instead of choosing one. It too is
        coarsened if its tiles are too many: see `requested_level`.
    level_bias : float
        Octaves; positive is coarser.
    margin_texels : float
        Widens the visible region by so many texels of the level, for filters that look
        around a pixel.
    """
    if locked_level is None:
        requested = choose_level(
            octree, view.pixel_size, previous_level, level_bias, policy.hysteresis
        )
    else:
        requested = min(max(locked_level, 0), len(octree.levels) - 1)
    limit = policy.max_tiles if max_tiles is None else min(max_tiles, policy.max_tiles)
    for level in octree.levels[requested:]:
        margin = (
            margin_texels * level.transform.factor[0],
            margin_texels * level.transform.factor[1],
        )
        # Outside the margin around the data nothing can touch a tile, and after clipping every row
        # in between holds at least one tile: a row count is a lower bound.
        polygon = clip_to_box(
            view.corners,
            (-margin[0], -margin[1]),
            (octree.extent[0] + margin[0], octree.extent[1] + margin[1]),
        )
        rows = touched_rows(level, polygon, margin)
        last_resort = level is octree.coarsest
        if rows[1] - rows[0] > limit and not last_resort:
            continue
        if rows[1] <= rows[0]:
            return OctreeIntersection(level.index, requested, view.slice, 0, (), level, view)
        columns = tuple(touched_columns(level, polygon, margin, rows))
        found = OctreeIntersection(
            level.index, requested, view.slice, rows[0], columns, level, view
        )
        if len(found) <= limit or last_resort:
            return found
    raise AssertionError("the coarsest level is always accepted")
