"""Which of a pyramid's arrays can be shown together.

Invariants: reads nothing; the level that is shown at full resolution is the first that can be
shown; a later one that may be another image is left out, with a warning: a picture is never
replaced by another one when zoomed out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.arrays.converted_array import ConvertedArray
from napari_octree.sources.arrays.zarr_arrays.unsafe import problem_of
from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.ome_zarr.addresses import join
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import ImageMetadata
from napari_octree.sources.ome_zarr.nodes import Node


def choose_levels(opened: Mapping[str, Node | SourceError | None], where: str) -> dict[str, Any]:
    """Choose the arrays that make one pyramid.

    Parameters
    ----------
    opened : mapping of path to array, group, problem or None
        As `children` found them; those of a list that begins with a coarser level are sorted.
    where : str
        Path or address of the group, for messages.

    Returns
    -------
    dict of path to array
        At least one. An array of another type than the first is wrapped.

    Raises
    ------
    SourceError
        None can be shown: the first problem met.
    """
    opened = _finest_first(opened, where)
    absent: list[str] = []
    problems: dict[str, str] = {}
    kept: dict[str, zarr.Array[Any]] = {}
    for path, node in opened.items():
        if not isinstance(node, zarr.Array | SourceError):
            absent.append(path)
            continue
        problem = str(node) if isinstance(node, SourceError) else problem_of(node)
        if problem is None and kept:
            problem = _misfit(node, list(kept.values()))  # type: ignore[arg-type]
        if problem is None:
            kept[path] = node  # type: ignore[assignment]
        else:
            own = join(where, path)
            problems[path] = problem if problem.startswith(own) else f"{own}: {problem}"
    if not kept:
        if problems:
            raise SourceError(next(iter(problems.values())))
        raise SourceError(f"{where}: none of the arrays of its multiscales is there")
    if absent:
        warn(f"{where}: has no level {', '.join(absent[:10])}")
    for path, problem in problems.items():
        warn(f"{problem}; level {path!r} is left out")
    return _of_one_type(kept, where)


def _finest_first(
    opened: Mapping[str, Node | SourceError | None], where: str
) -> Mapping[str, Node | SourceError | None]:
    """Return what was found in the order of the sizes, if that is all that is wrong."""
    sizes = {
        path: node.shape[-2:] for path, node in opened.items() if isinstance(node, zarr.Array)
    }
    pixels = [prod(size) for size in sizes.values()]
    if pixels == sorted(pixels, reverse=True) or len({len(s) for s in sizes.values()}) > 1:
        return opened
    warn(f"{where}: its levels are not in the order of their sizes; they are sorted")
    order = sorted(sizes, key=lambda path: -prod(sizes[path]))
    return {**{path: opened[path] for path in order}, **opened}


def _misfit(array: zarr.Array[Any], kept: Sequence[zarr.Array[Any]]) -> str | None:
    """Why an array cannot be a coarser level of those before, if so."""
    first, before = kept[0].shape, kept[-1].shape
    if len(array.shape) != len(first):
        return f"has {len(array.shape)} axes, but the first level has {len(first)}"
    if array.shape == before:
        return f"has the shape {before} of the level before, and may be another image"
    return None


def _of_one_type(levels: Mapping[str, zarr.Array[Any]], where: str) -> dict[str, Any]:
    dtype = next(iter(levels.values())).dtype
    result: dict[str, Any] = {}
    for path, array in levels.items():
        if array.dtype == dtype:
            result[path] = array
            continue
        warn(
            f"{join(where, path)}: holds {array.dtype}, but the first level {dtype}; "
            "it is converted"
        )
        result[path] = ConvertedArray(as_level_source(array).storage, np.dtype(dtype))
    return result


def drop_misfits(
    levels: dict[str, Any], image: ImageMetadata, where: str
) -> tuple[dict[str, Any], ImageMetadata]:
    """Leave out levels that say nothing of their scale and cannot be the first made smaller.

    Channels and time points are not reduced in a pyramid: a level with fewer of the latter lacks
    some. (One with fewer channels is left out for those that it lacks only.)
    """
    first, *others = levels
    shape = levels[first].shape
    scales = {dataset.path: dataset.scale for dataset in image.datasets}
    left_out: dict[str, str] = {}
    for path in others:
        own, scale = levels[path].shape, scales[path]
        for n, axis in enumerate(image.axes):
            same_scale = scale is None or scale[n] == (scales[first] or (1.0,) * len(shape))[n]
            if axis.type == "time" and own[n] < shape[n] and same_scale:
                left_out[path] = f"has {own[n]} of {shape[n]} time points"
        spread = [n for n, axis in enumerate(image.axes) if axis.type not in ("channel", "time")]
        if scales[path] is None and not shrink_evenly(
            [shape[n] for n in spread], [own[n] for n in spread]
        ):
            left_out[path] = (
                f"its shape {own} is not that of {shape} made smaller, so it may be another image"
            )
    for path, problem in left_out.items():
        warn(f"{join(where, path)}: {problem}; level {path!r} is left out")
    kept = {path: level for path, level in levels.items() if path not in left_out}
    datasets = tuple(dataset for dataset in image.datasets if dataset.path in kept)
    return kept, replace(image, datasets=datasets)


def shrink_evenly(first: Sequence[int], other: Sequence[int]) -> bool:
    """Whether the last two axes may have shrunk by one factor, within a pixel of rounding."""
    spans = []
    for n, m in zip(first[-2:], other[-2:], strict=True):
        if m > n:
            return False
        spans.append((n / (m + 1), n / (m - 1) if m > 1 else np.inf))
    return max(low for low, _ in spans) <= min(high for _, high in spans)
