"""Arrays opened anew, to see what has been written to their stores since.

Invariants: worker threads only, as stores are asked for metadata; no pixels are read; an array
that shows its own present shape (numpy, h5py, own classes) is returned as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import zarr

from napari_octree.sources.arrays.axis_view import AxisView
from napari_octree.sources.arrays.recast_view import RecastView
from napari_octree.sources.stores.zarr_nodes import array_again


def reopened(levels: Iterable[Any]) -> list[Any]:
    """Return the levels with the shapes that their stores have now."""
    return [_reopened(array) for array in levels]


def can_be_reopened(levels: Iterable[Any]) -> bool:
    """Whether any of the levels remembers a shape that its store may have left behind."""
    return any(_remembers(array) for array in levels)


def _remembers(array: Any) -> bool:
    if isinstance(array, AxisView | RecastView):
        return _remembers(array.array)
    return isinstance(array, zarr.Array) or _is_tensorstore(array)


def _reopened(array: Any) -> Any:
    if isinstance(array, AxisView):
        return AxisView(_reopened(array.array), array.axis, array.index)
    if isinstance(array, RecastView):
        return RecastView(_reopened(array.array), array.dtype)
    if isinstance(array, zarr.Array):
        return array_again(array)
    if _is_tensorstore(array):
        return array.resolve(fix_resizable_bounds=False).result()
    return array


def _is_tensorstore(array: Any) -> bool:
    tensorstore = sys.modules.get("tensorstore")
    return tensorstore is not None and isinstance(array, tensorstore.TensorStore)
