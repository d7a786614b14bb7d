"""The levels of an n-D image, as all its slices share them.

Invariant: metadata only; nothing here reads or changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from napari_octree.layers.data.tiling import best_shown_at_once, is_one_piece, tile_side
from napari_octree.loading.at_hand import region_is_at_hand
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.levels.level_source import sharing
from napari_octree.sources.protocol import BlockStore, LevelSource, Region

MOST_SIDE = 4096
"""Of an image that is one tile: less than a texture may have on any graphics card of today."""


class PixelEdits(Protocol):
    """What was painted above the levels (any thread)."""

    def onto(self, block: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
        """Return `block`, or a copy with what was painted at its places on level 0."""
        ...

    def overlay(self, places: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        """Return what was painted at a grid of places, and where; None if nothing was."""
        ...

    def known(self, region: Region) -> np.ndarray | None:
        """Return all pixels of a region of level 0 as they are now, if they are in memory."""
        ...

    def value(self, place: Sequence[int]) -> np.generic | None:
        """Return a pixel of level 0 as it is now, if it is known."""
        ...


@dataclass(frozen=True)
class ImagePyramid:
    """The levels of an n-D image.

    Attributes
    ----------
    sources : tuple of LevelSource
        Finest first; the last axis is colour if `rgb`.
    transforms : tuple of LevelTransform
        Per level, over the n axes without colour.
    rgb : bool
    tile_size : int or None
        Texels a side. None: what suits the chunks, or a whole image if that is small and in
        memory; then the coarsest level may be one tile as well.
    max_overview : int
        Where a slice's coarsest level is larger than this many pixels a side, coarser ones are
        computed from it in workers. In 3-D two bricks a side take its place.
    brick_size : int
        Voxels a side of a brick.
    blocks : BlockStore, optional
        Where levels that are computed share chunks with those that are shown.
    reduction : {"mean", "nearest", "mode"}
        How levels that nobody stored are made.
    edits : PixelEdits, optional
        What was painted.
    large_tiles : bool
        Whether there is memory enough for a coarsest level that is one tile.
    """

    sources: tuple[LevelSource, ...]
    transforms: tuple[LevelTransform, ...]
    rgb: bool
    tile_size: int | None
    max_overview: int = 1024
    brick_size: int = 64
    blocks: BlockStore | None = None
    reduction: Reduction = "mean"
    edits: PixelEdits | None = None
    large_tiles: bool = True

    def __post_init__(self) -> None:
        shared = tuple(sharing(source, self.blocks) for source in self.sources)
        object.__setattr__(self, "sources", shared)

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each level over the n axes without colour."""
        return tuple(s.shape[:-1] if self.rgb else s.shape for s in self.sources)

    def is_one_tile(self, displayed: Sequence[int]) -> bool:
        """Whether a plane over two axes is shown as one tile, and as it is.

        That is a small one in memory: to cut it would take longer than to show it.
        """
        if self.tile_size is not None or len(self.sources) > 1:
            return False
        plane = self._plane(0, displayed)
        sides = [self.shapes[0][axis] for axis in displayed]
        return max(sides) <= MOST_SIDE and region_is_at_hand(self.sources[0], plane)

    def has_root(self, displayed: Sequence[int]) -> bool:
        """Whether the coarsest level is one tile: small enough, and had in one piece."""
        if self.tile_size is not None or len(self.sources) == 1 or not self.large_tiles:
            return False
        sides = [self.shapes[-1][axis] for axis in displayed]
        if max(sides) > self.max_overview:
            return False
        return is_one_piece(self.sources[-1], self._plane(-1, displayed))

    def tile_side(self, displayed: Sequence[int]) -> int:
        """Texels a side of its tiles."""
        return self.tile_size or tile_side(self.sources[0], displayed)

    def smaller_tiles(self, displayed: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Shapes of the tiles of levels whose arrays ask for smaller ones, by level."""
        side = self.tile_side(displayed)
        found: dict[int, tuple[int, ...]] = {}
        for level, source in enumerate(self.sources):
            asked = best_shown_at_once(source)
            if level and asked is not None:
                shape = tuple(min(asked[axis], side) for axis in displayed)
                if min(shape) < side:
                    found[level] = shape
        return found

    def _plane(self, level: int, displayed: Sequence[int]) -> Region:
        """A plane of a level, with all of its colours."""
        shape = (*self.shapes[level], *self.colour_axis)
        return tuple(
            (0, n if axis in displayed or axis >= len(self.shapes[level]) else 1)
            for axis, n in enumerate(shape)
        )

    @property
    def colour_axis(self) -> tuple[int, ...]:
        """The length of the colour axis as a tuple of one, or ()."""
        return self.sources[0].shape[-1:] if self.rgb else ()
