"""A box of an array, as an array: nothing is copied.

Invariants: making one reads nothing; what is read of it are the chunks of the whole that it
touches, which are shared with others that show the whole (`sharing`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray, read_ranges
from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import BlockStore, ChunkGrid, LevelSource, Region

MOST_EDGES = 4096
"""Along an axis with more chunks, boxes are not cut where the whole's chunks are."""


@dataclass(frozen=True, eq=False, repr=False)
class CroppedArray:
    """A `StorageArray` that is a box of another; also sliced as numpy arrays are.

    Attributes
    ----------
    source : LevelSource
        The whole.
    box : tuple of (int, int)
        Start and stop per axis, within the whole.
    blocks : BlockStore, optional
        Where chunks of the whole are looked for, and kept.
    """

    source: LevelSource
    box: Region
    blocks: BlockStore | None = field(default=None)

    is_computed = False

    def __post_init__(self) -> None:
        sides = zip(self.box, self.source.shape, strict=True)
        if not all(0 <= start < stop <= n for (start, stop), n in sides):
            raise ValueError(f"the box {self.box} is not within {self.source.shape}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "blocks": None}  # another process has other memory

    def sharing(self, blocks: BlockStore) -> CroppedArray:
        """Return the same array, which looks for the whole's chunks in `blocks`."""
        return replace(self, blocks=blocks)

    def renewed(self, source: LevelSource) -> CroppedArray:
        """Return the same box of `source`, the whole under a new key."""
        return replace(self, source=source)

    @property
    def key(self) -> Hashable:
        """That of the whole, and the box."""
        return ("cropped", self.source.storage.key, self.source.fixed, self.box)

    @property
    def group(self) -> SourceGroup:
        """That of the whole."""
        return self.source.storage.group

    @property
    def is_remote(self) -> bool:
        """Whether the whole is."""
        return bool(getattr(self.source.storage, "is_remote", False))

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(stop - start for start, stop in self.box)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.box)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def dtype(self) -> np.dtype:
        """Type of the whole."""
        return self.source.dtype

    @property
    def in_memory(self) -> bool:
        """Whether the whole is."""
        return self.source.storage.in_memory

    @property
    def fill_value(self) -> object:
        """That of the whole."""
        return self.source.storage.fill_value

    @property
    def source_name(self) -> str:
        """Name of the whole, and the box."""
        box = ", ".join(f"{start}:{stop}" for start, stop in self.box)
        return f"{self.source.storage.source_name} [{box}]"

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of most of its chunks."""
        grid = self.grid(tuple(min(n, 256) for n in self.shape))
        middle = tuple((n // 2, n // 2 + 1) for n in self.shape)
        region = grid.region(next(grid.indices(middle)))
        return tuple(stop - start for start, stop in region)

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the whole's chunks as far as they lie in the box."""
        grid = self.source.storage.grid(self.source.storage_shape(hint))
        corner = tuple((start, start + 1) for start, _ in self.source.storage_region(self.box))
        first = grid.region(next(grid.indices(corner)))
        bounds = [b for b, fixed in zip(first, self.source.fixed, strict=True) if fixed is None]
        sizes = [stop - start for start, stop in bounds]
        counts = (n // size for n, size in zip(self.shape, sizes, strict=True))
        if not isinstance(grid, RegularGrid) or any(count > MOST_EDGES for count in counts):
            return RegularGrid(self.shape, tuple(sizes))
        return IrregularGrid(
            tuple(
                (0, *range(high - start, stop - start, chunk), stop - start)
                if high < stop
                else (0, stop - start)
                for (start, stop), (_, high), chunk in zip(
                    self.box, bounds, self._chunk_of(grid), strict=True
                )
            )
        )

    def read(self, region: Region) -> np.ndarray | None:
        """Read a box of the box (worker threads only); None where nothing is stored."""
        below = tuple(
            (start + low, stop + low)
            for (start, stop), (low, _) in zip(region, self.box, strict=True)
        )
        return read_region(self.source, below, self.blocks)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        return GeneratedArray(self.source_name, self.shape, self.dtype, (), self._ranges)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<CroppedArray {self.shape} {self.dtype}: {self.source_name}>"

    def _chunk_of(self, grid: RegularGrid) -> list[int]:
        pairs = zip(grid.chunk_shape, self.source.fixed, strict=True)
        return [chunk for chunk, fixed in pairs if fixed is None]

    def _ranges(self, ranges: tuple[range, ...]) -> np.ndarray:
        return read_ranges(self, ranges)
