"""Zarr arrays, v2 and v3, read by their own chunks; in shards, by inner chunks.

Arrays on a local disk are read by tensorstore where it is installed and can: it gives two to
five times as many chunks per second as zarr-python, with less work under the interpreter lock.

Invariants: the store is never listed; making one costs at most one `stat` of a local file; the
same array opened twice has the same key, also through another group, as long as its metadata on
disk is the same. Chunks that are absent from the store are told from those that are stored,
at no cost unless a chunk is all fill value.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import FsspecStore, LocalStore

from napari_octree.sources.arrays.sliced_array import SlicedArray, slices
from napari_octree.sources.arrays.zarr_arrays.gone import (
    check_in_store,
    check_inside,
    check_there,
)
from napari_octree.sources.arrays.zarr_arrays.stored_size import (
    BloscHeaders,
    KnowsSizes,
    blosc_headers,
    check_size,
    most_stored,
)
from napari_octree.sources.arrays.zarr_arrays.timed_store import timed
from napari_octree.sources.arrays.zarr_arrays.zarr_chunks import (
    chunk_grid,
    chunk_sizes,
    stored_index,
)
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import NETWORK_SCHEMES, SourceGroup, digest, object_token
from napari_octree.sources.protocol import Region
from napari_octree.sources.stores.addressed_store import AddressedStore
from napari_octree.sources.stores.opening import bytes_of
from napari_octree.sources.stores.remote_zip import RemoteZipStore

tensorstore: Any
try:
    tensorstore = import_module("tensorstore")
except ImportError:  # it comes with the extra [fast]
    tensorstore = None


@dataclass(frozen=True, eq=False)
class ZarrArray(SlicedArray):
    """A `StorageArray` around a `zarr.Array`.

    Attributes
    ----------
    written : int
        When its document was, in nanoseconds; 0 if it is no file.
    """

    written: int = 0

    def __getstate__(self) -> dict[str, Any]:
        # Another process opens the array its own way.
        return {k: v for k, v in self.__dict__.items() if k not in ("_fast", "_timed")}

    def _load(self, region: Region) -> np.ndarray | None:
        fast = self._fast
        try:
            self._check_file(region, is_fast=fast is not None)
            block = (
                np.asarray(self._timed[slices(region)])
                if fast is None
                else np.asarray(fast[slices(region)].read().result())
            )
        except SourceError as error:
            index = stored_index(self.array, region)
            raise SourceError(f"{self.source_name}, chunk {index}: {error}") from error
        if is_all(block, self.fill_value) and not self._is_stored(region):
            return None
        return block

    @cached_property
    def version(self) -> str:
        """A digest of the metadata: another one tells that the array was written anew."""
        return digest(self.array.metadata.to_dict())

    @cached_property
    def _timed(self) -> zarr.Array[Any]:
        """The same array, which tells fetching from decoding."""
        return timed(self.array)

    @cached_property
    def _fast(self) -> Any:
        """The same array opened by tensorstore, or None (worker threads only)."""
        folder = local_folder(self.array)
        if tensorstore is None or folder is None:
            return None
        kvstore = {"driver": "file", "path": f"{folder}/"}
        wanted: dict[str, Any] = {"driver": "zarr3", "kvstore": kvstore}
        if self.array.metadata.zarr_format == 2:
            # As it was understood: the document may not say it, or say what is not so.
            separator = self.array.metadata.dimension_separator
            wanted |= {"driver": "zarr", "metadata": {"dimension_separator": separator}}
        try:
            _ = self._blosc
            opened = tensorstore.open(wanted, read=True).result()
        except (ValueError, NotImplementedError, OSError):
            return None  # a codec or a type of pixels that only zarr-python knows
        return opened if self._is_same(opened) else None

    def _is_same(self, opened: Any) -> bool:
        """Whether tensorstore has found the array that was checked when it was opened.

        Its metadata may have been written anew since. Of chunks of any announced size tensorstore
        takes the memory before it reads one, and where there is none it ends the process.
        """
        if opened.shape != self.shape or not isinstance(self.chunk_grid, RegularGrid):
            return False
        chunk = opened.chunk_layout.read_chunk.shape
        if chunk is None or tuple(chunk) != self.chunk_grid.chunk_shape:
            return False
        found = np.dtype(opened.dtype.numpy_dtype)
        return bool(found.newbyteorder("=") == self.dtype.newbyteorder("="))

    @cached_property
    def _most_stored(self) -> int | None:
        """Bytes that an object of this array may have in its store."""
        return most_stored(self.array)

    @cached_property
    def _blosc(self) -> BloscHeaders | None:
        """What is to be looked at for tensorstore, which believes the headers of blosc."""
        return blosc_headers(self.array)

    def _check_file(self, region: Region, is_fast: bool) -> None:
        """Refuse an object that is too large, or says that it will be."""
        most, folder = self._most_stored, local_folder(self.array)
        store = self.array.store
        if most is None or (folder is None and not isinstance(store, KnowsSizes)):
            return
        key = self.array.metadata.encode_chunk_key(stored_index(self.array, region))
        if folder is None:
            check_size(store.nbytes_of(posixpath.join(self.array.path, key)), most)
            return
        file = folder / key
        try:
            found = file.stat()
        except OSError:
            return  # absent, or the reader will say what is wrong with it
        if not stat.S_ISREG(found.st_mode):
            raise SourceError("is no file, but a folder, pipe or device")
        check_size(found.st_size, most)
        if is_fast and self._blosc is not None:
            sizes = self.array.chunks
            index = [start // size for (start, _), size in zip(region, sizes, strict=True)]
            self._blosc.check(file, index)

    def _is_stored(self, region: Region) -> bool:
        """Whether the store holds the object (chunk or shard) that `region` lies in.

        Raises
        ------
        FileNotFoundError
            Neither that nor the array is there.
        SourceError
            The array has been written anew, without this region.
        """
        key = self.array.metadata.encode_chunk_key(stored_index(self.array, region))
        folder = local_folder(self.array)
        if folder is not None:
            if (folder / key).exists():
                return True
            check_there(folder)
            check_inside(folder / self._document, self.written, region)
            return False
        # zarr (3.0 to 3.4) has no public way to ask a store from outside its event loop.
        from zarr.core.sync import sync

        try:
            if sync((self.array.store_path / key).exists()):
                return True
        except OSError:
            return True  # the store does not say (some allow reading only): take it as stored
        if self.is_remote:
            check_in_store(bytes_of(self.array.store, ""), self.array.path, [self._document])
        return False

    @property
    def _document(self) -> str:
        return document_name(self.array)


def wrap_zarr(array: zarr.Array[Any]) -> ZarrArray:
    """Wrap a zarr array."""
    fill_value = array.fill_value
    place, written = _place(array), _written(array)
    return ZarrArray(
        array,
        key=("zarr", place, written, array.shape, chunk_sizes(array), str(array.dtype)),
        shape=array.shape,
        dtype=array.dtype,
        source_name=_url(array),
        chunk_grid=chunk_grid(array),
        fill_value=0 if fill_value is None else fill_value,
        group=SourceGroup(("zarr", place), _url(array)),
        is_remote=_is_remote(array.store),
        written=written,
    )


def document_name(array: zarr.Array[Any]) -> str:
    """Name of the document of an array."""
    return "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"


def is_all(block: np.ndarray, value: Any) -> bool:
    """Whether every pixel has this value, or is NaN if it is."""
    if block.size == 0:
        return False
    with np.errstate(invalid="ignore"):
        is_nan = bool(value != value)
        first = block.flat[0]
        if not (first != first if is_nan else first == value):
            return False
        return bool((block != block).all() if is_nan else (block == value).all())


def local_folder(array: zarr.Array[Any]) -> Path | None:
    """The array's folder, if it lies in a file system of this machine."""
    store = array.store
    if isinstance(store, LocalStore):
        return (store.root / array.path).absolute()
    # dask's way to a local path:
    if isinstance(store, FsspecStore) and "file" in _protocols(store.fs):
        return Path(store.path, array.path)
    return None


