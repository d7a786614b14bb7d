"""The first field of a plate that opens: what all others are taken to be like.

Invariants: reads documents only, in few rounds, in the calling thread.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_octree.sources.arrays.zarr_arrays.direct_zarr_array import array_from_document
from napari_octree.sources.errors import SourceError, told
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.image_label import ImageLabel, parse_image_label
from napari_octree.sources.ome_zarr.metadata.model import Dataset, ImageMetadata
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_path
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.multiscales import parse_image, parse_images
from napari_octree.sources.ome_zarr.plates import ome_xml
from napari_octree.sources.ome_zarr.plates.model import ListedField, Well
from napari_octree.sources.protocol import LevelSource
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import Documents

logger = logging.getLogger("napari_octree.sources")

MOST_FIRST_FIELDS = 8
"""Fields of a well that are tried, if others do not open."""
MOST_LABELLED = 8
"""Wells whose first field is asked for labels."""
MOST_LABELS = 100
MOST_POSITIONS = 100
"""Fields of a well whose positions are looked up."""


@dataclass(frozen=True)
class FirstField:
    """The first field that opens, and what its well lists."""

    well: Well
    fields: tuple[ListedField, ...]
    path: str
    metadata: ImageMetadata
    arrays: tuple[LevelSource, ...]
    positions: tuple[tuple[float, float], ...] | None
    labels: tuple[tuple[str, str], ...]
    """Names of label images, and the path of a field that lists each."""
    label: ImageLabel | None = None
    is_listed_for_all: bool = False
    """No document lists the fields: those of this well are all there are."""


def first_field(
    documents: Documents,
    listed: Sequence[tuple[Well, tuple[ListedField, ...]]],
    where: str,
) -> FirstField:
    """Open the first field that can be opened, all its levels, and find out where fields lie."""
    turn = POOL.new_turn()
    problems: list[str] = []
    most = max(listed, key=lambda each: len(each[1]))
    ordered = [most, *(each for each in listed if each is not most)]
    # Only some wells may have labels.
    others = [_joined(well.path, fields[0].path) for well, fields in ordered[:MOST_LABELLED]]
    for well, fields in ordered:
        paths = [_joined(well.path, field.path) for field in fields[:MOST_POSITIONS]]
        labelled = list(dict.fromkeys([*paths[:4], *others]))
        documents.fetch([*paths, *(f"{path}/labels" for path in labelled)], (), turn)
        for path in paths[:MOST_FIRST_FIELDS]:
            try:
                opened = open_levels(documents, path, where, turn)
            except Exception as error:  # of stores of any kind; others are tried
                problems.append(_reason(error))
                continue
            if opened is None:
                problems.append(f"{where}/{path} is not there")
                continue
            metadata, arrays = opened
            positions = _positions(documents, paths, metadata, where)
            if positions is None and len(paths) > 1:
                positions = _positions_by_xml(documents, paths)
            labels = _label_names(documents, labelled)
            return FirstField(well, tuple(fields), path, metadata, arrays, positions, labels)
    kind = "plate" if any(well.path for well, _ in listed) else "well"
    raise SourceError(
        f"{where}: an OME-Zarr {kind} of which no field could be opened: {problems[0]}"
    )


def first_labels(
    documents: Documents, first: FirstField, name: str, field_path: str, where: str
) -> FirstField | None:
    """Open the labels of that name of the first field that has them; None if there are none.

    The field at `field_path` lists them.
    """
    turn = POOL.new_turn()
    fields = [_joined(first.well.path, field.path) for field in first.fields[:MOST_FIRST_FIELDS]]
    for field in dict.fromkeys([field_path, *fields]):
        path = _joined(field, "labels", name)
        try:
            opened = open_levels(documents, path, where, turn)
        except Exception as error:  # of stores of any kind: the image is shown without them
            warn(f"{where}: labels {name!r} cannot be opened: {_reason(error)}")
            return None
        if opened is not None:
            metadata, arrays = opened
            names = [axis.name for axis in first.metadata.axes]
            own = [axis.name for axis in metadata.axes]  # mostly without that of the channels
            if own != [name for name in names if name in own] or own[-2:] != names[-2:]:
                warn(f"{where}: labels {name!r} have other axes than the image")
                return None
            if arrays[0].dtype.kind not in "biu":
                warn(f"{where}: labels {name!r} are {arrays[0].dtype}, not whole numbers")
                return None
            ome = ome_attributes(documents.attributes(path) or {})
            label = parse_image_label(ome.get("image-label"), f"{where}/{path}")
            return replace(first, path=path, metadata=metadata, arrays=arrays, label=label)
    return None


def open_levels(
    documents: Documents, path: str, where: str, turn: int
) -> tuple[ImageMetadata, tuple[LevelSource, ...]] | None:
    """Open a field's levels: those that are there, of one type, each smaller than the last."""
    attributes = documents.attributes(path)
    if attributes is None:
        return None
    name = f"{where}/{path}"
    metadata = parse_images(attributes, None, name)[0]
    below = [f"{path}/{dataset.path}" for dataset in metadata.datasets]
    documents.fetch((), below, turn)
    kept: list[tuple[Dataset, LevelSource]] = []
    for dataset, array_path in zip(metadata.datasets, below, strict=True):
        document = documents.array(array_path)
        if document is None:
            continue
        array = array_from_document(documents.store, array_path, document)
        source = LevelSource(array, (None,) * len(array.shape))
        if not kept or _is_coarser(source, kept[-1][1]):
            kept.append((dataset, source))
    if not kept:
        raise SourceError(f"{name}: none of the arrays of its multiscales is there")
    shape = kept[0][1].shape
    if 0 in shape or len(shape) < 2 or kept[0][1].dtype.kind not in "buif":
        raise SourceError(f"{name}: an array of {shape}, {kept[0][1].dtype}, cannot be shown")
    if len(metadata.axes) != len(shape):
        metadata = parse_image(attributes, 0, len(shape), name)
    paths = {dataset.path for dataset, _ in kept}
    datasets = tuple(d for d in metadata.datasets if d.path in paths)
    return replace(metadata, datasets=datasets), tuple(source for _, source in kept)


