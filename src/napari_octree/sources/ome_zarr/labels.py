"""Label images, and those that lie beside an image.

Invariants: labels that cannot be opened cost their image nothing but a warning. A label image
lies where its image does: what is said of the image's place holds for its labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.arrays.converted_array import ConvertedArray
from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.ome_zarr.addresses import join, name_of
from napari_octree.sources.ome_zarr.image import LABELS, OmeZarrImage, read_images
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.image_label import parse_image_label
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_path, shown
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.nodes import attributes_of, child, children
from napari_octree.sources.ome_zarr.placing import transformed
from napari_octree.sources.stores.address import local_path

MOST_LABEL_IMAGES = 50
FOLDER = LABELS


def with_labels(
    placed: OmeZarrImage, unplaced: OmeZarrImage, group: zarr.Group
) -> Iterator[OmeZarrImage]:
    """Give an image, then its label images placed as it is."""
    yield placed
    where = unplaced.where
    try:
        folder = child(group, FOLDER, where)
    except SourceError as error:
        warn(f"{error}; its labels are left out")
        return
    if isinstance(folder, zarr.Group):
        for label in _listed(folder, join(where, FOLDER), named_after=placed.name):
            yield replace(placed_like(label, unplaced, placed), hidden=True)


def open_labels(group: zarr.Group, where: str) -> list[OmeZarrImage]:
    """Open the label images that a group called ``labels`` lists.

    Raises
    ------
    SourceError
        There is none.
    """
    images = list(_listed(group, where, named_after=None))
    if not images:
        raise SourceError(f"{where}: a group of OME-Zarr label images, of which none can be shown")
    return images


def read_label(
    group: zarr.Group, attributes: Mapping[str, Any], where: str
) -> Iterator[OmeZarrImage]:
    """Open a label image, in its own coordinates.

    Raises
    ------
    SourceError
        It cannot be shown.
    """
    ome = ome_attributes(attributes)
    label = parse_image_label(ome.get("image-label"), where)
    if "multiscales" not in ome:
        raise SourceError(
            f"{where}: an OME-Zarr label image without multiscales, so without levels"
        )
    for image in read_images(group, attributes, where):
        dtype = image.levels[0].dtype
        if dtype.kind not in "iub":
            warn(f"{where}: a label image of {dtype}; its labels are rounded to whole numbers")
            whole = np.dtype(np.int32)
            storages = [as_level_source(level).storage for level in image.levels]
            image = replace(image, levels=tuple(ConvertedArray(s, whole) for s in storages))
        yield replace(image, label=label)


def above_labels(path: str) -> str | None:
    """The path of the image beside which a label image, or the group of them, lies in a store.

    None if it lies in no group of that name.
    """
    parts = path.rstrip("/").split("/")
    at = next((n for n in reversed(range(len(parts) - 1)) if parts[n] == FOLDER), None)
    if at is None and parts[-1] == FOLDER:
        at = len(parts) - 1
    return None if at is None else "/".join(parts[:at])


def address_above_labels(address: str) -> str | None:
    """The path or address of that image, given the one of its labels; None as above."""
    local = local_path(address)
    if local is not None:
        return above_labels(local.absolute().as_posix()) or None
    path, mark, query = address.partition("?")
    above = above_labels(path)
    return f"{above}{mark}{query}" if above else None


def placed_like(label: OmeZarrImage, unplaced: OmeZarrImage, placed: OmeZarrImage) -> OmeZarrImage:
    """A label image, placed as its image was, and with its scale if it has none of its own."""
    label = _with_scale_of(label, unplaced)
    if placed.matrix is None:
        return label
    found = _axes_in(label, unplaced)
    extra = [axis for axis, n in zip(label.metadata.axes, found, strict=True) if n is None]
    # Axes that the image has not come first, and stay as they are.
    matrix = _with_axes_before(placed.matrix, len(extra))
    outputs = [*extra, *placed.outputs]
    new = iter(range(len(extra)))
    columns = [next(new) if n is None else n + len(extra) for n in found]
    count = matrix.shape[1] - 1
    left_out = [n for n in range(count) if n not in columns]
    # Rows that only the axes left out lead to are left out with them.
    rows = [
        row
        for row in range(matrix.shape[0] - 1)
        if not (matrix[row, left_out].any() and not matrix[row, columns].any())
    ]
    if matrix[np.ix_(rows, left_out)].any():
        return label
    last = matrix.shape[0] - 1
    part = matrix[np.ix_([*rows, last], [*columns, count])]
    return transformed(label, part, [outputs[row] for row in rows])


def _with_axes_before(matrix: np.ndarray, count: int) -> np.ndarray:
    """A matrix over so many axes more, which come first and stay as they are."""
    rows, columns = matrix.shape
    result = np.zeros((rows + count, columns + count))
    result[:count, :count] = np.eye(count)
    result[count:, count:] = matrix
    return result


def _axes_in(label: OmeZarrImage, image: OmeZarrImage) -> list[int | None]:
    """Where the axes of a label image are in its image: by name, else, of as many, by place."""
    names = [axis.name for axis in image.metadata.axes]
    own = [axis.name for axis in label.metadata.axes]
    if set(names).isdisjoint(own) and len(names) == len(own):
        return list(range(len(own)))
    return [names.index(name) if name in names else None for name in own]


def _listed(folder: zarr.Group, where: str, named_after: str | None) -> Iterator[OmeZarrImage]:
    value = ome_attributes(attributes_of(folder)).get("labels")
    if value is not None and not isinstance(value, list | tuple):
        warn(f"{where}: its labels are {shown(value)}, not a list of paths")
    paths = [as_path(each) for each in as_list(value)]
    if None in paths:
        warn(f"{where}: a path of its labels leads nowhere, and is left out: {shown(value)}")
    usable = list(dict.fromkeys(path for path in paths if path is not None))
    if len(usable) > MOST_LABEL_IMAGES:
        warn(f"{where}: {len(usable)} label images; the first {MOST_LABEL_IMAGES} are opened")
        usable = usable[:MOST_LABEL_IMAGES]
    for path, node in zip(usable, children(folder, usable, where), strict=True):
        try:
            if isinstance(node, SourceError):
                raise node
            if not isinstance(node, zarr.Group):
                raise SourceError(
                    f"{join(where, path)}: is listed as a label image, but not there"
                )
            images = list(read_label(node, attributes_of(node), join(where, path)))
        except SourceError as error:
            warn(f"{error}; these labels are left out")
            continue
        for image in images:
            name = name_of(path)
            yield replace(image, name=name if named_after is None else f"{named_after}: {name}")


def _with_scale_of(label: OmeZarrImage, image: OmeZarrImage) -> OmeZarrImage:
    """The label image; without a scale of its own it covers what its image covers."""
    own, others = label.metadata.datasets[0], image.metadata.datasets[0]
    if own.scale is not None or others.scale is None:
        return label
    scale, shift = [], []
    for n, at in enumerate(_axes_in(label, image)):
        if at is None:
            scale.append(1.0)
            shift.append(0.0)
            continue
        ratio = image.levels[0].shape[at] / label.levels[0].shape[n]
        scale.append(others.scale[at] * ratio)
        begin = others.translation[at] if others.translation else 0.0
        shift.append(begin + others.scale[at] * (ratio - 1) / 2)
    first = replace(own, scale=tuple(scale), translation=tuple(shift))
    rest: Sequence[Any] = label.metadata.datasets[1:]
    metadata = replace(label.metadata, datasets=(first, *rest))
    return replace(label, metadata=metadata)
