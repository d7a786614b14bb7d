"""Opening whatever zarr is at a path: by what its attributes say it is.

Invariants: reads metadata only. What cannot be shown is a `SourceError` that names the path and
says what was found there; no other exception is raised, whatever the file holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore, StorePath

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import is_url, name_of
from napari_octree.sources.ome_zarr.collections.scene import open_scene, scene_of
from napari_octree.sources.ome_zarr.collections.series import open_images, open_series
from napari_octree.sources.ome_zarr.image import OmeZarrImage, read_images
from napari_octree.sources.ome_zarr.labels import (
    above_labels,
    address_above_labels,
    open_labels,
    placed_like,
    read_label,
)
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.nodes import Node, attributes_of, given_node, open_node
from napari_octree.sources.ome_zarr.placing import in_system
from napari_octree.sources.ome_zarr.plain import open_array, open_numbered
from napari_octree.sources.ome_zarr.plates.opening import read_mosaics
from napari_octree.sources.stores.address import as_typed
from napari_octree.sources.stores.address import shown as shown_address

__all__ = ["OmeZarrImage", "is_url", "name_of", "open_node", "read_ome_zarr"]

Openable = str | os.PathLike[str] | Node | Store
"""What can be opened: a path, an address, or what somebody has opened."""


def read_ome_zarr(
    path: Openable,
    coordinate_system: str | None = None,
    acquisition: int | None = None,
    **storage_options: Any,
) -> tuple[OmeZarrImage, ...]:
    """Open every image at a path or URL.

    Parameters
    ----------
    path : str, path-like, zarr.Group, zarr.Array or zarr store
        A folder, a zip file, or an address; or a group or store that somebody has opened
        (icechunk, kerchunk, virtualizarr, …); of an OME-Zarr image, a collection of
        images written by bioformats2raw, a plate or a well, a plain zarr array, or a plain
        zarr group with arrays named 0, 1, ….
    coordinate_system : str, optional
        Which of the systems that an image or scene of version 0.6 has is shown.
    acquisition : int, optional
        Which acquisition of a plate is shown, by its id; default: the first.
    **storage_options
        As fsspec takes them.

    Raises
    ------
    SourceError
        There is no image, or none of a kind that can be shown.
    """
    if isinstance(path, str | os.PathLike):
        address = as_typed(os.fspath(path))
        node = open_node(address, **storage_options)
    else:
        node, address = given_node(path)
    where = shown_address(address)
    if isinstance(node, zarr.Array):
        return (open_array(node, where),)
    images = images_in(node, where, coordinate_system, acquisition)
    if all(image.label is None for image in images):
        return images
    if isinstance(node.store, LocalStore) and not isinstance(path, str | os.PathLike):
        path = address = os.fspath(node.store.root / node.path)
    open_above: Callable[[], Node]
    if isinstance(path, str | os.PathLike):
        above = address_above_labels(address)
        open_above = partial(open_node, above or "", **storage_options)
    else:
        above = above_labels(node.path)
        open_above = partial(_node_of, StorePath(node.store, above or ""))
    return images if above is None else _placed_like_their_image(images, above, open_above)


def images_in(
    node: zarr.Group,
    where: str,
    coordinate_system: str | None = None,
    acquisition: int | None = None,
) -> tuple[OmeZarrImage, ...]:
    """Open every image of a group, as `read_ome_zarr` does; a label image in its own place.

    Raises
    ------
    SourceError
    """
    attributes = attributes_of(node)
    ome = ome_attributes(attributes)
    if "plate" in ome or "well" in ome:  # before bioformats2raw's layout, since 0.4
        return read_mosaics(node, attributes, where, acquisition)
    if "image-label" in ome:
        images = read_label(node, attributes, where)
        return tuple(replace(image, name=name_of(where)) for image in images)
    if "multiscales" in ome:
        return tuple(open_images(node, attributes, where, coordinate_system))
    if "bioformats2raw.layout" in ome:
        return tuple(open_series(node, where))
    if scene_of(ome) is not None:
        return tuple(open_scene(node, ome, where, coordinate_system))
    if "labels" in ome:
        return tuple(open_labels(node, where))
    if "series" in ome:
        raise SourceError(
            f"{where}: the list of images of a bioformats2raw collection, which is opened by the "
            "path of the folder above"
        )
    return (open_numbered(node, where),)


def _node_of(place: StorePath) -> Node:
    return given_node(place)[0]


def _placed_like_their_image(
    labels: tuple[OmeZarrImage, ...], above: str, open_above: Callable[[], Node]
) -> tuple[OmeZarrImage, ...]:
    """Label images, placed as the image beside which they lie, if that can be found."""
    try:
        node = open_above()
        if not isinstance(node, zarr.Group):
            return labels
        image, *_ = read_images(node, attributes_of(node), shown_address(above))
        placed = in_system(image, node, None)
    except SourceError:
        return labels
    return tuple(placed_like(label, image, placed) for label in labels)
