"""An image that lies uncompressed and in one piece in a TIFF file: read through a memory map.

Invariants: mapped when first read; any thread may read. Some ten times as many boxes a second
as by whole pages, and no more of the file is read than is asked for.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_octree.sources.arrays.sliced_array import slices
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkGrid, Region
from napari_octree.sources.tiff.open_tiff_file import FileVersion


@dataclass(frozen=True, eq=False, repr=False)
class MappedTiffArray:
    """A `StorageArray` over a part of a file; also sliced as numpy arrays are.

    Attributes
    ----------
    version : FileVersion
    series : int
        As tifffile counts them.
    offset : int
        Bytes before the first pixel.
    stored_shape : tuple of int
        As it lies in the file.
    order : tuple of int
        Which stored axis each axis of the array is.
    stored_dtype : numpy.dtype
        In the file's byte order.
    axes : str
        tifffile's letters, one per axis.
    """

    version: FileVersion
    series: int
    offset: int
    stored_shape: tuple[int, ...]
    order: tuple[int, ...]
    stored_dtype: np.dtype
    axes: str

    in_memory = False
    is_remote = False
    is_computed = False
    fill_value = 0

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels, in this machine's byte order."""
        return self.stored_dtype.newbyteorder("=")

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(self.stored_shape[a] for a in self.order)

    @cached_property
    def key(self) -> Hashable:
        """The file, its time and size, and which of its images this is."""
        return ("tiff", self.version, self.series, 0)

    @cached_property
    def group(self) -> SourceGroup:
        """All of its file."""
        return SourceGroup(("tiff", self.version.path), str(self.version.path))

    @property
    def source_name(self) -> str:
        """The file's path, and which image of it."""
        return f"{self.version.path} (series {self.series}, level 0)"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=object))

    @cached_property
    def _mapped(self) -> np.ndarray:
        if FileVersion.of(self.version.path) != self.version:
            raise SourceError(f"{self.version.path}: the file has changed; reload it")
        stored: np.ndarray = np.memmap(
            self.version.path, self.stored_dtype, "r", self.offset, self.stored_shape
        )
        return stored.transpose(self.order)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_mapped"}

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return boxes of the asked shape: any box costs the same."""
        return RegularGrid(self.shape, hint)

    def read(self, region: Region) -> np.ndarray:
        """Read a box (worker threads only).

        Raises
        ------
        SourceError, OSError, ValueError
            The file has changed, is gone, or is shorter than it says.
        """
        return np.array(self._mapped[slices(region)], self.dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        return np.asarray(self._mapped[index], self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<MappedTiffArray {self.shape} {self.dtype}: {self.source_name}>"
