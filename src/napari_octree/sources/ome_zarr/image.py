"""One multiscale image of a group, opened.

Invariants: levels are opened side by side: a pyramid takes no more round trips than one array.
Either an image has at least one level that can be shown, or it is a `SourceError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import zarr

from napari_octree.sources.ome_zarr.addresses import name_of
from napari_octree.sources.ome_zarr.levels import choose_levels
from napari_octree.sources.ome_zarr.metadata.model import ImageMetadata
from napari_octree.sources.ome_zarr.metadata.multiscales import (
    dataset_paths,
    multiscales_of,
    parse_image,
)
from napari_octree.sources.ome_zarr.metadata.scales import reconcile_scales
from napari_octree.sources.ome_zarr.metadata.versions import refuse_newer
from napari_octree.sources.ome_zarr.nodes import children


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
    """

    name: str
    levels: tuple[Any, ...]
    metadata: ImageMetadata
    where: str


def open_images(
    group: zarr.Group, attributes: Mapping[str, Any], where: str
) -> Iterator[OmeZarrImage]:
    """Open the images that a group's multiscales describe.

    Raises
    ------
    SourceError
        One of them cannot be shown.
    """
    for number, entry in enumerate(multiscales_of(attributes, where)):
        refuse_newer(attributes, entry, where)
        paths = dataset_paths(entry, where)
        opened = dict(zip(paths, children(group, paths, where), strict=True))
        levels = choose_levels(opened, where)
        first = next(iter(levels.values()))
        image = parse_image(attributes, number, len(first.shape), where)
        datasets = tuple(d for d in image.datasets if d.path in levels)
        image = replace(image, datasets=datasets)
        image = reconcile_scales(image, [level.shape for level in levels.values()], where)
        yield OmeZarrImage(image.name or name_of(where), tuple(levels.values()), image, where)
