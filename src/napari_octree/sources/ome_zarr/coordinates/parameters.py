"""Matrices that are stored in arrays beside an image.

Invariants: what is read is tiny, or not read; whatever goes wrong is `UnusableError`.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable

import numpy as np
import zarr

from napari_octree.sources.arrays.zarr_arrays.unsafe import codec_problem
from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.coordinates.matrices import MOST_AXES, UnusableError
from napari_octree.sources.ome_zarr.metadata.values import as_path, shown
from napari_octree.sources.ome_zarr.nodes import child

LARGEST_CHUNK = 2**20
"""Bytes; a matrix has a few hundred."""


def parameter_reader(group: zarr.Group, folder: str, where: str) -> Callable[[str], np.ndarray]:
    """A function that reads the array at a path relative to `folder` of a group, once."""
    known: dict[str, np.ndarray | UnusableError] = {}

    def read(path: str) -> np.ndarray:
        inner = as_path(path)
        if inner is None:
            raise UnusableError(f"parameters at {shown(path)}, which is no path")
        if inner not in known:
            try:
                known[inner] = fetch(inner)
            except UnusableError as problem:
                known[inner] = problem
        found = known[inner]
        if isinstance(found, UnusableError):
            raise found
        return found

    def fetch(inner: str) -> np.ndarray:
        try:
            node = child(group, posixpath.join(folder, inner), where)
        except SourceError as error:
            raise UnusableError(str(error)) from error
        if not isinstance(node, zarr.Array):
            raise UnusableError(f"there are no parameters at {inner!r}")
        size = math.prod(node.chunks) * node.dtype.itemsize
        wrong = node.ndim not in (1, 2) or max(node.shape, default=0) > MOST_AXES + 1
        if wrong or node.dtype.kind not in "iuf" or size > LARGEST_CHUNK or codec_problem(node):
            raise UnusableError(
                f"the parameters at {inner!r} are {node.dtype} of shape {node.shape}"
            )
        try:
            return np.asarray(node[...], dtype=float)
        except Exception as error:  # stores and codecs raise anything
            raise UnusableError(f"the parameters at {inner!r} cannot be read: {error}") from error

    return read
