"""What the rest of the project may ask of a place where pixels come from.

Invariants: metadata (shape, dtype, grid) is known at construction and costs no reads;
`StorageArray.read` is the only call that touches pixels, it may block for long, and it is
called in worker threads only; what it returns is never written to by us.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from napari_octree.sources.identity import SourceGroup

MAX_AXIS_PIXELS = 10**9 - 1
"""napari 0.9.2 makes a slider for every axis, shown or not, whose step may be typed: its largest
value is bounded by 10 to the number of digits, which from 10^9 pixels on is no 32-bit number.
It raises `OverflowError` (qt_dims_slider) while a layer is being added."""

Region = tuple[tuple[int, int], ...]
"""Half-open box of an array, one (start, stop) pair of pixels per axis."""


class ChunkId(NamedTuple):
    """The name of a storage chunk.

    It says which pixels, not which place in a layer. So names cannot collide between layers, and
    two layers of one array share chunks.

    Attributes
    ----------
    storage : Hashable
        `StorageArray.key`: identity and version of the array.
    region : tuple of (int, int)
        The chunk's box in the storage array.
    """

    storage: Hashable
    region: Region


@runtime_checkable
class ChunkGrid(Protocol):
    """How an array's store cuts it: boxes that fill the array without overlap."""

    def indices(self, region: Region) -> Iterator[tuple[int, ...]]:
        """Grid indices of the chunks that touch `region`."""
        ...

    def region(self, index: tuple[int, ...]) -> Region:
        """Return the box of chunk `index`, clipped to the array."""
        ...


@runtime_checkable
class StorageArray(Protocol):
    """One array as its store holds it: the unit that is read, cached and retried is its chunk.

    Attributes
    ----------
    key : Hashable
        Identity of the pixels: equal only if reads give equal values. Wrapping the same array
        twice gives the same key, so that layers and viewers share chunks; new data, or
        `reload`, gives a new one.
    shape : tuple of int
    dtype : numpy.dtype
        Of this machine's byte order: what is stored otherwise is converted when it is read.
    in_memory : bool
        Reading is only slicing of memory that somebody else holds: not cached, never delayed.
    source_name : str
        What a person calls it (a path, a URL, a class name); used in messages.
    group : SourceGroup
        With which arrays it shares a place: all levels of an image have one.
    is_remote : bool
        It is on a network, at the address `source_name`.
    is_computed : bool
        It is computed from another array, which is what is stored.
    fill_value : object
        The value of pixels that the store does not hold.
    """

    @property
    def key(self) -> Hashable: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype: ...  # noqa: D102
    @property
    def in_memory(self) -> bool: ...  # noqa: D102
    @property
    def source_name(self) -> str: ...  # noqa: D102
    @property
    def group(self) -> SourceGroup: ...  # noqa: D102
    @property
    def is_remote(self) -> bool: ...  # noqa: D102
    @property
    def is_computed(self) -> bool: ...  # noqa: D102
    @property
    def fill_value(self) -> object: ...  # noqa: D102

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the store's own chunks; for a store that has none, boxes of shape `hint`."""
        ...

    def read(self, region: Region) -> np.ndarray | None:
        """Pixels of one chunk's region (worker threads only).

        Returns None where the store holds nothing and its fill value applies
        (then use `fill_value`).
        """
        ...


class BlockStore(Protocol):
    """Chunks that are in RAM already, for sources computed from others (any thread)."""

    def find(self, chunk_id: ChunkId) -> tuple[np.ndarray | None] | None:
        """Return a chunk's pixels (None: fill value) in a tuple of one; None if not at hand."""
        ...

    def keep(
        self, chunk_id: ChunkId, pixels: np.ndarray | None, seconds: float, group: SourceGroup
    ) -> None:
        """Offer a chunk that took `seconds` to read or compute; it counts in the group's share."""
        ...


@runtime_checkable
class SharesBlocks(Protocol):
    """An array made of others: chunks of theirs may be at hand."""

    def sharing(self, blocks: BlockStore) -> StorageArray:
        """Return the same array, which looks for them in `blocks`, and keeps them there."""
        ...


@runtime_checkable
class Forgets(Protocol):
    """An array that remembers what it has found in its store."""

    def forget(self) -> None:
        """Look again when it is read next (any thread)."""
        ...


@runtime_checkable
class NamesPlaces(Protocol):
    """An array that shows several things, each with a name."""

    def place_at(self, point: Sequence[float]) -> str | None:
        """Return the name of what is at a point (pixel edges at whole numbers; any thread)."""
        ...


@runtime_checkable
class ShowsMany(Protocol):
    """An array whose pixels come from many places: a large tile of it would wait for them all."""

    @property
    def best_shown_at_once(self) -> tuple[int, ...] | None:
        """Pixels per axis that a tile should have at most; None if it does not matter."""
        ...


@dataclass(frozen=True)
class LevelSource:
    """One level of a pyramid: a storage array, possibly at a fixed index of some of its axes.

    Channels of one image are the same storage array with different `fixed`, so a storage
    chunk that holds several channels is read once for all of them.

    Attributes
    ----------
    storage : StorageArray
    fixed : tuple of (int or None)
        Per storage axis: the index at which it is fixed, or None where the axis stays.
    """

    storage: StorageArray
    fixed: tuple[int | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the fixed axes."""
        if self.is_whole:
            return self.storage.shape
        return tuple(n for n, i in zip(self.storage.shape, self.fixed, strict=True) if i is None)

    @property
    def dtype(self) -> np.dtype:
        """Type of the stored pixels."""
        return self.storage.dtype

    @cached_property
    def is_whole(self) -> bool:
        """Whether no axis is fixed: the level is its storage array."""
        return all(i is None for i in self.fixed)

    def storage_region(self, region: Region) -> Region:
        """`region` of this level as a region of the storage array."""
        if self.is_whole:
            return region
        remaining = iter(region)
        return tuple(next(remaining) if i is None else (i, i + 1) for i in self.fixed)

    def storage_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`shape` of this level as a shape of the storage array (1 where fixed)."""
        if self.is_whole:
            return shape
        remaining = iter(shape)
        return tuple(next(remaining) if i is None else 1 for i in self.fixed)

    def drop_fixed(self, block: np.ndarray) -> np.ndarray:
        """Return a view of a storage block without the fixed axes."""
        if self.is_whole:
            return block
        return block[tuple(slice(None) if i is None else 0 for i in self.fixed)]
