"""Zarr without OME metadata: one array, or a group with arrays named 0, 1, …."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import zarr

from napari_octree.sources.arrays.zarr_arrays.unsafe import problem_of
from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import join, name_of
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.levels import choose_levels, shrink_evenly
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Axis, Dataset, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_text
from napari_octree.sources.ome_zarr.multiscales import MOST_LEVELS
from napari_octree.sources.ome_zarr.nodes import Node, attributes_of, child

UNFINISHED = "napari-octree-build"
"""Attribute of a group whose pyramid is being built: by what, and from what."""

SMALLEST_COLOUR_PICTURE = 30
"""napari takes no array for a colour picture whose sides are shorter (`guess_rgb`)."""


def open_array(array: zarr.Array[Any], where: str) -> OmeZarrImage:
    """One array as an image.

    Raises
    ------
    SourceError
        It cannot be shown.
    """
    problem = problem_of(array)
    if problem is not None:
        raise SourceError(f"{where}: {problem}")
    return _from_arrays((array,), where)


def open_numbered(group: zarr.Group, where: str) -> OmeZarrImage:
    """The arrays named 0, 1, … of a group: a pyramid that carries no metadata.

    Raises
    ------
    SourceError
        There are fewer than two.
    """
    if UNFINISHED in attributes_of(group):
        warn(
            f"{where}: not finished: `napari-octree build` was interrupted here; "
            "the same command goes on with it"
        )
    found = dict(_numbered(group, where))
    if len(found) < 2:
        raise SourceError(
            f"{where}: a zarr group without multiscales, so no OME-Zarr image; "
            "if it holds arrays, give the path of one"
        )
    levels = choose_levels(found, where)
    first, *others = levels
    plane = _plane(levels[first])
    for path in others:
        shapes = [[levels[each].shape[axis] for axis in plane] for each in (first, path)]
        if not shrink_evenly(*shapes):
            warn(
                f"{join(where, path)}: its shape {levels[path].shape} is not that of "
                f"{levels[first].shape} made smaller, so it may be another image and is left out"
            )
            del levels[path]
    return _from_arrays(tuple(levels.values()), where)


def _numbered(group: zarr.Group, where: str) -> Iterator[tuple[str, Node | SourceError | None]]:
    for number in count():
        try:
            node: Node | SourceError | None = child(group, str(number), where)
        except SourceError as error:
            node = error
        if number >= MOST_LEVELS or node is None or isinstance(node, zarr.Group):
            return
        yield str(number), node


def _from_arrays(levels: tuple[Any, ...], where: str) -> OmeZarrImage:
    array = levels[0]
    names = _axis_names(array)
    axes = tuple(Axis(name or f"axis {i}") for i, name in enumerate(names))
    if _is_colour(array, names):
        axes = (*axes[:-1], Axis(axes[-1].name, "colour"))
    datasets = tuple(Dataset(getattr(level, "path", "")) for level in levels)
    return OmeZarrImage(name_of(where), levels, ImageMetadata("", None, axes, datasets), where)


def _plane(array: Any) -> tuple[int, int]:
    """The axes that a pyramid makes smaller together: y and x, else those of a picture."""
    names = [(name or "").lower() for name in _axis_names(array)]
    if "y" in names and "x" in names:
        return names.index("y"), names.index("x")
    last = array.ndim - 1 - _is_colour(array, _axis_names(array))
    return last - 1, last


def _axis_names(array: zarr.Array[Any]) -> list[str | None]:
    """Names of the axes: zarr's own of format 3, or those that xarray writes beside format 2."""
    names: Sequence[Any] = getattr(array.metadata, "dimension_names", None) or ()
    if not names:
        names = as_list(attributes_of(array).get("_ARRAY_DIMENSIONS"))
    if len(names) != array.ndim:
        return [None] * array.ndim
    texts = [as_text(name) for name in names]
    return [None if name in texts[:i] else name for i, name in enumerate(texts)]


def _is_colour(array: zarr.Array[Any], names: Sequence[str | None]) -> bool:
    """Whether this is a picture of red, green, blue and perhaps alpha, as napari guesses."""
    last = (names[-1] or "").lower()
    return (
        array.ndim >= 3
        and array.dtype == "uint8"
        and array.shape[-1] in (3, 4)
        and min(array.shape[-3:-1]) > SMALLEST_COLOUR_PICTURE
        and last not in ("x", "y", "z", "t", "time", "lon", "longitude")
    )
