"""Collections of images as bioformats2raw lays them out.

Invariants: one image that cannot be opened costs the others nothing but a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import zarr

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import join
from napari_octree.sources.ome_zarr.collections.stage import (
    Place,
    at_place,
    open_scan,
    stage_places,
)
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
    group: zarr.Group,
    attributes: Mapping[str, Any],
    where: str,
    system: str | None = None,
    place: Place | None = None,
) -> Iterator[OmeZarrImage]:
    """Open the images of a group and their labels, in the coordinate system of that name.

    `place` says where the microscope's stage was, for those that do not say where they are.

    Raises
    ------
    SourceError
        One of them cannot be shown, or there is no such system.
    """
    for image in read_images(group, attributes, where):
        placed = in_system(at_place(image, place), group, system)
        for each in with_labels(placed, image, group):
            is_label = each.label is not None and each is not placed
            yield at_place(each, _in_pixels_of(each, image, place)) if is_label else each


def _in_pixels_of(label: OmeZarrImage, image: OmeZarrImage, place: Place | None) -> Place | None:
    """Return the place of an image in pixels of its label image, which may be others."""
    own, others = label.metadata.datasets[0].scale, image.metadata.datasets[0].scale
    if place is None or own is None or others is None or len(own) < 2 or len(others) < 2:
        return place
    y, x = (p * b / a for p, a, b in zip(place, own[-2:], others[-2:], strict=True))
    return y, x


def open_series(group: zarr.Group, where: str) -> Iterator[OmeZarrImage]:
    """Open the images of a collection: those that it names, else 0, 1, ….

    Raises
    ------
    SourceError
        None can be opened: the first problem met.
    """
    series = _series(group, where)
    if not any(series):
        series = [*_counted(group, where)]
    paths = list(dict.fromkeys(path for path in series if path is not None))
    places = stage_places(group, series, paths, where)
    scan = open_scan(group, paths, places, where)
    if scan:
        yield from scan
        return
    first: SourceError | None = None
    opened = 0
    places_of = dict(zip(paths, places, strict=True))
    for path, node in _nodes(group, paths, where):
        own = join(where, path)
        try:
            if isinstance(node, SourceError):
                raise node
            if not isinstance(node, zarr.Group):
                raise SourceError(f"{where}: names the image {path!r}, but it is not there")
            images = list(open_images(node, attributes_of(node), own, place=places_of.get(path)))
        except SourceError as error:
            first = first or error
            warn(f"{error}; the image {path!r} is left out")
            continue
        yield from images
        opened += 1
    if not opened:
        raise first or SourceError(f"{where}: a bioformats2raw collection without images")


def _nodes(
    group: zarr.Group, paths: Sequence[str], where: str
) -> Iterator[tuple[str, Node | SourceError | None]]:
    if len(paths) > MOST_IMAGES:
        warn(
            f"{where}: a collection of {len(paths)} images; the first {MOST_IMAGES} are opened, "
            f"the others as {join(where, paths[MOST_IMAGES])}"
        )
        paths = paths[:MOST_IMAGES]
    yield from zip(paths, children(group, paths, where), strict=True)


def _series(group: zarr.Group, where: str) -> list[str | None]:
    """The paths that OME/series names, None for what is none; flaws of it are warned of."""
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
    paths: list[str | None] = []
    for each in as_list(value):
        path = as_path(str(each) if isinstance(each, int) and not isinstance(each, bool) else each)
        if path is None:
            warn(f"{join(where, 'OME')}: {shown(each)} in its series is no path, and is left out")
        paths.append(path)
    return paths


def _counted(group: zarr.Group, where: str) -> list[str]:
    """The names 0, 1, …, up to the first that is not there."""
    for count in range(MOST_IMAGES):
        try:
            if child(group, f"{count}", where) is None:
                break
        except SourceError:
            continue  # it is there, and says later what is wrong with it
    else:
        count = MOST_IMAGES
    return [f"{number}" for number in range(count)]
