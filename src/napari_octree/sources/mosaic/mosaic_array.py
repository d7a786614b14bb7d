"""One level of many placed images, as one array.

Invariants: metadata of the mosaic is known at construction, that of its fields is not and need not
be: they are opened when a box of them is read. A field that is not there leaves fill value; one
that cannot be read raises, but at levels that are coarser than what fields have stored, where a
chunk shows many: there the others are shown (`PartialReadError`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np

from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.errors import PartialReadError
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.mosaic.deviations import Deviations
from napari_octree.sources.mosaic.field import FieldOpener, PixelSize
from napari_octree.sources.mosaic.field_level import level_of
from napari_octree.sources.mosaic.field_reading import (
    Stored,
    cast,
    made_of,
    read_field,
    read_stored,
)
from napari_octree.sources.mosaic.grid import coarse_grid, field_grid
from napari_octree.sources.mosaic.parts import Part, inside, moved, put_together
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.mosaic.thumbnail_reading import SMALL_BYTES, ThumbnailReader, Wanted
from napari_octree.sources.protocol import BlockStore, ChunkGrid, LevelSource, Region
from napari_octree.sources.stores.side_by_side import POOL


@dataclass(frozen=True, eq=False, repr=False)
class MosaicArray:
    """A `StorageArray` of placed fields.

    Attributes
    ----------
    key : tuple of Hashable
        Its `family`, and the number of the level.
    family : tuple of Hashable
        What the levels of a mosaic have in common.
    source_name : str
        Path or address, without blanks.
    group : SourceGroup
    is_remote : bool
    shape : tuple of int
    dtype : numpy.dtype
    fill_value : object
        Of gaps, and of fields that are not there.
    places : Places
        At the finest level.
    opener : FieldOpener
    factors : tuple of int
        Pixels of the finest level per pixel, axis by axis.
    chunk : tuple of int
        Shape of a field's chunks at this level.
    pitch : tuple of int
        Pixels of this level from well to well; 0 for axes without such a rule.
    piece : (int, int) or None
        Rows and columns of what is read, and best shown, at once where fields do not have this
        level, and it is made of their coarsest one. None: they have it.
    thumbnail_factors : tuple of int or None
        At this level and coarser ones, pictures of the fields at a level of these factors are
        kept at hand.
    reduction : {"mean", "nearest"}
    version : str
        A digest of what says which pixels are where.
    """

    key: tuple[Hashable, ...]
    family: tuple[Hashable, ...]
    source_name: str
    group: SourceGroup
    is_remote: bool
    shape: tuple[int, ...]
    dtype: np.dtype
    fill_value: object
    places: Places
    opener: FieldOpener
    factors: tuple[int, ...]
    chunk: tuple[int, ...]
    pitch: tuple[int, ...]
    piece: tuple[int, int] | None
    version: str
    deviations: Deviations
    thumbnail_factors: tuple[int, ...] | None = None
    reduction: Reduction = "mean"
    blocks: BlockStore | None = field(default=None, repr=False)

    samples_fairly = False
    """One chunk says nothing of its neighbours: they are other fields."""
    in_memory = False
    is_computed = False
    is_mosaic = True
    """Each read is many of the store's: few at once, before it is known what they take."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "blocks": None}  # another process has other memory

    def __repr__(self) -> str:
        return f"<MosaicArray {self.shape} {self.dtype} of {len(self.places)} fields>"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        from napari_octree.sources.arrays.generated_array import GeneratedArray

        return GeneratedArray("mosaic", self.shape, self.dtype, (), self._pixels)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    @property
    def stored(self) -> bool:
        """Whether fields have this level."""
        return self.piece is None

    @property
    def best_shown_at_once(self) -> tuple[int, ...] | None:
        """Pixels per axis: a larger tile would wait for many fields; None where none does."""
        return None if self.piece is None else (*(1,) * (self.ndim - 2), *self.piece)

    def sharing(self, blocks: BlockStore | None) -> MosaicArray:
        """Return the same array, which looks for chunks of its fields in `blocks`."""
        return replace(self, blocks=blocks)

    def forget(self) -> None:
        """Let fields be opened anew, as their store may have changed."""
        self.opener.forget()

    def place_at(self, point: Sequence[float]) -> str | None:
        """Return the name of the field at a point (pixels of this level), if there is one."""
        return self.places.name_at([p * f for p, f in zip(point, self.factors, strict=True)])

    # ---- chunks ------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> Places:
        """At this level."""
        return self.places.at_level(self.factors)

    @cached_property
    def _grid(self) -> ChunkGrid:
        if self.piece is None:
            return field_grid(self.shape, self._places, self.chunk)
        return coarse_grid(self.shape, self.chunk, self.piece)

    @cached_property
    def _pixel_size(self) -> PixelSize:
        return tuple(float(f) for f in self.factors)

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the chunks of the fields and the gaps between; of a coarse level, a few wells."""
        return self._grid

    def read(self, region: Region) -> np.ndarray | None:
        """Read a box (worker threads only).

        Raises
        ------
        PartialReadError
            Some of the fields of a coarse level cannot be read; it holds what the others show.
        Exception
            A field cannot be reached or read.
        """
        numbers = [int(n) for n in self._places.find(region)]
        if not numbers:
            return None
        turn = POOL.new_turn()
        if self.thumbnail_factors is None:
            self.opener.prepare(numbers, self._pixel_size, turn)
            tasks = [partial(self._read_part, number, region) for number in numbers]
            with self._turn():
                parts: list[Any] = self.opener.run(tasks, turn)
        else:
            parts = self._cut_thumbnails(numbers, region, self.thumbnail_factors, turn)
        errors = [part for part in parts if isinstance(part, BaseException)]
        if errors and (self.stored or not isinstance(errors[0], Exception)):
            raise errors[0]
        pixels = put_together(region, parts, self.fill_value, self.dtype)
        if errors:
            raise PartialReadError(str(errors[0]), pixels) from errors[0]
        return pixels

    def _turn(self) -> AbstractContextManager[None]:
        """Wait until this thread may read and work: where chunks are small it is all overhead."""
        is_small = prod(self.chunk) * self.dtype.itemsize <= SMALL_BYTES
        return self.opener.turn() if is_small else nullcontext()

    def _read_part(self, number: int, region: Region) -> Part | None:
        """Read what a field has of a region, and where it is there."""
        found = self._level_of(number, self._pixel_size)
        if found is None:
            return None
        box = self._places.boxes[number].tolist()
        inner = inside(region, box)
        extent = [last - first for first, last in box]
        # On a lattice a chunk of the field is one of this array, and cached as such.
        blocks = self.blocks if self.stored and not self._places.are_a_lattice else None
        part = read_field(*found, self._pixel_size, inner, extent, self.reduction, blocks)
        if part is None:
            return None
        pixels, place = part
        return cast(pixels, self.dtype), moved(place, region, inner, box)

    def _cut_thumbnails(
        self, numbers: Sequence[int], region: Region, factors: tuple[int, ...], turn: int
    ) -> list[Any]:
        """Make boxes of fields' small pictures, which are read once for all coarse levels."""
        boxes = self._places.boxes[numbers].tolist()
        parts = [inside(region, box) for box in boxes]
        wanted = []
        for number, part in zip(numbers, parts, strict=True):
            extent = self._thumbnail_sizes[number]
            whole = (*part[:-2], (0, extent[-2]), (0, extent[-1]))
            wanted.append(Wanted(number, whole, extent))
        ratio = tuple(f // t for f, t in zip(self.factors, factors, strict=True))
        pictures: list[Any] = list(self._thumbnails(factors).pictures(wanted, turn))
        there = [n for n, picture in enumerate(pictures) if isinstance(picture, np.ndarray)]
        small = made_of([Stored.whole(pictures[n], ratio) for n in there], self.reduction)
        for n, picture in zip(there, small, strict=True):
            rows, columns = (slice(start, stop) for start, stop in parts[n][-2:])
            cut = picture[..., rows, columns]
            place = tuple(slice(0, size) for size in cut.shape)
            pictures[n] = (cut, moved(place, region, parts[n], boxes[n])) if cut.size else None
        return pictures

    @cached_property
    def _thumbnail_sizes(self) -> list[tuple[int, ...]]:
        """Of the pictures that are kept, field by field."""
        return self.places.at_level(self.thumbnail_factors or self.factors).sizes

    def _thumbnails(self, factors: tuple[int, ...]) -> ThumbnailReader:
        size = tuple(map(float, factors))
        return ThumbnailReader(
            self._name, self.opener, size, self._stored_of, self.dtype, self.fill_value,
            self.reduction, self._turn,
        )  # fmt: skip

    def _stored_of(self, wanted: Wanted, pixel_size: PixelSize) -> Stored | None:
        found = self._level_of(wanted.number, pixel_size)
        if found is None:
            return None
        return read_stored(*found, pixel_size, wanted.box, wanted.extent, None)

    @cached_property
    def _name(self) -> Hashable:
        """Under which thumbnails are kept: for all levels, but for one that is read anew."""
        family = self.key[:-1]
        return family if family == self.family else self.key

    def _level_of(
        self, number: int, pixel_size: PixelSize
    ) -> tuple[LevelSource, PixelSize] | None:
        sizes = self.places.sizes[number]
        return level_of(self.opener, number, pixel_size, sizes, self.dtype, self.deviations)

    def _pixels(self, ranges: tuple[range, ...]) -> np.ndarray:
        """Read any pixels, in the calling thread."""
        sizes = [len(r) for r in ranges]
        if 0 in sizes:
            return np.empty(sizes, self.dtype)
        region = tuple((min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges)
        block = read_region(LevelSource(self, (None,) * self.ndim), region)
        if block is None:
            return np.full(sizes, self.fill_value, self.dtype)
        places = [np.array(r) - low for r, (low, _) in zip(ranges, region, strict=True)]
        result: np.ndarray = block[np.ix_(*places)]
        return result
