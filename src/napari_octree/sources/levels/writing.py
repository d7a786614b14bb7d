"""The one way by which something that was painted gets into a store: unit by unit, when asked to.

Invariants: worker threads only. A unit is what the store writes in one go (a chunk; a shard where
there are shards): it is replaced as a whole, which stores do atomically, so that a crash
leaves each unit as it was or as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.arrays.recast_view import RecastView
from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import Region
from napari_octree.sources.stores.own_codecs import own_codecs


@dataclass(frozen=True, eq=False)
class WritableArray:
    """An array that can be written to.

    Attributes
    ----------
    array : array
        With numpy slicing for both ways.
    unit : tuple of int
        Pixels that are written in one go.
    """

    array: Any
    unit: tuple[int, ...]

    def units(self, region: Region) -> Iterator[Region]:
        """The units that touch a region."""
        ranges = [
            range(start // u, -(-stop // u))
            for (start, stop), u in zip(region, self.unit, strict=True)
        ]
        for index in product(*ranges):
            yield tuple(
                (i * u, min((i + 1) * u, n))
                for i, u, n in zip(index, self.unit, self.array.shape, strict=True)
            )

    def change(self, unit: Region, change: Callable[[np.ndarray], np.ndarray]) -> bool:
        """Read a unit, and write what `change` makes of it, if that is something else."""
        index = tuple(slice(*pair) for pair in unit)
        before = np.array(self.array[index])
        after = change(before)
        if np.array_equal(before, after):
            return False
        self.array[index] = after
        return True


def writable(array: Any) -> WritableArray:
    """Return an array as one to write to.

    Parameters
    ----------
    array : array
        Of zarr, tensorstore, h5py, numpy, or of xarray in memory.
        A zarr array may have been opened for reading only: its store is opened anew.

    Raises
    ------
    SourceError
        It cannot be written to; the message says why.
    """
    if isinstance(array, RecastView):
        inner = writable(array.array)
        return WritableArray(_Recast(inner.array, array.dtype), inner.unit)
    if isinstance(array, zarr.Array):
        unit = array.shards or array.chunks
        return WritableArray(_for_writing(array), tuple(int(n) for n in unit))
    if type(array).__module__ == "tensorstore":
        chunk = array.chunk_layout.write_chunk.shape
        unit = tuple(int(c) or n for c, n in zip(chunk, array.shape, strict=True))
        return WritableArray(_Tensorstore(array), unit)
    if type(array).__module__.startswith("xarray") and isinstance(array.data, np.ndarray):
        return writable(array.data)
    if type(array).__module__.startswith("h5py"):
        if array.file.mode == "r":
            raise SourceError(f"{array.file.filename}: was opened for reading only")
        return WritableArray(array, tuple(array.chunks or array.shape))
    if isinstance(array, np.ndarray):
        if not array.flags.writeable:
            raise SourceError("an array that is read-only cannot be saved to; export it instead")
        return WritableArray(array, tuple(min(n, 1024) for n in array.shape))
    raise SourceError(
        f"{type(array).__name__}: only zarr, tensorstore, HDF5 and numpy arrays can be saved to; "
        "export it instead"
    )


def _for_writing(array: Any) -> Any:
    if not array.read_only:
        return array
    try:
        store = array.store.with_read_only(False)
        with own_codecs():
            return zarr.open_array(
                store, path=array.path, mode="r+", zarr_format=array.metadata.zarr_format
            )
    except (ValueError, NotImplementedError, OSError) as error:
        raise SourceError(f"{array.store_path}: cannot be written to ({error})") from error


@dataclass(frozen=True, eq=False)
class _Tensorstore:
    """A tensorstore: each write is waited for."""

    store: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.store.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.store[index].read().result())

    def __setitem__(self, index: Any, values: np.ndarray) -> None:
        self.store[index].write(values).result()


@dataclass(frozen=True, eq=False)
class _Recast:
    """An array of bool, written as labels."""

    array: Any
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.array[index]).view(self.dtype)

    def __setitem__(self, index: Any, values: np.ndarray) -> None:
        self.array[index] = values != 0