def _is_coarser(source: LevelSource, finer: LevelSource) -> bool:
    return (
        source.dtype == finer.dtype
        and len(source.shape) == len(finer.shape)
        and 0 not in source.shape
        and all(a <= b for a, b in zip(source.shape, finer.shape, strict=True))
        and source.shape[-2:] != finer.shape[-2:]
    )


def _positions(
    documents: Documents, paths: Sequence[str], first: ImageMetadata, where: str
) -> tuple[tuple[float, float], ...] | None:
    """Return the translations of a well's fields in pixels; None unless each has one."""
    scale = first.datasets[0].scale
    if scale is None or len(paths) < 2:
        return None
    positions = []
    for path in paths:
        try:
            attributes = documents.attributes(path)
            if attributes is None:
                return None
            own = parse_image(attributes, 0, len(first.axes), f"{where}/{path}").datasets[0]
        except Exception:  # of stores of any kind: positions are of use, but not needed
            logger.debug("%s/%s: no position", where, path, exc_info=True)
            return None
        if own.translation is None:
            return None
        y, x = (t / s for t, s in zip(own.translation[-2:], scale[-2:], strict=True))
        positions.append((y, x))
    return tuple(positions)


def _positions_by_xml(
    documents: Documents, paths: Sequence[str]
) -> tuple[tuple[float, float], ...] | None:
    """Return the positions that bioformats2raw's OME-XML gives, if it is there."""
    try:
        root = ome_attributes(documents.attributes("") or {})
        if "bioformats2raw.layout" not in root:
            return None
        listed = ome_attributes(documents.attributes("OME") or {}).get("series")
        xml = documents.store.get(ome_xml.FILE)
    except Exception:  # as above
        logger.debug("%s: no OME-XML", documents.store.address, exc_info=True)
        return None
    return None if xml is None else ome_xml.field_positions(xml, as_list(listed), paths)


def _label_names(documents: Documents, paths: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the names of the label images that fields list, each with the first such field."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            attributes = documents.attributes(f"{path}/labels")
        except Exception:  # as above, of labels
            logger.debug("%s: no labels", path, exc_info=True)
            attributes = None
        if attributes is not None:
            names = as_list(ome_attributes(attributes).get("labels"))
            for name in map(as_path, names[:MOST_LABELS]):
                if name is not None and len(found) < MOST_LABELS:
                    found.setdefault(name, path)
    return tuple(found.items())


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _reason(error: BaseException) -> str:
    return f"{error}" if isinstance(error, SourceError) else told(error)
