"""The multiscale images of a group, opened.

Invariants: levels are opened side by side: a pyramid takes no more round trips than one array.
Either an image has at least one level that can be shown, or it is a `SourceError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import name_of
from napari_octree.sources.ome_zarr.coordinates.parameters import parameter_reader
from napari_octree.sources.ome_zarr.levels import choose_levels, drop_misfits
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.image_label import ImageLabel
from napari_octree.sources.ome_zarr.metadata.model import Axis, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.scales import reconcile_scales
from napari_octree.sources.ome_zarr.metadata.versions import refuse_newer
from napari_octree.sources.ome_zarr.multiscales import (
    dataset_paths,
    multiscales_of,
    parse_image,
)
from napari_octree.sources.ome_zarr.nodes import children

LABELS = "labels"
"""The group beside an image's levels that holds its label images."""


@dataclass(frozen=True, eq=False)
class OmeZarrImage:
    """An image, opened.

    Attributes
    ----------
    name : str
    levels : tuple of arrays
        Finest first: `zarr.Array`, or anything that `as_level_source` takes.
    metadata : ImageMetadata
        With one dataset per level, and one axis per axis of the arrays.
    where : str
        Path or address.
    affine : array or None
        A matrix over all axes but the channels' one, to be applied after scale and translation.
    label : ImageLabel or None
        It is a label image.
    details : mapping
        For the layers' `metadata`: what has no place of its own in napari.
    matrix : array or None
        All that was applied after the levels' scales and translations, over all axes.
    outputs : tuple of Axis
        Those that the matrix leads to.
    hidden : bool
        It is of use beside another one only, and not shown before somebody asks for it.
    """

    name: str
    levels: tuple[Any, ...]
    metadata: ImageMetadata
    where: str
    affine: np.ndarray | None = None
    label: ImageLabel | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    matrix: np.ndarray | None = None
    outputs: tuple[Axis, ...] = ()
    hidden: bool = False


def read_images(
    group: zarr.Group, attributes: Mapping[str, Any], where: str
) -> Iterator[OmeZarrImage]:
    """Open the images that a group's multiscales describe, in their intrinsic coordinates.

    One that cannot be shown costs the others nothing but a warning.

    Raises
    ------
    SourceError
        None can be shown: the first problem met.
    """
    entries = multiscales_of(attributes, where)
    problems: list[SourceError] = []
    for number, entry in enumerate(entries):
        try:
            image = _read_image(group, attributes, number, entry, where)
        except SourceError as problem:
            problems.append(problem)
        else:
            yield image
    if len(problems) == len(entries):
        raise problems[0]
    for each in problems:
        warn(f"{each}; this one of its {len(entries)} images is left out")


def _read_image(
    group: zarr.Group,
    attributes: Mapping[str, Any],
    number: int,
    entry: Mapping[str, Any],
    where: str,
) -> OmeZarrImage:
    refuse_newer(attributes, entry, where)
    paths = dataset_paths(entry, where)
    opened = dict(zip(paths, children(group, paths, where, also=(LABELS,)), strict=True))
    levels = choose_levels(opened, where)
    ndim = len(next(iter(levels.values())).shape)
    read = parameter_reader(group, "", where)
    image = parse_image(attributes, number, ndim, where, read)
    by_path = {dataset.path: dataset for dataset in image.datasets}
    datasets = tuple(by_path[path] for path in levels if path in by_path)
    image = replace(image, datasets=datasets)
    levels, image = drop_misfits(levels, image, where)
    image = reconcile_scales(image, [level.shape for level in levels.values()], where)
    levels, image = drop_misfits(levels, image, where)
    return OmeZarrImage(_name(image.name, where), tuple(levels.values()), image, where)


GENERIC_NAMES = frozenset({"image", "images", "data", "default", "untitled", "unnamed", "/"})
"""Names that programs write where nobody gave one; they tell no image from another."""


def _name(given: str | None, where: str) -> str:
    """The image's name in its metadata, or that of its file where it says nothing."""
    if given and given.strip().lower() not in GENERIC_NAMES:
        return given
    name = name_of(where)
    if not given or not name.isdigit():
        return name
    folder = name_of(where.rstrip("/").rpartition("/")[0])  # one of several in one file
    return f"{folder} {name}" if folder else name
