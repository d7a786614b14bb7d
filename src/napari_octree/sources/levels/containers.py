"""The arrays of a pyramid, from whatever a person keeps them in.

Invariants: metadata only: no pixels are read; libraries that the caller has not imported are not
imported for him; what is no pyramid is told with the names of what it holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.errors import SourceError


def arrays_of(data: Any) -> list[Any]:
    """Return the levels in `data`, finest first.

    Parameters
    ----------
    data : array or container of arrays
        One array; a list, tuple or any other sequence or iterable of arrays, napari's
        `MultiScaleData` among them; a numpy array of arrays; a mapping, as `h5py.Group`, whose
        values are the levels; an `xarray.Dataset` of one variable; an `xarray.DataTree` with a
        level per child; a zarr group with OME metadata or with nothing but the levels.

    Raises
    ------
    SourceError
        It is none of these, or what it holds are no levels of one image.
    """
    if isinstance(data, zarr.Group):
        return _arrays_of_group(data)
    if _is_of(data, "xarray", "DataTree"):
        return [_variable(node.to_dataset()) for node in _nodes(data)]
    if _is_of(data, "xarray", "Dataset"):
        return [_variable(data)]
    if isinstance(data, np.ndarray) and data.dtype == object and data.ndim == 1:
        return list(data)
    if hasattr(data, "shape") and not isinstance(data, Sequence):
        return [data]
    if isinstance(data, Mapping):
        return _finest_first(dict(data), type(data).__name__)
    if isinstance(data, Iterable) and not isinstance(data, str | bytes):
        return list(data)
    return [data]


def _arrays_of_group(group: zarr.Group) -> list[Any]:
    """The levels of the first image that OME metadata name, else all arrays of the group."""
    where = str(group.store_path)
    attributes: Any = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    images = ome.get("multiscales") if isinstance(ome, Mapping) else None
    if images:
        try:
            paths = [str(dataset["path"]) for dataset in images[0]["datasets"]]
        except (KeyError, TypeError, IndexError) as error:
            raise SourceError(f"{where}: its multiscales name no datasets") from error
        found = [group.get(path) for path in paths]
        arrays = [array for array in found if isinstance(array, zarr.Array)]
        if not arrays:
            raise SourceError(f"{where}: none of the arrays of its multiscales is there")
        return arrays
    arrays_by_name = dict(group.arrays())
    if not arrays_by_name:
        names = ", ".join(sorted(name for name, _ in group.groups())) or "nothing"
        raise SourceError(
            f"{where}: a zarr group without multiscales and without arrays (it holds {names}); "
            "pass one of its arrays, or open it with open_ome_zarr"
        )
    return _finest_first(arrays_by_name, where)


def _nodes(tree: Any) -> list[Any]:
    """The nodes of a tree that hold data: its children, or it alone."""
    children = [node for node in tree.children.values() if node.data_vars]
    if tree.data_vars and not children:
        return [tree]
    if not children:
        raise SourceError(
            f"DataTree {tree.name or ''}: neither it nor its children "
            f"({', '.join(map(str, tree.children)) or 'none'}) hold data"
        )
    shapes = {str(node.name): node for node in children}
    sizes = {name: max(v.size for v in node.data_vars.values()) for name, node in shapes.items()}
    return [shapes[name] for name in sorted(shapes, key=lambda name: -sizes[name])]


def _variable(dataset: Any) -> Any:
    """The variable of a dataset that is an image: the only one, or the one called image."""
    names = list(dataset.data_vars)
    if len(names) != 1 and "image" not in names:
        raise SourceError(
            f"{type(dataset).__name__} with the variables {', '.join(map(str, names)) or 'none'}: "
            "pass one of them, as dataset['name']"
        )
    return dataset[names[0] if len(names) == 1 else "image"]


def _finest_first(arrays: dict[Any, Any], where: str) -> list[Any]:
    """The values of a mapping as levels, whatever their names are sorted like."""
    listed = ", ".join(map(str, arrays))
    shapes = {name: tuple(getattr(array, "shape", ())) for name, array in arrays.items()}
    order = sorted(arrays, key=lambda name: -prod(shapes[name]))
    ranks = {len(shape) for shape in shapes.values()}
    shrinking = all(
        all(small <= large for small, large in zip(shapes[b], shapes[a], strict=True))
        and shapes[a] != shapes[b]
        for a, b in pairwise(order)
        if len(ranks) == 1
    )
    if not order or len(ranks) != 1 or 0 in ranks or not shrinking:
        raise SourceError(
            f"{where}: holds {listed or 'nothing'}, which are no levels of one image; "
            "pass one of them"
        )
    return [arrays[name] for name in order]


def _is_of(data: Any, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None) if loaded is not None else None
    return isinstance(kind, type) and isinstance(data, kind)
