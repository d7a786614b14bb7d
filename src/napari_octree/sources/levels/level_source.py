"""From anything that a person calls an image to the sources that the loader reads.

Invariants: nothing is read here; an array wrapped twice has the same key unless `fresh`;
libraries that the caller has not imported are not imported for him.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import zarr

from napari_octree.sources.arrays.axis_view import AxisView
from napari_octree.sources.arrays.converted_array import ConvertedArray
from napari_octree.sources.arrays.recast_view import RecastArray, RecastView
from napari_octree.sources.arrays.sliced_array import (
    wrap_numpy,
    wrap_sliceable,
    wrap_xarray,
)
from napari_octree.sources.arrays.tensorstore_array import wrap_tensorstore
from napari_octree.sources.arrays.zarr_arrays.zarr_array import wrap_zarr
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import SourceGroup, fresh_token
from napari_octree.sources.levels.check_levels import check_levels
from napari_octree.sources.protocol import (
    BlockStore,
    Forgets,
    LevelSource,
    SharesBlocks,
    StorageArray,
)

_Storage = TypeVar("_Storage", bound=StorageArray)


def as_level_source(array: Any, *, fresh: bool = False) -> LevelSource:
    """Wrap one array as a level of a pyramid.

    Parameters
    ----------
    array : array-like
        numpy, zarr, dask, xarray, tensorstore, h5py, an `AxisView`, a `StorageArray`, a
        `LevelSource`, or anything with shape, dtype and slicing (and perhaps `chunks`).
    fresh : bool
        Take the pixels for new ones even if the array is known: nothing that was cached of
        it is found.

    Raises
    ------
    SourceError
        It is no array. (Whether it can be shown, `check_levels` says.)
    """
    if isinstance(array, LevelSource):
        source = array
    elif isinstance(array, AxisView):
        source = _fix_axis(as_level_source(array.array), array.axis, array.index)
    elif isinstance(array, RecastView):
        inner = as_level_source(array.array)
        source = LevelSource(RecastArray(inner.storage, array.dtype), inner.fixed)
    else:
        storage = _as_storage(array)
        source = LevelSource(storage, (None,) * len(storage.shape))
    return LevelSource(renewed(source.storage), source.fixed) if fresh else source


def as_level_sources(levels: Iterable[Any], *, fresh: bool = False) -> tuple[LevelSource, ...]:
    """Wrap and check the levels of a pyramid, finest first; they are one group.

    Raises
    ------
    SourceError
        They cannot be shown; the message says which one, and why.
    """
    sources = tuple(as_level_source(level, fresh=fresh) for level in levels)
    check_levels(sources)
    return _as_one_group(sources)


@runtime_checkable
class Renewable(Protocol):
    """A storage array that is made of another."""

    @property
    def source(self) -> LevelSource:
        """The other."""
        ...

    def renewed(self, source: LevelSource) -> StorageArray:
        """Return the same made of `source`."""
        ...


def renewed(storage: _Storage) -> _Storage:
    """Return the same storage array under a new key, so that nothing cached of it is found."""
    if isinstance(storage, Renewable):  # its key is that of what it is made of
        source = storage.source
        return storage.renewed(LevelSource(renewed(source.storage), source.fixed))
    if isinstance(storage, Forgets):
        storage.forget()
    return _with(storage, "key", (storage.key, fresh_token()))


def sharing(source: LevelSource, blocks: BlockStore | None) -> LevelSource:
    """Return the same source, which finds chunks of what it is made of in `blocks`."""
    storage = source.storage
    if blocks is None or not isinstance(storage, SharesBlocks):
        return source
    return LevelSource(storage.sharing(blocks), source.fixed)


def _as_one_group(sources: tuple[LevelSource, ...]) -> tuple[LevelSource, ...]:
    """Let levels that lie side by side share what is learned of their place."""
    groups = dict.fromkeys(source.storage.group for source in sources)
    if len(groups) == 1:
        return sources
    finest, *_ = groups
    steps = zip(*(group.name.split("/") for group in groups), strict=False)
    folder = "/".join(step[0] for step in takewhile(lambda step: len(set(step)) == 1, steps))
    group = SourceGroup(finest.identity, folder or finest.name)
    return tuple(
        LevelSource(_with(source.storage, "group", group), source.fixed) for source in sources
    )


def _with(storage: _Storage, name: str, value: object) -> _Storage:
    twin = copy.copy(storage)
    object.__setattr__(twin, name, value)  # ours are frozen
    return twin


def _fix_axis(source: LevelSource, axis: int, index: int) -> LevelSource:
    free = [i for i, fixed in enumerate(source.fixed) if fixed is None]
    fixed = list(source.fixed)
    fixed[free[axis]] = index
    return LevelSource(source.storage, tuple(fixed))


def _as_storage(array: Any) -> StorageArray:
    if isinstance(array, np.ndarray):
        return wrap_numpy(array)
    if isinstance(array, zarr.Array):
        return wrap_zarr(array)
    if isinstance(array, zarr.Group):
        raise SourceError(
            f"{array.store_path}: a zarr group is no array; open it with open_ome_zarr"
        )
    if _is_a(array, "dask.array", "Array"):
        # Imported here: dask.array takes as long to import as all the rest of this package.
        from napari_octree.sources.arrays.dask_array import wrap_dask, wrapped_zarr

        inner = wrapped_zarr(array)
        return wrap_dask(array) if inner is None else wrap_zarr(inner)
    if _is_a(array, "xarray", "DataArray"):
        return _as_storage(array.data) if array.chunks is not None else wrap_xarray(array)
    if _is_a(array, "tensorstore", "TensorStore"):
        return wrap_tensorstore(array)
    if not isinstance(array, StorageArray):
        return wrap_sliceable(array)
    native = array.dtype.newbyteorder("=")
    return array if array.dtype == native else ConvertedArray(array, native)


def _is_a(array: Any, module: str, name: str) -> bool:
    """Whether `array` is of a class of a library that somebody else has imported."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(array, getattr(loaded, name))
