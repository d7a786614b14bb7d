"""One slice of an image pyramid: its octree, and where each tile's pixels are in the sources.

Invariants: everything here is metadata; nothing reads. The slices of an `ImagePyramid` share its
sources, so that neighbouring slices find the same storage chunks.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from napari_octree.layers.data.computed_levels import is_sampled, quick_levels, whole_levels
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.data.representatives import representatives
from napari_octree.layers.slices.slice_key import SliceKey, TileKey
from napari_octree.loading.request import TileRequest
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish
from napari_octree.octree.octree import Octree
from napari_octree.sources.derived.downsampled import can_be_strided
from napari_octree.sources.protocol import LevelSource, Region

SMALL_TILE = 128
"""Texels a side of the tiles of an image that is one tile where there is memory for that."""

_REDUCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
}


class OctreeSlice:
    """The octree of one slice, over the displayed axes only.

    Parameters
    ----------
    pyramid : ImagePyramid
    key : SliceKey
    first_version : int, optional
        Of the versions of the same data: see `renews`.

    Attributes
    ----------
    octree : Octree
    is_one_tile : bool
        The whole image is one tile of the one level that there is: see `ImagePyramid`.

    Notes
    -----
    What depends on the displayed axes only (octree, sources) is shared with the slices made by
    `at` and `moved`: a step of a slider costs the same whatever the image.
    """

    def __init__(
        self, pyramid: ImagePyramid, key: SliceKey, first_version: int | None = None
    ) -> None:
        self.pyramid = pyramid
        self.key = key
        self._first_version = key.version if first_version is None else first_version
        self._ranges: dict[int, tuple[tuple[int, int] | None, ...]] = {}
        self._plain: OctreeSlice | None = None
        self._cut: OctreeSlice | None = None
        axes = list(key.displayed)
        shapes = [tuple(shape[a] for a in axes) for shape in pyramid.shapes]
        self.is_one_tile = len(axes) == 2 and pyramid.is_one_tile(key.displayed)
        most, root = pyramid.max_overview, False
        tile: int | tuple[int, ...]
        smaller = None
        if len(axes) == 3:
            tile, most = brick_shape(shapes[0], pyramid.brick_size), 2 * pyramid.brick_size
        elif self.is_one_tile:
            tile, most = shapes[0], max(shapes[0])
        else:
            tile = pyramid.tile_side(key.displayed)
            root = pyramid.has_root(key.displayed)
            smaller = pyramid.smaller_tiles(key.displayed)
        transforms = [t.select(axes) for t in pyramid.transforms]
        self.octree = Octree.from_shapes(shapes, tile, transforms, most, root, smaller)

    def at(self, key: SliceKey) -> OctreeSlice:
        """Another slice of the same display."""
        if key.displayed != self.key.displayed or key.version != self.key.version:
            raise ValueError(f"{key} is not displayed as {self.key}")
        other = copy.copy(self if self._plain is None else self._plain)
        other.key, other._ranges = key, {}
        if other._cut is not None:
            other._cut = other._cut.at(key).refined(1)
        return other

    @property
    def cut(self) -> OctreeSlice:
        """The same slice of an image that is one tile, with coarser levels, in small tiles.

        For views that have no memory for the whole.
        """
        if self._cut is None:
            pyramid = replace(self.pyramid, tile_size=SMALL_TILE, max_overview=SMALL_TILE)
            self._cut = OctreeSlice(pyramid, self.key, self._first_version).refined(1)
        return self._cut

    def refined(self, first: int) -> OctreeSlice:
        """The same slice, with all pixels in levels from `first` on; `at` leads to plain ones."""
        other = copy.copy(self)
        other._plain = self
        other.sources = (*self.sources[:first], *self.reduced_sources[first:])
        return other

    def outdated(self, former: OctreeSlice, tiles: Iterable[TileKey]) -> list[TileKey]:
        """Of `tiles` those of this slice that `former`, the same one, had of other sources."""
        if former.key != self.key or former.sources is self.sources:
            return []
        own, theirs = self.sources, former.sources
        return [
            tile
            for tile in tiles
            if tile.place == self.key and own[tile.chunk.level] is not theirs[tile.chunk.level]
        ]

    def renews(self, former: OctreeSlice) -> bool:
        """Whether this is the place of `former` in a later version of the same data.

        What was drawn of it can be drawn until there is something newer.
        """
        return (
            self._first_version <= former.key.version < self.key.version
            and former.key._replace(version=self.key.version) == self.key
            and former.octree == self.octree
        )

    @property
    def tiles(self) -> int:
        """Of all levels and all slices along the sliders' axes, at most."""
        shape = self.pyramid.shapes[0]
        slices = math.prod(n for axis, n in enumerate(shape) if axis not in self.key.displayed)
        return slices * sum(math.prod(level.grid_shape) for level in self.octree.levels)

    def moved(self, axis: int, steps: int) -> OctreeSlice | None:
        """The slice `steps` further along `axis`, or None beyond the data."""
        key = self.key.moved(axis, steps, self.pyramid.shapes[0])
        return None if key is None else self.at(key)

    @cached_property
    def sources(self) -> tuple[LevelSource, ...]:
        """A source per level of the octree: the given ones, then the computed ones."""
        whole = self.reduced_sources
        return quick_levels(self.pyramid, self.octree, self.key.displayed, self.hint, whole)

    @cached_property
    def reduced_sources(self) -> tuple[LevelSource, ...]:
        """The same with nothing left out: each computed level is made of all of that below."""
        return whole_levels(self.pyramid, self.octree, self.key.displayed, self.hint)

    @property
    def can_be_refined(self) -> bool:
        """Whether a level stands for pixels that it has not seen, and is to."""
        pyramid = self.pyramid
        strided = can_be_strided(pyramid.sources[-1].storage)
        if strided and pyramid.reduction == "nearest" and not self.is_sampled(-1):
            return False
        return self._plain is None and self.sources != self.reduced_sources

    @cached_property
    def overview_is_cheap(self) -> bool:
        """Whether the coarsest level can be had without reading what it is computed from."""
        given = self.pyramid.sources
        return len(self.sources) == len(given) or can_be_strided(given[-1].storage)

    def is_sampled(self, level: int) -> bool:
        """Whether a level is made of a sample of the stored pixels, and not of all."""
        return is_sampled(self.sources[level])

    @cached_property
    def hint(self) -> tuple[int, ...]:
        """Chunk shape for sources that have none of their own."""
        shape = [1] * len(self.pyramid.shapes[0])
        for axis, size in zip(self.key.displayed, self.octree.levels[0].tile_shape, strict=True):
            shape[axis] = size
        return (*shape, *self.pyramid.colour_axis)

    def ranges(self, level: int) -> tuple[tuple[int, int] | None, ...]:
        """Half-open ranges of the projected axes in pixels of `level` (None: displayed).

        A level-0 pixel belongs to the level's pixel whose area holds its centre.
        """
        known = self._ranges.get(level)  # asked for with every tile
        if known is None:
            known = self._ranges[level] = self._find_ranges(level)
        return known

    def _find_ranges(self, level: int) -> tuple[tuple[int, int] | None, ...]:
        if level >= len(self.pyramid.sources):  # computed levels keep the other axes as they are
            level = len(self.pyramid.sources) - 1
        transform = self.pyramid.transforms[level]
        shape = self.pyramid.shapes[level]
        result: list[tuple[int, int] | None] = []
        for axis, extent in enumerate(self.key.ranges):
            if extent is None:
                result.append(None)
                continue
            factor, offset = transform.factor[axis], transform.translation[axis]
            first, last = (
                min(max(int((i + 0.5 - offset) // factor), 0), shape[axis] - 1)
                for i in (extent[0], extent[1] - 1)
            )
            result.append((first, last + 1))
        return tuple(result)

    def region(self, level: int, box: Sequence[tuple[int, int]]) -> Region:
        """`box` of the displayed axes (pixels of `level`, display order) as a source region."""
        region = list(self.ranges(level))
        for axis, extent in zip(self.key.displayed, box, strict=True):
            region[axis] = extent
        colour = tuple((0, n) for n in self.pyramid.colour_axis)
        return (*(r for r in region if r is not None), *colour)

    def to_display(self, block: np.ndarray) -> np.ndarray:
        """A block of any region as displayed: projected, (…, row, column[, colour])."""
        others = tuple(a for a, extent in enumerate(self.key.ranges) if extent is not None)
        if others:
            if all(block.shape[a] == 1 for a in others):
                block = block[tuple(0 if a in others else slice(None) for a in range(block.ndim))]
            else:
                block = self.project(block, others)
        order = np.argsort(np.argsort(self.key.displayed))
        colour = (len(order),) if self.pyramid.rgb else ()
        return np.transpose(block, (*order, *colour))

    def project(self, block: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """Make one value of all that lie along `axes`."""
        return np.asarray(_REDUCTIONS[self.key.projection](block, axis=axes))

    @property
    def display_dtype(self) -> np.dtype:
        """What holds the values that are displayed: sums and means of integers need floats."""
        dtype = self.pyramid.sources[0].dtype
        thick = any(r is not None and r[1] - r[0] > 1 for r in self.key.ranges)
        if not thick or self.key.projection in ("min", "max") or self.pyramid.rgb:
            return dtype
        return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)

    def tile_request(
        self,
        wish: Wish,
        apron: int,
        encode: Callable[[np.ndarray], np.ndarray],
        encoded_bytes: int = 0,
    ) -> TileRequest:
        """What the loader is asked for one tile.

        Parameters
        ----------
        wish : Wish
        apron : int
            Texels around the tile, on the displayed axes.
        encode : callable
            From pixels as displayed to what the texture takes (in a worker).
        encoded_bytes : int
            What that takes at least, whatever the tile's size.
        """
        level = self.octree.levels[wish.key.level]
        margins = self.margins(apron)
        region = self.region(level.index, level.tile_region(wish.key.index))
        return TileRequest(
            key=TileKey(self.key, wish.key),
            source=self.sources[level.index],
            region=region,
            apron=margins,
            hint=self.hint,
            finish=self._finish(level.index, region, margins, encode),
            tier=wish.tier,
            relative_level=wish.relative_level,
            finished_bytes=encoded_bytes,
        )

    def overview_request(self) -> TileRequest:
        """The whole coarsest level, as displayed, in its own type.

        What a view shows of that level comes first: of a plate it takes as long as all else.
        The rest is read from the middle outward: a layer that is new is shown as a whole, and no
        view of it is known when its first chunks are asked for.
        """
        level = self.octree.levels[-1]
        region = self.region(level.index, [(0, n) for n in level.shape])
        margins = self.margins(0)
        return TileRequest(
            key=self.key,
            source=self.sources[-1],
            region=region,
            apron=margins,
            hint=self.hint,
            finish=self._finish(level.index, region, margins, _as_is),
            tier=Tier.COVERAGE,
            outward=True,
        )

    def margins(self, apron: int) -> tuple[int, ...]:
        """Texels around a region, per axis of the sources."""
        displayed = self.key.displayed
        return tuple(apron if axis in displayed else 0 for axis in range(len(self.hint)))

    def _finish(
        self,
        level: int,
        region: Region,
        margins: Sequence[int],
        encode: Callable[[np.ndarray], np.ndarray],
    ) -> Callable[[np.ndarray], np.ndarray]:
        """From a region's pixels to what is shown, with what was painted by then."""
        edits = self.pyramid.edits
        if edits is None:
            return lambda block: np.ascontiguousarray(encode(self.to_display(block)))

        def finish(block: np.ndarray) -> np.ndarray:
            painted = edits.onto(block, self.places(level, region, margins))
            return np.ascontiguousarray(encode(self.to_display(painted)))

        return finish

    def places(self, level: int, region: Region, margins: Sequence[int]) -> tuple[np.ndarray, ...]:
        """The pixels of level 0 that stand for those of a region of a level, axis by axis.

        Of each it is the one at its centre, the lower of two; beyond the level its nearest.
        """
        last = min(level, len(self.pyramid.sources) - 1)
        given, shown = self.pyramid.transforms[last], self.octree.levels[level].transform
        places = []
        for axis, ((start, stop), margin) in enumerate(zip(region, margins, strict=True)):
            factor, offset, size = given.factor[axis], given.translation[axis], None
            if axis in self.key.displayed:
                at = self.key.displayed.index(axis)
                factor, offset = shown.factor[at], shown.translation[at]
                size = self.octree.levels[level].shape[at]
            pixels = np.arange(start - margin, stop + margin)
            pixels = pixels.clip(0, (stop if size is None else size) - 1)
            places.append(representatives(pixels, factor, offset, self.pyramid.shapes[0][axis]))
        return tuple(places)

    def tile_at(self, level: int, position: Sequence[float]) -> tuple[ChunkKey, tuple[int, ...]]:
        """The tile of `level` at `position` (octree coordinates), and the pixel of the level."""
        grid = self.octree.levels[level]
        pixel = tuple(
            min(max(int((p - t) // f), 0), n - 1)
            for p, f, t, n in zip(
                position,
                grid.transform.factor,
                grid.transform.translation,
                grid.shape,
                strict=True,
            )
        )
        index = tuple(i // n for i, n in zip(pixel, grid.tile_shape, strict=True))
        return ChunkKey(level, index), pixel


def _as_is(block: np.ndarray) -> np.ndarray:
    return block


def brick_shape(extent: Sequence[int], brick_size: int) -> tuple[int, ...]:
    """Voxels of a brick per axis: `brick_size`, or less where the whole image is thinner."""
    step = min(16, brick_size)
    return tuple(min(brick_size, -(-n // step) * step) for n in extent)
