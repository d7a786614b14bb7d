"""Opening whatever zarr is at a path: by what its attributes say it is.

Invariants: reads metadata only. What cannot be shown is a `SourceError` that names the path and
says what was found there; no other exception is raised, whatever the file holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import zarr

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import is_url, join, name_of
from napari_octree.sources.ome_zarr.image import OmeZarrImage, open_images
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_mapping, as_path, as_text
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.nodes import attributes_of, open_node
from napari_octree.sources.ome_zarr.plain import open_array, open_numbered
from napari_octree.sources.ome_zarr.series import open_series

__all__ = ["OmeZarrImage", "is_url", "name_of", "open_node", "read_ome_zarr"]


def read_ome_zarr(
    path: str | os.PathLike[str], **storage_options: Any
) -> tuple[OmeZarrImage, ...]:
    """Open every image at a path or URL.

    Parameters
    ----------
    path : str or path-like
        A folder, a zip file, or a URL that fsspec knows; of an OME-Zarr image, a collection of
        images written by bioformats2raw, a plain zarr array, or a plain zarr group with arrays
        named 0, 1, ….
    **storage_options
        Passed to fsspec.

    Raises
    ------
    SourceError
        There is no image, or none of a kind that can be shown.
    """
    where = os.fspath(path)
    node = open_node(where, **storage_options)
    if isinstance(node, zarr.Array):
        return (open_array(node, where),)
    attributes = attributes_of(node)
    ome = ome_attributes(attributes)
    if "plate" in ome:  # takes precedence over bioformats2raw's layout, since 0.4
        raise _plate_refused(as_mapping(ome["plate"]), where)
    if "multiscales" in ome and "image-label" not in ome:
        return tuple(open_images(node, attributes, where))
    if "bioformats2raw.layout" in ome:
        return tuple(open_series(node, where))
    _refuse_other_kinds(ome, where)
    return (open_numbered(node, where),)


def _refuse_other_kinds(ome: Mapping[str, Any], where: str) -> None:
    if "image-label" in ome:
        raise SourceError(f"{where}: an OME-Zarr label image; labels cannot be shown yet")
    if "labels" in ome:
        names = ", ".join(_texts(ome["labels"])[:20]) or "none"
        raise SourceError(
            f"{where}: a group of OME-Zarr label images ({names}); labels cannot be shown yet"
        )
    if "well" in ome:
        images = as_list(as_mapping(ome["well"]).get("images"))
        raise SourceError(
            f"{where}: a well of an OME-Zarr plate with {len(images)} images; "
            f"wells cannot be shown yet{_example(images, where, '')}"
        )


def _plate_refused(plate: Mapping[str, Any], where: str) -> SourceError:
    wells = as_list(plate.get("wells"))
    return SourceError(
        f"{where}: an OME-Zarr plate with {len(wells)} wells; "
        f"plates cannot be shown yet{_example(wells, where, '/0')}"
    )


def _example(values: Any, where: str, below: str) -> str:
    paths = [as_path(as_mapping(value).get("path")) for value in as_list(values)]
    path = next((path for path in paths if path is not None), None)
    return "" if path is None else f"; open one image, as {join(where, path)}{below}"


def _texts(value: Any) -> list[str]:
    return [text for text in map(as_text, as_list(value)) if text is not None]
