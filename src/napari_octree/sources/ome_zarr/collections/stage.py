"""Where the images of a collection lie on the microscope's stage, and whether they are one scan.

Invariants: a file that says nothing of use leaves every image where it was. Depths are left alone:
planes focused at different depths would hide each other's slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.errors import SourceError, told
from napari_octree.sources.ome_zarr.addresses import join
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.multiscales import parse_images
from napari_octree.sources.ome_zarr.plates import ome_xml
from napari_octree.sources.ome_zarr.plates.opening import MosaicImage, open_tiles
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import Documents
from napari_octree.sources.stores.zarr_nodes import documents_of

Place = tuple[float, float]
"""Of an image's first pixel on the stage, in its own pixels (y, x)."""

NEAR = 1.1
"""Tiles whose places differ by no more of their size than this touch."""
SAME_PLACE = 0.25
"""Images whose places differ by less of their size show the same place."""
MOST_TOUCH = 0.9
"""So many tiles of a scan touch another one; some may lie alone."""
SAME_SIZE = 1.02
"""Pixels that differ by less are of one size."""


def stage_places(
    group: zarr.Group, series: Sequence[str | None], paths: Sequence[str], where: str
) -> list[Place | None]:
    """Look up where the images of a collection lie; None for those of which nothing is said.

    `series` are their paths in the order of the OME-XML, None for what is no path.
    """
    nowhere: list[Place | None] = [None] * len(paths)
    if len(paths) < 2:
        return nowhere
    try:
        xml = documents_of(group, where).store.get(ome_xml.FILE)
    except Exception as error:  # of stores of any kind: places are of use, but not needed
        problem = f"{join(where, ome_xml.FILE)}: cannot be read: {told(error)}"
        warn(f"{problem}; images are not placed by it")
        return nowhere
    return nowhere if xml is None else list(ome_xml.stage_positions(xml, series, paths))


def open_scan(
    group: zarr.Group, paths: Sequence[str], places: Sequence[Place | None], where: str
) -> tuple[MosaicImage, ...]:
    """Open the images of a collection as one mosaic, if they are the tiles of one scan.

    Returns
    -------
    tuple of MosaicImage
        None if they are not, or cannot be opened as such.
    """
    known = [place for place in places if place is not None]
    if len(known) < max(len(places), 2):
        return ()
    documents = documents_of(group, where)
    try:
        size = _common_size(documents, paths, where)
        if size is None or not are_tiles(known, size):
            return ()
        return open_tiles(documents, paths, known, where)
    except SourceError:
        return ()  # each of them says by itself what is wrong with it


def are_tiles(places: Sequence[Place], size: Sequence[int]) -> bool:
    """Whether images of one size (y, x) lie beside each other, and none over another."""
    points = np.asarray(places, float) / np.asarray(size, float)
    touching = 0
    for point in points:
        apart = np.abs(points - point).max(axis=1)
        if np.count_nonzero(apart < SAME_PLACE) > 1:  # itself is one
            return False
        touching += int(np.count_nonzero(apart <= NEAR) > 1)
    return touching >= MOST_TOUCH * len(points)


def _common_size(documents: Documents, paths: Sequence[str], where: str) -> Sequence[int] | None:
    """Return the size (y, x) of all images, None if they differ in more than where they lie."""
    turn = POOL.new_turn()
    documents.fetch(paths, (), turn)
    arrays, firsts = [], []
    for path in paths:
        attributes = documents.attributes(path)
        if attributes is None or "multiscales" not in ome_attributes(attributes):
            return None
        image = parse_images(attributes, None, join(where, path))[0]
        firsts.append(image)
        arrays.append(f"{path}/{image.datasets[0].path}")
    documents.fetch((), arrays, turn)
    first = firsts[0]
    shape: Any = None
    for image, path in zip(firsts, arrays, strict=True):
        document = documents.array(path) or {}
        own = (document.get("shape"), document.get("data_type", document.get("dtype")))
        shape = own if shape is None else shape
        if own != shape or not isinstance(own[0], list) or len(own[0]) < 2:
            return None
        if [axis.name for axis in image.axes] != [axis.name for axis in first.axes]:
            return None
        scales = [each.datasets[0].scale or (1.0,) * len(own[0]) for each in (image, first)]
        ratios = [abs(a / b) for a, b in zip(*scales, strict=True)]
        if image.datasets[0].translation or not all(
            1 / SAME_SIZE < ratio < SAME_SIZE for ratio in ratios
        ):
            return None
    size: Sequence[int] = shape[0][-2:]
    return size


def at_place(image: OmeZarrImage, place: Place | None) -> OmeZarrImage:
    """Return an image moved to its place on the stage, unless its own metadata say where it is."""
    datasets = image.metadata.datasets
    axes = image.metadata.axes
    if place is None or any(any(d.translation or ()) for d in datasets[:1]):
        return image
    at = {axis.name: n for n, axis in enumerate(axes)}
    if not {"y", "x"} <= set(at):
        return image
    steps = datasets[0].scale or (1.0,) * len(axes)
    shift = {at[name]: p * steps[at[name]] for name, p in zip("yx", place, strict=True)}
    moved: list[Any] = []
    for number, dataset in enumerate(datasets):
        if number and dataset.scale is None:
            moved.append(dataset)  # is aligned with the first by its shape
            continue
        old = dataset.translation or (0.0,) * len(axes)
        new = tuple(t + shift.get(n, 0.0) for n, t in enumerate(old))
        moved.append(replace(dataset, scale=dataset.scale or steps, translation=new))
    metadata = replace(image.metadata, datasets=tuple(moved))
    return replace(image, metadata=metadata)
