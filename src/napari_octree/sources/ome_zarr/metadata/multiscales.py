"""The images of a group: "multiscales" of the attributes, versions 0.1 to 0.5.

Invariants: pure functions of decoded JSON, nothing is opened; what is missing or slightly wrong
is warned of (`OmeZarrWarning`) and replaced by what the specification or other readers take for
it; only an image that cannot be found at all is an error. Numbers are in the order of the
array's axes.

Source: https://ngff.openmicroscopy.org, the specifications 0.1 to 0.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata.axes import parse_axes
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Dataset, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.omero import Omero, parse_omero
from napari_octree.sources.ome_zarr.metadata.scales import check_transformations, compose
from napari_octree.sources.ome_zarr.metadata.values import (
    as_list,
    as_mapping,
    as_path,
    as_text,
    shown,
)
from napari_octree.sources.ome_zarr.metadata.versions import (
    find_version,
    ome_attributes,
    parsed_version,
)

MOST_IMAGES = 100
MOST_LEVELS = 64
"""No more are read of a list: 2^64 pixels along an axis are none that exist."""


def parse_images(
    attributes: Mapping[str, Any], ndim: int | None, where: str
) -> tuple[ImageMetadata, ...]:
    """Read the images of a group.

    Parameters
    ----------
    attributes : mapping
        All attributes of the group.
    ndim : int or None
        Axes of its arrays, if known: needed for files that do not name their axes.
    where : str
        Path or address of the group, for messages.

    Raises
    ------
    SourceError
        No image can be found in the attributes.
    """
    entries = multiscales_of(attributes, where)
    omero = parse_omero(ome_attributes(attributes).get("omero"), where)
    return tuple(_parse_image(attributes, entry, omero, ndim, where) for entry in entries)


def parse_image(
    attributes: Mapping[str, Any], number: int, ndim: int, where: str
) -> ImageMetadata:
    """Read one image of a group, by its number; its arrays have `ndim` axes.

    Raises
    ------
    SourceError
        It cannot be found in the attributes.
    """
    entry = multiscales_of(attributes, where)[number]
    omero = parse_omero(ome_attributes(attributes).get("omero"), where)
    return _parse_image(attributes, entry, omero, ndim, where)


def multiscales_of(attributes: Mapping[str, Any], where: str) -> list[Mapping[str, Any]]:
    """The entries of a group's multiscales, at least one.

    Raises
    ------
    SourceError
        There is none.
    """
    values = as_list(ome_attributes(attributes).get("multiscales"))
    if not values:
        raise SourceError(f"{where}: a zarr group without multiscales, so no OME-Zarr image")
    if len(values) > MOST_IMAGES:
        warn(f"{where}: names {len(values)} images; the first {MOST_IMAGES} are opened")
    return [as_mapping(value) for value in values[:MOST_IMAGES]]


def dataset_paths(entry: Mapping[str, Any], where: str) -> list[str]:
    """The paths of an image's levels that can be looked for, finest first, each once.

    Raises
    ------
    SourceError
        There is none.
    """
    values = as_list(entry.get("datasets"))
    if not values:
        raise SourceError(f"{where}: its multiscales name no datasets")
    paths = [as_path(as_mapping(value).get("path")) for value in values[:MOST_LEVELS]]
    if not any(paths):
        raise SourceError(f"{where}: a dataset of its multiscales has no path: {shown(values[0])}")
    return list(dict.fromkeys(path for path in paths if path is not None))


def _parse_image(
    attributes: Mapping[str, Any],
    entry: Mapping[str, Any],
    omero: Omero,
    ndim: int | None,
    where: str,
) -> ImageMetadata:
    dataset_paths(entry, where)
    values = as_list(entry.get("datasets"))[:MOST_LEVELS]
    version = find_version(attributes, entry, where)
    axes = parse_axes(entry.get("axes"), ndim, version, where)
    common = entry.get("coordinateTransformations")
    if common is not None and not isinstance(common, list | tuple):
        warn(f"{where}: cannot use the transformations {shown(common)}")
    # Transformations of the whole image come after those of the level.
    datasets = tuple(_parse_datasets(values, as_list(common), len(axes), version, where))
    name = as_text(entry.get("name")) or omero.name
    return ImageMetadata(version, name, axes, datasets, omero.channels, omero.greyscale)


def _parse_datasets(
    values: Sequence[Any], common: Sequence[Any], ndim: int, version: str, where: str
) -> Iterator[Dataset]:
    known = parsed_version(version)
    seen: set[str] = set()
    for value in values:
        path = as_path(as_mapping(value).get("path"))
        if path is None or path in seen:
            problem = "no usable path" if path is None else f"the path {path!r} of another"
            warn(f"{where}: a dataset has {problem}, and is left out: {shown(value)}")
            continue
        seen.add(path)
        level = f"{where}: level {path!r}"
        own = value.get("coordinateTransformations")
        if known is not None and (0, 4) <= known < (0, 6):
            check_transformations(own, level)
        yield Dataset(path, *compose([*as_list(own), *common], ndim, level))
