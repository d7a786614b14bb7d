"""Collections of images as bioformats2raw lays them out.

Invariants: one image that cannot be opened costs the others nothing but a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import zarr

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import join
from napari_octree.sources.ome_zarr.image import OmeZarrImage, read_images
from napari_octree.sources.ome_zarr.labels import with_labels
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_path, shown
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.nodes import Node, attributes_of, child, children
from napari_octree.sources.ome_zarr.placing import in_system

MOST_IMAGES = 100
"""As many of a collection are opened at once; the others have paths of their own."""


def open_images(
    group: zarr.Group, attributes: Mapping[str, Any], where: str, system: str | None = None
) -> Iterator[OmeZarrImage]:
    """Open the images of a group and their labels, in the coordinate system of that name.

    Raises
    ------
    SourceError
        One of them cannot be shown, or there is no such system.
    """
    for image in read_images(group, attributes, where):
        yield from with_labels(in_system(image, group, system), image, group)


def open_series(group: zarr.Group, where: str) -> Iterator[OmeZarrImage]:
    """Open the images of a collection: those that it names, else 0, 1, ….

    Raises
    ------
    SourceError
        None can be opened: the first problem met.
    """
    first: SourceError | None = None
    opened = 0
    for path, node in _listed(group, where):
        own = join(where, path)
        try:
            if isinstance(node, SourceError):
                raise node
            if not isinstance(node, zarr.Group):
                raise SourceError(f"{where}: names the image {path!r}, but it is not there")
            images = list(open_images(node, attributes_of(node), own))
        except SourceError as error:
            first = first or error
            warn(f"{error}; the image {path!r} is left out")
            continue
        yield from images
        opened += 1
    if not opened:
        raise first or SourceError(f"{where}: a bioformats2raw collection without images")


def _listed(group: zarr.Group, where: str) -> Iterator[tuple[str, Node | SourceError | None]]:
    paths = _series(group, where)
    if not paths:
        yield from _counted(group, where)
        return
    if len(paths) > MOST_IMAGES:
        warn(
            f"{where}: a collection of {len(paths)} images; the first {MOST_IMAGES} are opened, "
            f"the others as {join(where, paths[MOST_IMAGES])}"
        )
        paths = paths[:MOST_IMAGES]
    yield from zip(paths, children(group, paths, where), strict=True)


def _series(group: zarr.Group, where: str) -> list[str]:
    """The paths that OME/series names; flaws of it are warned of."""
    try:
        listed = child(group, "OME", where)
    except SourceError as error:
        warn(str(error))
        return []
    if listed is None:
        return []
    value = ome_attributes(attributes_of(listed)).get("series")
    if value is not None and not isinstance(value, list | tuple):
        warn(f"{join(where, 'OME')}: its series are {shown(value)}, not a list of paths")
    paths = []
    for each in as_list(value):
        path = as_path(str(each) if isinstance(each, int) and not isinstance(each, bool) else each)
        if path is None:
            warn(f"{join(where, 'OME')}: {shown(each)} in its series is no path, and is left out")
        else:
            paths.append(path)
    return list(dict.fromkeys(paths))


def _counted(group: zarr.Group, where: str) -> Iterator[tuple[str, Node | SourceError | None]]:
    """What is at 0, 1, …, up to the first that is not there."""
    for path in map(str, range(MOST_IMAGES)):
        try:
            node: Node | SourceError | None = child(group, path, where)
        except SourceError as error:
            node = error
        if node is None:
            return
        yield path, node
