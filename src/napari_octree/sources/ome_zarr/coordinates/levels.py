"""Where the levels of a 0.6 image lie in its intrinsic coordinate system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_octree.sources.ome_zarr.coordinates.matrices import (
    Context,
    UnusableError,
    inverted,
    matrix_of,
)
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Dataset
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_mapping, as_path, shown

Base = tuple[tuple[float, ...], ...]
TINY = 1e-9


def parse_levels(
    values: Iterable[tuple[str, Mapping[str, Any]]],
    ndim: int,
    where: str,
    parameters: Callable[[str], np.ndarray],
) -> list[tuple[str, np.ndarray | None]]:
    """The path of each level, and its matrix; None where the file says nothing usable."""
    levels: list[tuple[str, np.ndarray | None]] = []
    for path, value in values:
        own = f"{where}: level {path!r}"
        documents = as_list(value.get("coordinateTransformations"))
        if not documents:
            warn(f"{own} has no coordinateTransformations")
            levels.append((path, None))
            continue
        _check(documents, path, own)
        whole = {"type": "sequence", "transformations": documents}
        context = Context(parameters)
        try:
            matrix = matrix_of(documents[0] if len(documents) == 1 else whole, ndim, context)
            if matrix.shape[0] != matrix.shape[1]:
                raise UnusableError(f"it leads to {matrix.shape[0] - 1} axes")
            inverted(matrix)
        except UnusableError as problem:
            warn(f"{own}: cannot use the transformation {shown(documents)}: {problem}")
            levels.append((path, None))
            continue
        if context.notes:
            warn(f"{own}: only the linear part is shown, without {', '.join(context.notes)}")
        levels.append((path, matrix))
    return levels


def as_scales(
    levels: Sequence[tuple[str, np.ndarray | None]],
) -> tuple[tuple[Dataset, ...], Base | None]:
    """The levels' scales and translations, and the matrix that they have in common.

    Levels that only scale and shift have none in common. Others are taken relative to the
    first; a level that is still turned against it is aligned by its shape.
    """
    matrices = [matrix for _, matrix in levels]
    base: np.ndarray | None = None
    first = matrices[0] if matrices else None
    if first is not None and not all(_is_diagonal(m) for m in matrices if m is not None):
        base = first
        back = inverted(first)
        matrices = [None if matrix is None else back @ matrix for matrix in matrices]
    datasets = []
    for (path, _), matrix in zip(levels, matrices, strict=True):
        if matrix is None or not _is_diagonal(matrix) or not (np.diag(matrix) > 0).all():
            datasets.append(Dataset(path))
            continue
        scale = tuple(map(float, np.diag(matrix)[:-1]))
        shift = tuple(map(float, matrix[:-1, -1]))
        datasets.append(Dataset(path, scale, shift if any(shift) else None))
    as_tuples = None if base is None else tuple(tuple(map(float, row)) for row in base)
    return tuple(datasets), as_tuples


def _check(documents: Sequence[Any], path: str, where: str) -> None:
    """Warn of what the specification does not allow a level to have."""
    if len(documents) > 1:
        warn(f"{where}: has {len(documents)} transformations instead of one")
        return
    document = as_mapping(documents[0])
    kind = document.get("type")
    parts = [as_mapping(part) for part in as_list(document.get("transformations"))]
    kinds = [part.get("type") for part in parts] if kind == "sequence" else [kind]
    if kinds not in (["scale"], ["identity"], ["scale", "translation"]) or (
        kind == "sequence" and len(kinds) != 2
    ):
        names = ", ".join(shown(each) for each in kinds[:5])
        warn(f"{where}: has a transformation of {names} instead of a scale and a translation")
    start, end = document.get("input"), document.get("output")
    if start is None or end is None or end == {}:
        warn(f"{where}: its transformation has no input or no output")
        return
    named = as_mapping(start).get("path") if isinstance(start, Mapping) else start
    if as_path(named) != path:
        warn(f"{where}: its transformation begins at {shown(named)}; its own path counts")
    if isinstance(end, Mapping) and end.get("path") is not None:
        warn(f"{where}: its transformation ends at {shown(end)}, which is no coordinate system")


def _is_diagonal(matrix: np.ndarray) -> bool:
    linear = matrix[:-1, :-1]
    return bool((np.abs(linear - np.diag(np.diag(linear))) <= TINY * np.abs(linear).max()).all())
