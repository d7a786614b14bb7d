"""Arrays that are read by slicing: numpy, h5py, xarray, generated images, anybody's own class.

Invariants: making one reads no pixels; `read` slices the array once, with plain slices, and
returns a numpy array of exactly the asked shape and the promised type, which is of this machine's
byte order, or raises. Subclasses (zarr, dask, tensorstore) only say how a box is loaded.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.chunk_grid import RegularGrid, grid_from_chunks
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import SourceGroup, object_token
from napari_octree.sources.protocol import ChunkGrid, Region


@dataclass(frozen=True, eq=False)
class SlicedArray:
    """A `StorageArray` around anything with shape, dtype and numpy slicing.

    Attributes
    ----------
    array : array-like
    key, shape, dtype, in_memory, source_name, fill_value, is_remote, is_computed
        As in `StorageArray`.
    group : SourceGroup or None
        As in `StorageArray`; None: it is a group of its own.
    chunk_grid : ChunkGrid or None
        The array's own chunks, if it has any.
    """

    array: Any
    key: Any
    shape: tuple[int, ...]
    dtype: np.dtype
    source_name: str
    chunk_grid: ChunkGrid | None = None
    in_memory: bool = False
    fill_value: object = 0
    group: SourceGroup = None  # type: ignore[assignment] # never None once it is made
    is_remote: bool = False
    is_computed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", self.dtype.newbyteorder("="))
        if self.group is None:
            object.__setattr__(self, "group", SourceGroup(self.key, self.source_name))

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the array's own chunks; boxes of shape `hint` if it has none."""
        return self.chunk_grid or RegularGrid(self.shape, hint)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a box (worker threads only).

        Raises
        ------
        SourceError
            The array gave something of another shape.
        Exception
            Whatever the array raises.
        """
        block = self._load(region)
        expected = tuple(stop - start for start, stop in region)
        if block is None or (block.shape == expected and block.dtype == self.dtype):
            return block
        if block.shape != expected:
            raise SourceError(
                f"{self.source_name}: asked for a block of {expected}, got one of {block.shape}"
            )
        return block.astype(self.dtype)

    def _load(self, region: Region) -> np.ndarray | None:
        return np.asarray(self.array[slices(region)])


def slices(region: Region) -> tuple[slice, ...]:
    """Return a region as an index."""
    return tuple(slice(start, stop) for start, stop in region)


def wrap_numpy(array: np.ndarray) -> SlicedArray:
    """Wrap an array in memory: reads are views. A memory map counts as a store."""
    mapped = is_memory_mapped(array)
    filename = getattr(array, "filename", None)
    return SlicedArray(
        array,
        key=("object", object_token(array)),
        shape=array.shape,
        dtype=array.dtype,
        source_name=str(filename) if filename else "numpy array",
        in_memory=not mapped,
    )


def is_memory_mapped(array: Any) -> bool:
    """Whether the pixels of a numpy array are in a mapped file, also through views."""
    while array is not None:
        if isinstance(array, np.memmap | mmap.mmap):
            return True
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return False


def wrap_sliceable(array: Any) -> SlicedArray:
    """Wrap anything with shape, dtype and slicing; `chunks`, if it has them, cut it.

    Raises
    ------
    SourceError
        It is no such thing.
    """
    name = describe(array)
    if type(array).__module__.startswith("h5py") and not array:
        raise SourceError(f"{name}: its file has been closed")
    try:
        shape = tuple(int(n) for n in array.shape)
        dtype = np.dtype(array.dtype)
    except Exception as error:  # foreign code: a closed file raises anything
        raise SourceError(
            f"{name}: not an array: it needs a shape, a numpy dtype and slicing ({error})"
        ) from error
    if not hasattr(array, "__getitem__"):
        raise SourceError(f"{name}: not an array: it cannot be sliced")
    return SlicedArray(
        array,
        key=("object", object_token(array)),
        shape=shape,
        dtype=dtype,
        source_name=name,
        chunk_grid=grid_from_chunks(shape, getattr(array, "chunks", None)),
        fill_value=_fill_value(array),
    )


def wrap_xarray(array: Any) -> SlicedArray:
    """Wrap an `xarray.DataArray` that is not backed by dask, cut as its file is."""
    # xarray has no public way to ask whether `.data` would read a file.
    in_memory = bool(getattr(array.variable, "_in_memory", False))
    if in_memory:
        return wrap_numpy(np.asarray(array.data))
    preferred = array.encoding.get("preferred_chunks") or {}
    shape = tuple(int(n) for n in array.shape)
    chunks = tuple(preferred.get(dim, n) for dim, n in zip(array.dims, shape, strict=True))
    return SlicedArray(
        array,
        key=("object", object_token(array)),
        shape=shape,
        dtype=array.dtype,
        source_name=array.encoding.get("source") or f"DataArray {array.name}",
        chunk_grid=grid_from_chunks(shape, chunks) if preferred else None,
    )


def describe(array: Any) -> str:
    """Name an array for messages: file and path where it has them, else its class and name."""
    kind = type(array).__name__
    try:
        name = getattr(array, "name", None)
        filename = getattr(getattr(array, "file", None), "filename", None)
    except Exception:  # foreign code, such as h5py of a file that has been closed
        return kind
    if isinstance(filename, str):
        return f"{filename}:{name}"
    return f"{kind} {name}" if isinstance(name, str) and name else kind


def _fill_value(array: Any) -> object:
    value = getattr(array, "fillvalue", None)  # h5py
    return 0 if value is None else value
