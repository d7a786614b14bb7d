"""Images placed in a coordinate system that is not their own.

Invariants: an image is never refused for a transformation: what cannot be followed is warned of,
and the image shown in the last system that was reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import zarr

from napari_octree.sources.arrays.arranged_array import ArrangedArray
from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.ome_zarr.coordinates.graph import Step, find_way, reachable
from napari_octree.sources.ome_zarr.coordinates.matrices import UnusableError
from napari_octree.sources.ome_zarr.coordinates.parameters import parameter_reader
from napari_octree.sources.ome_zarr.coordinates.placement import (
    place,
    placed_dataset,
    slider_type,
)
from napari_octree.sources.ome_zarr.coordinates.resolve import (
    Read,
    check_edge,
    follow,
    usable_steps,
)
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.axes import with_unique_names
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Axis, Edge, Key, System


def in_system(image: OmeZarrImage, group: zarr.Group, name: str | None) -> OmeZarrImage:
    """Place an image in one of its own coordinate systems.

    Parameters
    ----------
    image : OmeZarrImage
        As `read_images` gives it.
    group : zarr.Group
        Its group, for matrices that are stored in arrays.
    name : str or None
        None: the intrinsic system, or, if that only counts pixels, the nearest one of space.

    Raises
    ------
    SourceError
        There is no system of that name.
    """
    coordinates = image.metadata.coordinates
    if coordinates is None:
        if name is not None:
            raise SourceError(
                f"{image.where}: has no coordinate system {name!r}: OME-Zarr before 0.6 has one "
                "without a name"
            )
        return image
    systems = {("", system.name): system for system in coordinates.systems}
    edges = known_edges(coordinates.edges, systems, image.where)
    reader = reader_of(group, image.where)
    names = [system.name for system in coordinates.systems]
    if name is not None and name not in names:
        listed = ", ".join(map(repr, names))
        raise SourceError(f"{image.where}: has no coordinate system {name!r}; it has {listed}")
    start = ("", coordinates.intrinsic)
    goal = ("", name) if name is not None else nearest_space(edges, start, systems)
    way = find_way(edges, start, goal, usable_steps(systems, reader))
    if way is None:
        warn(f"{image.where}: no transformation leads to {goal[1]!r}; {start[1]!r} is shown")
        way = []
    followed = {id(edge) for edge, _ in way}  # of which is told then
    for edge in edges:
        if id(edge) not in followed:
            check_edge(edge, systems, reader)
    return along(image, way, start, systems, reader)


def along(
    image: OmeZarrImage,
    way: Sequence[Step],
    start: Key,
    systems: Mapping[Key, System],
    reader: Callable[[str], Read],
) -> OmeZarrImage:
    """The image placed at the end of a way that begins at its intrinsic system."""
    inputs = image.metadata.axes
    base = (
        np.eye(len(inputs) + 1) if image.metadata.base is None else np.array(image.metadata.base)
    )
    matrix, end = follow(way, start, len(inputs), systems, reader)
    axes = systems[end].axes if end in systems else None
    image = replace(image, details=_details(image, end, axes))
    return transformed(image, matrix @ base, axes)


def transformed(
    image: OmeZarrImage, matrix: np.ndarray, outputs: Sequence[Axis] | None
) -> OmeZarrImage:
    """The image with a matrix applied after its levels' scales and translations."""
    inputs = image.metadata.axes
    count = matrix.shape[0] - 1
    if outputs is None or len(outputs) != count:
        outputs = inputs if count == len(inputs) else [Axis(f"axis {n}") for n in range(count)]
    image = replace(image, matrix=matrix, outputs=tuple(outputs))
    if count == len(inputs) and np.array_equal(matrix, np.eye(count + 1)):
        if image.metadata.coordinates is None:
            return image
        # Same numbers, but the names and units are those of the system that is shown; channels
        # are those of the arrays.
        axes = with_unique_names(
            [
                own
                if own.type == "channel"
                else replace(shown, type=slider_type(shown) or own.type)
                for own, shown in zip(inputs, outputs, strict=True)
            ]
        )
        return replace(image, metadata=replace(image.metadata, axes=axes))
    try:
        placement = place(matrix, inputs, outputs, image.where)
    except UnusableError as problem:
        warn(f"{image.where}: a transformation cannot be shown: {problem}")
        return image
    datasets = tuple(
        placed_dataset(dataset, placement, number == 0)
        for number, dataset in enumerate(image.metadata.datasets)
    )
    levels = image.levels
    if placement.order != tuple(range(len(inputs))):
        levels = tuple(
            ArrangedArray(as_level_source(level).storage, placement.order) for level in levels
        )
    metadata = replace(image.metadata, axes=placement.axes, datasets=datasets, base=None)
    return replace(image, levels=levels, metadata=metadata, affine=placement.affine)


def reader_of(group: zarr.Group, where: str) -> Callable[[str], Read]:
    """For `follow`: the reader of parameters below a folder of a group; it reads each once."""
    return cache(lambda folder: parameter_reader(group, folder, where))


def known_edges(edges: Iterable[Edge], systems: Mapping[Key, System], where: str) -> list[Edge]:
    """The edges between systems that are known; of the others is warned."""
    kept = []
    for edge in edges:
        unknown = [key for key in (edge.input, edge.output) if key not in systems and not key[0]]
        if unknown:
            warn(f"{edge.where} is between systems of which {unknown[0][1]!r} is not listed")
        else:
            kept.append(edge)
    return kept


def nearest_space(edges: Sequence[Edge], start: Key, systems: Mapping[Key, System]) -> Key:
    """The system to show: the start, or if it only counts pixels, the nearest one of space."""
    own = systems.get(start)
    if own is None or any(axis.type != "array" for axis in own.axes):
        return start
    for key in reachable(edges, start):
        if key in systems and sum(axis.type == "space" for axis in systems[key].axes) >= 2:
            return key
    return start


def _details(image: OmeZarrImage, end: Key, axes: Sequence[Axis] | None) -> dict[str, object]:
    coordinates = image.metadata.coordinates
    names = [] if coordinates is None else [system.name for system in coordinates.systems]
    return {**image.details, "coordinate_system": end[1], "coordinate_systems": names}
