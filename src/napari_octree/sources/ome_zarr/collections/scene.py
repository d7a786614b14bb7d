"""Scenes: images that are placed in a common coordinate system (0.6).

Invariants: an image that is missing, or that no transformation leads to, costs the others nothing
but a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import zarr

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import join, name_of
from napari_octree.sources.ome_zarr.coordinates.graph import find_way
from napari_octree.sources.ome_zarr.coordinates.parse import parse_edges, parse_systems
from napari_octree.sources.ome_zarr.coordinates.resolve import usable_steps
from napari_octree.sources.ome_zarr.image import OmeZarrImage, read_images
from napari_octree.sources.ome_zarr.labels import with_labels
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Edge, Key, System
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_mapping, as_text, shown
from napari_octree.sources.ome_zarr.nodes import attributes_of, children
from napari_octree.sources.ome_zarr.placing import along, reader_of

MOST_IMAGES = 100


def scene_of(ome: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The scene of a group, also as drafts of 0.6 had it, at the root; None if there is none."""
    if "scene" in ome:
        return as_mapping(ome["scene"])
    if "multiscales" not in ome and as_list(ome.get("coordinateTransformations")):
        return ome
    return None


def open_scene(
    group: zarr.Group, ome: Mapping[str, Any], where: str, name: str | None
) -> Iterator[OmeZarrImage]:
    """Open the images of a scene, in its first coordinate system or the one that is named.

    Raises
    ------
    SourceError
        None of its images can be opened, or there is no system of that name.
    """
    scene = scene_of(ome)
    assert scene is not None
    if not isinstance(ome.get("scene", {}), Mapping):
        raise SourceError(f"{where}: a scene that is {shown(ome['scene'])}")
    if as_text(ome.get("version")) is None:
        warn(f"{where}: has no version; it is read by what its attributes look like")
    own = parse_systems(scene.get("coordinateSystems"), where)
    edges = list(
        parse_edges(scene.get("coordinateTransformations"), where, {s.name for s in own}, True)
    )
    paths = list(dict.fromkeys(key[0] for edge in edges for key in _ends(edge) if key[0]))
    if not paths:
        raise SourceError(f"{where}: a scene whose transformations name no images")
    if len(paths) > MOST_IMAGES:
        warn(f"{where}: a scene of {len(paths)} images; the first {MOST_IMAGES} are opened")
        paths = paths[:MOST_IMAGES]
    groups, opened = _images(group, paths, where)
    systems = {("", system.name): system for system in own}
    for path, image in opened.items():
        for system in image.metadata.coordinates.systems if image.metadata.coordinates else ():
            systems[path, system.name] = system
        if image.metadata.coordinates is None:  # of a version without names
            systems[path, ""] = System("", image.metadata.axes)
    edges = [_resolved(edge, opened, systems) for edge in edges]
    goal = _goal(edges, [s.name for s in own], systems, name, where)
    for path, image in opened.items():
        coordinates = image.metadata.coordinates
        for edge in coordinates.edges if coordinates else ():
            edges.append(
                replace(
                    edge,
                    input=(edge.input[0] or path, edge.input[1]),
                    output=(edge.output[0] or path, edge.output[1]),
                    folder=path,
                )
            )
    reader = reader_of(group, where)
    is_usable = usable_steps(systems, reader)
    for path, image in opened.items():
        start = (path, image.metadata.coordinates.intrinsic if image.metadata.coordinates else "")
        way = find_way(edges, start, goal, is_usable)
        if way is None:
            warn(
                f"{where}: no transformation places {path!r} in {goal[1]!r}; it is shown in its "
                f"own coordinates"
            )
            way = []
        placed = along(image, way, start, systems, reader)
        yield from with_labels(placed, image, groups[path])


def _ends(edge: Edge) -> tuple[Key, Key]:
    return edge.input, edge.output


def _images(
    group: zarr.Group, paths: list[str], where: str
) -> tuple[dict[str, zarr.Group], dict[str, OmeZarrImage]]:
    """The images that can be opened, by path, and their groups."""
    groups: dict[str, zarr.Group] = {}
    opened: dict[str, OmeZarrImage] = {}
    first: SourceError | None = None
    for path, node in zip(paths, children(group, paths, where), strict=True):
        try:
            if isinstance(node, SourceError):
                raise node
            if not isinstance(node, zarr.Group):
                raise SourceError(
                    f"{where}: a scene that names the image {path!r}, which is not there"
                )
            image, *others = read_images(node, attributes_of(node), join(where, path))
        except SourceError as error:
            first = first or error
            warn(f"{error}; the image {path!r} is left out")
            continue
        if others:
            warn(f"{image.where}: the first of its {len(others) + 1} images is shown")
        opened[path] = replace(image, name=name_of(path))
        groups[path] = node
    if not opened:
        raise first or SourceError(f"{where}: a scene without images")
    return groups, opened


def _resolved(
    edge: Edge, images: Mapping[str, OmeZarrImage], systems: Mapping[Key, System]
) -> Edge:
    """The edge with names that images know: a name left out is the intrinsic system's."""

    def known(key: Key) -> Key:
        image = images.get(key[0])
        if image is None or key in systems:
            return key
        coordinates = image.metadata.coordinates
        if coordinates is None:
            return key[0], ""
        if key[1] and len(coordinates.systems) > 1:
            return key
        return key[0], coordinates.intrinsic

    return replace(edge, input=known(edge.input), output=known(edge.output))


def _goal(
    edges: list[Edge],
    own: list[str],
    systems: Mapping[Key, System],
    name: str | None,
    where: str,
) -> Key:
    """The system to show: the named one, the scene's first, or the one that most lead to."""
    ends = [edge.output for edge in edges]
    if name is None:
        if own:
            return "", own[0]
        (goal, _), *_ = Counter(ends).most_common(1)
        return goal
    if name in own or ("", name) in ends:
        return "", name
    found = [key for key in systems if key[1] == name or "/".join(key) == name]
    if not found:
        listed = ", ".join(repr(n) for n in [*own, *("/".join(k) for k in systems if k[0])])
        raise SourceError(f"{where}: has no coordinate system {name!r}; it has {listed}")
    return found[0]
