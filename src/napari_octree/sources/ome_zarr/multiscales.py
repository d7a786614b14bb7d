"""The images of a group: "multiscales" of the attributes, versions 0.1 to 0.6.

Invariants: pure functions of decoded JSON, nothing is opened; what is missing or slightly wrong
is warned of (`OmeZarrWarning`) and replaced by what the specification or other readers take for
it; only an image that cannot be found at all is an error. Numbers are in the order of the
array's axes.

Source: https://ngff.openmicroscopy.org, the specifications 0.1 to 0.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.coordinates.levels import as_scales, parse_levels
from napari_octree.sources.ome_zarr.coordinates.matrices import UnusableError
from napari_octree.sources.ome_zarr.coordinates.parse import parse_coordinates
from napari_octree.sources.ome_zarr.metadata.axes import DEFAULT_AXES, parse_axes
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Dataset, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.omero import Omero, parse_omero
from napari_octree.sources.ome_zarr.metadata.scales import check_transformations, compose
from napari_octree.sources.ome_zarr.metadata.values import (
    as_entries,
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
    return tuple(
        _parse_image(attributes, entry, omero, ndim, where, no_parameters) for entry in entries
    )


def parse_image(
    attributes: Mapping[str, Any],
    number: int,
    ndim: int,
    where: str,
    parameters: Callable[[str], np.ndarray] | None = None,
) -> ImageMetadata:
    """Read one image of a group, by its number.

    Parameters
    ----------
    attributes, where
        As for `parse_images`.
    number : int
    ndim : int
        Axes of its arrays.
    parameters : callable, optional
        Reads matrices that are stored in arrays; raises `UnusableError`.

    Raises
    ------
    SourceError
        It cannot be found in the attributes.
    """
    entry = multiscales_of(attributes, where)[number]
    omero = parse_omero(ome_attributes(attributes).get("omero"), where)
    return _parse_image(attributes, entry, omero, ndim, where, parameters or no_parameters)


def multiscales_of(attributes: Mapping[str, Any], where: str) -> list[Mapping[str, Any]]:
    """The entries of a group's multiscales, at least one.

    Raises
    ------
    SourceError
        There is none.
    """
    value = ome_attributes(attributes).get("multiscales")
    values = as_entries(value)
    if isinstance(value, Mapping) and values:
        warn(f"{where}: its multiscales are no list, and taken for one of one image")
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
    parameters: Callable[[str], np.ndarray],
) -> ImageMetadata:
    dataset_paths(entry, where)
    values = as_list(entry.get("datasets"))[:MOST_LEVELS]
    version = find_version(attributes, entry, where)
    name = as_text(entry.get("name")) or omero.name
    looks: dict[str, Any] = {
        "name": name,
        "channels": omero.channels,
        "greyscale": omero.greyscale,
        "start": omero.start,
    }
    known = parsed_version(version)
    if "coordinateSystems" in entry or (known is not None and known >= (0, 6)):
        return _parse_with_systems(entry, values, version, ndim, where, parameters, looks)
    axes = parse_axes(entry.get("axes"), ndim, version, where)
    common = entry.get("coordinateTransformations")
    if common is not None and not isinstance(common, list | tuple):
        warn(f"{where}: cannot use the transformations {shown(common)}")
    # Transformations of the whole image come after those of the level.
    datasets = tuple(_parse_datasets(values, as_entries(common), len(axes), version, where))
    return ImageMetadata(version=version, axes=axes, datasets=datasets, **looks)


def _parse_with_systems(
    entry: Mapping[str, Any],
    values: Sequence[Any],
    version: str,
    ndim: int | None,
    where: str,
    parameters: Callable[[str], np.ndarray],
    looks: dict[str, Any],
) -> ImageMetadata:
    """An image of version 0.6."""
    if ndim is None:
        systems = [as_mapping(each) for each in as_list(entry.get("coordinateSystems"))]
        named = as_list((systems[0] if systems else entry).get("axes"))
        ndim = len(named) or len(DEFAULT_AXES)
    coordinates = parse_coordinates(entry, ndim, version, where)
    system = coordinates.system(coordinates.intrinsic)
    assert system is not None  # parse_coordinates sees to it
    level_matrices = parse_levels(_with_paths(values, where), ndim, where, parameters)
    datasets, base = as_scales(level_matrices)
    return ImageMetadata(
        version=version,
        axes=system.axes,
        datasets=datasets,
        coordinates=coordinates,
        base=base,
        **looks,
    )


def no_parameters(path: str) -> np.ndarray:
    """Read no matrices from arrays."""
    raise UnusableError(f"the parameters at {shown(path)} are not read")


def _parse_datasets(
    values: Sequence[Any], common: Sequence[Any], ndim: int, version: str, where: str
) -> Iterator[Dataset]:
    known = parsed_version(version)
    for path, value in _with_paths(values, where):
        level = f"{where}: level {path!r}"
        own = value.get("coordinateTransformations")
        if known is not None and (0, 4) <= known < (0, 6):
            check_transformations(own, level)
        yield Dataset(path, *compose([*as_entries(own), *common], ndim, level))


def _with_paths(values: Sequence[Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The datasets that have a path of their own."""
    seen: set[str] = set()
    for value in values:
        path = as_path(as_mapping(value).get("path"))
        if path is None or path in seen:
            problem = "no usable path" if path is None else f"the path {path!r} of another"
            warn(f"{where}: a dataset has {problem}, and is left out: {shown(value)}")
            continue
        if not isinstance(as_mapping(value).get("path"), str):
            warn(f"{where}: the path of a dataset is no text: {shown(value)}")
        seen.add(path)
        yield path, as_mapping(value)
