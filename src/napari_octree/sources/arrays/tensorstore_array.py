"""Tensorstore arrays, read by their read chunks (in shards, inner chunks).

Invariants: tensorstore is imported by whoever opened the array, never here; a view whose
domain does not begin at zero is moved there; the array's own chunks stay aligned to the
store's, also in a view that cuts them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from napari_octree.sources.arrays.sliced_array import SlicedArray, slices
from napari_octree.sources.arrays.zarr_arrays.gone import check_there
from napari_octree.sources.arrays.zarr_arrays.zarr_array import is_all
from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid
from napari_octree.sources.identity import NETWORK_SCHEMES, digest, object_token
from napari_octree.sources.protocol import ChunkGrid, Region


class TensorStoreArray(SlicedArray):
    """A `StorageArray` around a `tensorstore.TensorStore`."""

    @cached_property
    def version(self) -> str:
        """A digest of the metadata and of what part of the stored array this is."""
        return digest(self.array.spec().to_json())

    def _load(self, region: Region) -> np.ndarray:
        block = np.asarray(self.array[slices(region)].read().result())
        if self._folder is not None and is_all(block, self.fill_value):
            check_there(self._folder)
        return block

    @cached_property
    def _folder(self) -> Path | None:
        """The array's folder, if it is one of this machine."""
        scheme, _, place = self.source_name.partition("://")
        return Path(unquote(place)) if scheme == "file" else None


def wrap_tensorstore(array: Any) -> TensorStoreArray:
    """Wrap a tensorstore array."""
    moved = array.translate_to[(0,) * array.ndim]
    url = array.kvstore.url if array.kvstore is not None else "tensorstore"
    fill_value = array.fill_value
    return TensorStoreArray(
        moved,
        key=("object", object_token(array)),
        shape=tuple(array.shape),
        dtype=np.dtype(array.dtype.numpy_dtype),
        source_name=url,
        chunk_grid=_grid(moved),
        fill_value=0 if fill_value is None else fill_value[()],
        is_remote=url.partition("://")[0] in NETWORK_SCHEMES,
    )


def _grid(array: Any) -> ChunkGrid | None:
    chunks = array.chunk_layout.read_chunk.shape
    origin = array.chunk_layout.grid_origin
    if chunks is None or None in chunks or 0 in chunks or 0 in array.shape:
        return None
    first = [start % n if start else n for start, n in zip(origin, chunks, strict=True)]
    if all(a % n == 0 for a, n in zip(first, chunks, strict=True)):
        return RegularGrid(tuple(array.shape), tuple(chunks))
    return IrregularGrid(
        tuple(
            (0, *range(a or n, size, n), size)
            for a, n, size in zip(first, chunks, array.shape, strict=True)
        )
    )
