"""Opening OME-Zarr images, plain zarr arrays and what lies around them.

Invariants: reads metadata only, by name: a store is never listed (plain HTTP cannot be). Levels
are opened side by side: a pyramid takes no more round trips than one array. What cannot be shown
is a `SourceError` that names the path and says what was found there.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zarr

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata import (
    Axis,
    Dataset,
    ImageMetadata,
    OmeZarrWarning,
    ome_attributes,
    parse_images,
    reconcile_scales,
)

Node = zarr.Array | zarr.Group

OPENED_AT_ONCE = 16
"""Requests that a server is asked at a time; more are told off by some."""


@dataclass(frozen=True, eq=False)
class OmeZarrImage:
    """An image, opened.

    Attributes
    ----------
    name : str
    levels : tuple of zarr.Array
        Finest first.
    metadata : ImageMetadata
        With one dataset per level, and one axis per axis of the arrays.
    where : str
        Path or address.
    """

    name: str
    levels: tuple[zarr.Array, ...]
    metadata: ImageMetadata
    where: str


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
        return (_from_arrays((node,), where),)
    attributes = dict(node.attrs)
    ome = ome_attributes(attributes)
    if "multiscales" in ome and "image-label" not in ome:
        return tuple(_open_images(node, attributes, where))
    if "bioformats2raw.layout" in ome:
        return tuple(_open_series(node, where))
    _refuse_other_kinds(ome, where)
    levels = tuple(_numbered_arrays(node))
    if len(levels) < 2:
        raise SourceError(
            f"{where}: a zarr group without multiscales, so no OME-Zarr image; "
            "if it holds arrays, give the path of one"
        )
    return (_from_arrays(levels, where),)


def open_node(where: str, **storage_options: Any) -> Node:
    """Open the zarr array or group at a path or URL, for reading.

    Raises
    ------
    SourceError
        There is none, or the store cannot be reached.
    """
    store: Any = where
    if not is_url(where):
        path = Path(where).expanduser()
        if not path.exists():
            raise SourceError(f"{where}: there is no such file or folder")
        if path.is_file():
            if path.suffix != ".zip":
                raise SourceError(f"{where}: a file, not a zarr folder")
            store = zarr.storage.ZipStore(path, mode="r")
        else:
            store = path
    try:
        return zarr.open(store, mode="r", storage_options=storage_options or None)
    except ImportError as error:
        raise SourceError(
            f"{where}: cannot be opened: {error}; `pip install napari-octree[remote]` may help"
        ) from error
    except FileNotFoundError as error:
        raise SourceError(f"{where}: not zarr: no array or group is there") from error
    except Exception as error:  # stores of any kind, and broken JSON, raise anything
        kind = type(error).__name__
        raise SourceError(f"{where}: cannot be opened as zarr: {kind}: {error}") from error


def is_url(where: str) -> bool:
    """Whether this is an address (``https://…``, ``s3://…``) and not a local path."""
    return "://" in where or "::" in where


def _open_images(
    group: zarr.Group, attributes: Mapping[str, Any], where: str
) -> Iterator[OmeZarrImage]:
    images = parse_images(attributes, None, where)
    for number, image in enumerate(images):
        nodes = _children(group, [d.path for d in image.datasets])
        found = list(zip(image.datasets, nodes, strict=True))
        kept = [(d, array) for d, array in found if isinstance(array, zarr.Array)]
        if not kept:
            raise SourceError(f"{where}: none of the arrays of its multiscales is there")
        if len(kept) < len(found):
            absent = [d.path for d, array in found if not isinstance(array, zarr.Array)]
            warnings.warn(
                f"{where}: has no level {', '.join(absent)}", OmeZarrWarning, stacklevel=2
            )
        levels = tuple(array for _, array in kept)
        if levels[0].ndim != len(image.axes):
            image = parse_images(attributes, levels[0].ndim, where)[number]
        paths = {d.path for d, _ in kept}
        datasets = tuple(d for d in image.datasets if d.path in paths)
        image = replace(image, datasets=datasets)
        if all(level.ndim == levels[0].ndim for level in levels):
            image = reconcile_scales(image, [level.shape for level in levels], where)
        yield OmeZarrImage(image.name or name_of(where), levels, image, where)


def _open_series(group: zarr.Group, where: str) -> Iterator[OmeZarrImage]:
    """Open the images of a bioformats2raw collection: those that it names, else 0, 1, …."""
    listed = _child(group, "OME")
    series = ome_attributes(dict(listed.attrs)).get("series") if listed is not None else None
    paths = [str(path) for path in series or ()]
    found = zip(paths, _children(group, paths), strict=True) if paths else _counted(group)
    opened = 0
    for path, image in found:
        if not isinstance(image, zarr.Group):
            raise SourceError(f"{where}: names the image {path!r}, but it is not there")
        yield from _open_images(image, dict(image.attrs), f"{where.rstrip('/')}/{path}")
        opened += 1
    if not opened:
        raise SourceError(f"{where}: a bioformats2raw collection without images")


def _refuse_other_kinds(ome: Mapping[str, Any], where: str) -> None:
    folder = where.rstrip("/")
    if "image-label" in ome:
        raise SourceError(f"{where}: an OME-Zarr label image; labels cannot be shown yet")
    if "labels" in ome:
        names = ", ".join(map(str, ome["labels"] or ["none"]))
        raise SourceError(
            f"{where}: a group of OME-Zarr label images ({names}); labels cannot be shown yet"
        )
    if "plate" in ome:
        plate = ome["plate"]
        wells = [str(well.get("path")) for well in plate.get("wells", [])]
        example = f"; open one image, as {folder}/{wells[0]}/0" if wells else ""
        raise SourceError(
            f"{where}: an OME-Zarr plate with {len(wells)} wells; "
            f"plates cannot be shown yet{example}"
        )
    if "well" in ome:
        paths = [str(image.get("path")) for image in ome["well"].get("images", [])]
        example = f"; open one image, as {folder}/{paths[0]}" if paths else ""
        raise SourceError(
            f"{where}: a well of an OME-Zarr plate with {len(paths)} images; "
            f"wells cannot be shown yet{example}"
        )


def _counted(group: zarr.Group) -> Iterator[tuple[str, Node]]:
    """What is at 0, 1, …, up to the first that is not there."""
    for path in map(str, count()):
        node = _child(group, path)
        if node is None:
            return
        yield path, node


def _numbered_arrays(group: zarr.Group) -> Iterator[zarr.Array]:
    """The arrays named 0, 1, …: a pyramid that carries no metadata."""
    for _, node in _counted(group):
        if not isinstance(node, zarr.Array):
            return
        yield node


def _from_arrays(levels: tuple[zarr.Array, ...], where: str) -> OmeZarrImage:
    array = levels[0]
    names = getattr(array.metadata, "dimension_names", None) or ()
    axes = tuple(
        Axis(names[i] if i < len(names) and names[i] else f"axis {i}") for i in range(array.ndim)
    )
    datasets = tuple(Dataset(level.path) for level in levels)
    return OmeZarrImage(name_of(where), levels, ImageMetadata("", None, axes, datasets), where)


def _children(group: zarr.Group, paths: Sequence[str]) -> list[Node | None]:
    """What is at each path, None where nothing is; asked for side by side."""
    with ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="open-zarr") as pool:
        return list(pool.map(lambda path: _child(group, path), paths))


def _child(group: zarr.Group, path: str) -> Node | None:
    try:
        return group[path]
    except (KeyError, FileNotFoundError):
        return None


def name_of(where: str) -> str:
    """The last part of a path or URL, without ``.ome.zarr``."""
    path = urlsplit(where).path if is_url(where) else os.path.abspath(where)
    name = path.rstrip("/" + os.sep).replace(os.sep, "/").rpartition("/")[2]
    for ending in (".zip", ".zarr", ".ome"):
        name = name.removesuffix(ending)
    return name or where