def _is_remote(store: Any) -> bool:
    if isinstance(store, FsspecStore):
        return is_on_network(store.fs)
    return isinstance(store, AddressedStore | RemoteZipStore)


def is_on_network(file_system: Any) -> bool:
    """Whether an fsspec file system's addresses are on a network."""
    return not NETWORK_SCHEMES.isdisjoint(_protocols(file_system))


def _protocols(file_system: Any) -> tuple[str, ...]:
    protocols = getattr(file_system, "sync_fs", file_system).protocol
    return protocols if isinstance(protocols, tuple) else (protocols,)


def _written(array: zarr.Array[Any]) -> int:
    """When the metadata of a local array was written."""
    folder = local_folder(array)
    try:
        return 0 if folder is None else (folder / document_name(array)).stat().st_mtime_ns
    except OSError:
        return 0


def _place(array: zarr.Array[Any]) -> Hashable:
    """Where the array is.

    A store object that does not say is told by itself: two of them are never taken for one.
    """
    store = array.store
    folder = local_folder(array)
    if folder is not None:
        return str(folder.resolve())
    if isinstance(store, AddressedStore | RemoteZipStore):
        return store.identity, array.path
    if isinstance(store, FsspecStore):
        return object_token(store.fs), posixpath.join(store.path, array.path)
    return object_token(store), array.path


def _url(array: zarr.Array[Any]) -> str:
    store = array.store
    folder = local_folder(array)
    if folder is not None:
        return str(folder)
    if isinstance(store, FsspecStore):
        return str(store.fs.unstrip_protocol(posixpath.join(store.path, array.path)))
    return f"{store}/{array.path}"  # of an `AddressedStore`: its address
