"""Arrays of zarr, made from their document alone and read object by object.

For small arrays by the thousand, as a plate has them: making one costs microseconds and no
request, and reading a chunk costs little more than fetching and decoding it.

Invariants: the store is asked for the one object that holds a chunk and for nothing else; what it
does not hold is None.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.arrays.zarr_arrays.chunk_decoder import ChunkFormat, chunk_format
from napari_octree.sources.arrays.zarr_arrays.gone import check_in_store, check_there_or_listed
from napari_octree.sources.arrays.zarr_arrays.zarr_array import wrap_zarr
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import NETWORK_SCHEMES, SourceGroup, digest
from napari_octree.sources.protocol import Region, StorageArray
from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes


@dataclass(frozen=True, eq=False)
class DirectZarrArray:
    """A `StorageArray` over a `ByteStore`.

    Attributes
    ----------
    store : ByteStore
    path : str
        Of the array in the store.
    format : ChunkFormat
    version : str
        A digest of the array's document.
    """

    store: ByteStore
    path: str
    format: ChunkFormat
    version: str

    is_computed = False

    @cached_property
    def key(self) -> Hashable:
        """Where the array is, and its document."""
        return ("direct zarr", self.store.identity, self.path, self.version)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.format.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels, in native byte order."""
        return self.format.dtype

    @property
    def in_memory(self) -> bool:
        """Never."""
        return False

    @property
    def source_name(self) -> str:
        """Path or address of the array."""
        return f"{self.store.address}/{self.path}"

    @cached_property
    def group(self) -> SourceGroup:
        """Its place: other arrays of an image are put together with it by who knows them."""
        return SourceGroup(("direct zarr", self.store.identity, self.path), self.source_name)

    @cached_property
    def is_remote(self) -> bool:
        """Whether the store's address is one on a network."""
        return self.store.address.partition("://")[0] in NETWORK_SCHEMES

    @property
    def fill_value(self) -> object:
        """The value of what is not stored."""
        return self.format.fill_value

    def grid(self, hint: tuple[int, ...]) -> RegularGrid:
        """Return the stored chunks."""
        return self.format.grid

    def read(self, region: Region) -> np.ndarray | None:
        """Read one chunk, or a part of it (worker threads only).

        Raises
        ------
        SourceError
            The object is no such chunk.
        FileNotFoundError
            The array is gone.
        """
        name, cut = _place_of(self.format, region)
        data = self.store.get(f"{self.path}/{name}")
        if data is None:
            if isinstance(self.store, LocalBytes):
                check_there_or_listed(self.store.folder, self.path)
            elif self.is_remote:
                # Of a plate: a well, all of whose fields are there if one is.
                well = self.path.rsplit("/", 2)[0] if self.path.count("/") > 1 else ""
                check_in_store(self.store, self.path, ("zarr.json", ".zarray"), scope=well)
            return None
        try:
            chunk = self.format.decode(data)
        except SourceError as error:
            index = _index_of(self.format, region)
            raise SourceError(f"{self.source_name}, chunk {index}: {error}") from error
        return chunk[cut]


def _index_of(known: ChunkFormat, region: Region) -> tuple[int, ...]:
    return tuple(start // n for (start, _), n in zip(region, known.chunk_shape, strict=True))


@lru_cache(maxsize=4096)
def _place_of(known: ChunkFormat, region: Region) -> tuple[str, tuple[slice, ...]]:
    """Return which object holds a region, and where in its chunk that is.

    Kept, as thousands of arrays of one format are asked for the same chunk.
    """
    index = _index_of(known, region)
    cut = tuple(
        slice(start - i * n, stop - i * n)
        for (start, stop), i, n in zip(region, index, known.chunk_shape, strict=True)
    )
    return known.object_name(index), cut


def format_and_version(document: Mapping[str, Any]) -> tuple[ChunkFormat, str] | None:
    """Return what a `DirectZarrArray` needs to know of a document; None if zarr has to read it."""
    known = chunk_format(document)
    return None if known is None else (known, digest(dict(document)))


def array_from_document(store: ByteStore, path: str, document: Mapping[str, Any]) -> StorageArray:
    """Make an array of a store from its ``zarr.json`` or ``.zarray``.

    Raises
    ------
    SourceError
        The document is no array's.
    """
    known = format_and_version(document)
    if known is not None:
        return DirectZarrArray(store, path, *known)
    try:
        place = zarr.storage.StorePath(*_zarr_place(store.as_zarr(), path))
        return wrap_zarr(zarr.Array.from_dict(place, dict(document)))
    except Exception as error:  # whatever is written there
        kind = type(error).__name__
        raise SourceError(
            f"{store.address}/{path}: cannot be opened as a zarr array: {kind}: {error}"
        ) from error


def _zarr_place(store: Any, path: str) -> tuple[Any, str]:
    if isinstance(store, zarr.storage.StorePath):
        return store.store, f"{store.path}/{path}" if store.path else path
    return store, path
