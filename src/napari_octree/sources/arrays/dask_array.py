"""Dask arrays, computed block by block in the thread that asks.

Invariants: a block costs its own part of the graph, however many blocks there are; nothing is
computed when wrapping. A dask array that only wraps a zarr array is taken for the zarr array,
which reads about ten times as many chunks per second.
"""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numpy as np
import zarr
from dask.array.core import getter, getter_inline, getter_nofancy
from dask.blockwise import Blockwise

from napari_octree.sources.arrays.dask_part import part_of
from napari_octree.sources.arrays.sliced_array import SlicedArray
from napari_octree.sources.chunk_grid import grid_from_chunks
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import object_token
from napari_octree.sources.protocol import Region


class DaskArray(SlicedArray):
    """A `StorageArray` around a `dask.array.Array`; its chunks are the blocks."""

    def _load(self, region: Region) -> np.ndarray:
        (index,) = self.grid(self.shape).indices(region)
        key = (self.array.name, *index)
        part = part_of(self.array.__dask_graph__(), key)
        graph = self.array.__dask_optimize__(part, [key])  # a slice is read, not its whole block
        # Without callbacks: dask's own cache would keep the blocks twice. And dask takes callbacks
        # away from everybody for as long as it computes with them, in whatever thread.
        return np.asarray(dask.get(graph, key, callbacks=()))


def wrap_dask(array: da.Array) -> DaskArray:
    """Wrap a dask array.

    Raises
    ------
    SourceError
        Its shape is not known before it is computed.
    """
    if any(np.isnan(n) for n in array.shape):
        raise SourceError(
            f"dask array {array.name}: its shape {array.shape} is not known; "
            "call compute_chunk_sizes() first"
        )
    return DaskArray(
        array,
        key=("object", object_token(array)),
        shape=tuple(int(n) for n in array.shape),
        dtype=array.dtype,
        source_name=f"dask array {array.name}",
        chunk_grid=grid_from_chunks(array.shape, array.chunks),
    )


def wrapped_zarr(array: da.Array[Any]) -> zarr.Array[Any] | None:
    """Return the zarr array of which `array` shows all pixels, unchanged; else None."""
    layers = array.dask.layers
    top = layers.get(array.name)
    if not isinstance(top, Blockwise) or len(layers) > 2:
        return None
    if getattr(top.task, "func", None) not in (getter, getter_inline, getter_nofancy):
        return None
    constants: list[Any] = [source for source, axes in top.indices if axes is None]
    for name, layer in layers.items():
        if name != array.name:
            constants = list(layer.values())
    if len(constants) != 1 or not isinstance(constants[0], zarr.Array):
        return None
    found = constants[0]
    return found if (found.shape, found.dtype) == (array.shape, array.dtype) else None
