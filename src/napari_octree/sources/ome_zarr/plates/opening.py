"""Opening a plate, or a well, as one mosaic.

Invariants: what is read at once is the plate, its first wells and one field; all else is opened in
workers, when it comes into view. What cannot be shown is a `SourceError` that names the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.errors import SourceError, told
from napari_octree.sources.mosaic.deviations import Deviations
from napari_octree.sources.mosaic.given_mosaic import chunk_of
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.mosaic.pyramid import Model, mosaic_levels
from napari_octree.sources.ome_zarr.addresses import name_of
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.model import Dataset
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.plates.fields import FieldModel, PlateFields
from napari_octree.sources.ome_zarr.plates.first_field import (
    FirstField,
    first_field,
    first_labels,
)
from napari_octree.sources.ome_zarr.plates.first_well import chosen_acquisition, first_of_plate
from napari_octree.sources.ome_zarr.plates.layout import PlateLayout, plate_layout
from napari_octree.sources.ome_zarr.plates.model import (
    Acquisition,
    ListedField,
    Plate,
    Well,
    chosen_fields,
    parse_plate,
    parse_well,
)
from napari_octree.sources.stores.zarr_metadata.documents import Documents
from napari_octree.sources.stores.zarr_nodes import documents_of


@dataclass(frozen=True, eq=False, kw_only=True)
class MosaicImage(OmeZarrImage):
    """A plate, or its labels, opened as one image; its levels are `MosaicArray`s.

    Attributes
    ----------
    plate : Plate
    layout : PlateLayout
    fields : PlateFields
    """

    plate: Plate
    layout: PlateLayout
    fields: PlateFields


def read_mosaics(
    group: zarr.Group, attributes: Mapping[str, Any], where: str, acquisition: int | None
) -> tuple[MosaicImage, ...]:
    """Open a plate or a well that somebody has found: its picture, then its labels.

    Raises
    ------
    SourceError
        It cannot be shown.
    """
    documents = documents_of(group, where)
    is_plate = "plate" in ome_attributes(attributes)
    try:
        documents.attributes("")  # which was just read: what is missing later is told by it
        return (open_plate if is_plate else open_well)(documents, attributes, where, acquisition)
    except SourceError:
        raise
    except Exception as error:  # stores of any kind raise anything
        raise SourceError(f"{where}: cannot be opened: {told(error)}") from error


def open_plate(
    documents: Documents,
    attributes: Mapping[str, Any],
    where: str,
    acquisition: int | None = None,
) -> tuple[MosaicImage, ...]:
    """Open a plate: its picture, then its labels.

    Parameters
    ----------
    documents : Documents
        Of the plate's store.
    attributes : mapping
        Of the plate's group.
    where : str
        Path or address, for messages.
    acquisition : int, optional
        Its id; default: the first one.

    Raises
    ------
    SourceError
        There is no such acquisition, or no field can be opened.
    """
    plate = parse_plate(attributes, where)
    first, count, chosen = first_of_plate(documents, plate, acquisition, where)
    return tuple(_images_like(first, documents, plate, count, chosen, where))


def open_well(
    documents: Documents,
    attributes: Mapping[str, Any],
    where: str,
    acquisition: int | None = None,
) -> tuple[MosaicImage, ...]:
    """Open a well whose store begins at the well itself, as `open_plate` does a plate."""
    fields = parse_well(attributes, where)
    known = dict.fromkeys(f.acquisition for f in fields if f.acquisition is not None)
    chosen = chosen_acquisition([Acquisition(number) for number in known], acquisition, where)
    shown = chosen_fields(fields, chosen)
    if not shown:
        raise SourceError(f"{where}: a well of an OME-Zarr plate without fields")
    name = "/".join(where.rstrip("/").replace("\\", "/").split("/")[-2:])
    well = Well("", name, 0, 0)
    plate = Plate(name, ("",), ("",), (well,))
    return tuple(_images(documents, plate, [(well, shown)], len(shown), chosen, where))


def open_tiles(
    documents: Documents,
    paths: Sequence[str],
    positions: Sequence[tuple[float, float]],
    where: str,
) -> tuple[MosaicImage, ...]:
    """Open the tiles of a scan, which a collection lists as images: its picture, then its labels.

    Parameters
    ----------
    documents : Documents
        Of the collection's store.
    paths : sequence of str
        Of the images in the collection.
    positions : sequence of (float, float)
        Of their first pixels, in pixels (y, x).
    where : str
        Path or address, for messages.

    Raises
    ------
    SourceError
        None can be opened.
    """
    listed = tuple(map(ListedField, paths))
    well = Well("", name_of(where), 0, 0)
    plate = Plate(well.name, ("",), ("",), (well,))
    first = first_field(documents, [(well, listed)], where)
    first = replace(first, positions=tuple(positions), is_listed_for_all=True)
    origin = tuple(min(p[axis] for p in positions) for axis in (0, 1))
    return tuple(
        _moved(image, origin)
        for image in _images_like(first, documents, plate, len(listed), None, where)
    )


def _moved(image: MosaicImage, origin: Sequence[float]) -> MosaicImage:
    """Return an image that begins so many pixels (y, x) from the origin of the stage."""
    first, *others = image.metadata.datasets
    scale = first.scale or (1.0,) * len(image.metadata.axes)
    shift = [0.0] * (len(scale) - 2) + [o * s for o, s in zip(origin, scale[-2:], strict=True)]
    first = replace(first, scale=scale, translation=tuple(shift))
    metadata = replace(image.metadata, datasets=(first, *others))
    return replace(image, metadata=metadata)


def _images(
    documents: Documents,
    plate: Plate,
    listed: Sequence[tuple[Well, tuple[ListedField, ...]]],
    count: int,
    acquisition: int | None,
    where: str,
) -> Iterator[MosaicImage]:
    first = first_field(documents, listed, where)
    yield from _images_like(first, documents, plate, count, acquisition, where)


def _images_like(
    first: FirstField,
    documents: Documents,
    plate: Plate,
    count: int,
    acquisition: int | None,
    where: str,
) -> Iterator[MosaicImage]:
    deviations = Deviations(where)
    image = _image(documents, plate, first, count, acquisition, where, "", deviations, None)
    yield image
    for name, path in first.labels:
        labels = first_labels(documents, first, name, path, where)
        if labels is not None:
            yield _image(
                documents, plate, labels, count, acquisition, where, f"labels/{name}",
                Deviations(where), image,
            )  # fmt: skip


def _image(
    documents: Documents,
    plate: Plate,
    first: FirstField,
    count: int,
    acquisition: int | None,
    where: str,
    below: str,
    deviations: Deviations,
    picture: MosaicImage | None,
) -> MosaicImage:
    arrays = first.arrays
    fill_value = arrays[0].storage.fill_value if not below else 0
    model = Model(
        tuple(a.shape for a in arrays), tuple(map(chunk_of, arrays)), arrays[0].dtype, fill_value
    )
    shape, factors = model.shapes[0], model.factors
    layout = plate_layout(
        len(plate.rows), len(plate.columns), shape[-2:], factors[-1][-2:], count, first.positions
    )
    field_model = FieldModel(first.metadata, factors)
    fields = PlateFields(
        documents, plate.wells, count, acquisition, field_model, below, deviations,
        first.fields if first.is_listed_for_all else None,
    )  # fmt: skip
    reduction: Reduction = "nearest" if below else "mean"
    levels = mosaic_levels(
        _places(plate.wells, layout, shape),
        fields,
        model,
        where=where,
        identity=(documents.store.identity, below),
        layout={
            "plate": [plate.rows, plate.columns, [(w.path, w.row, w.column) for w in plate.wells]],
            "offsets": layout.offsets,
            "acquisition": acquisition,
            "below": below,
        },
        extent=(*shape[:-2], *layout.extent),
        pitch=layout.pitch,
        reduction=reduction,
        deviations=deviations,
    )
    datasets = [replace(first.metadata.datasets[0], translation=None)]
    datasets += [Dataset(f"{number}") for number in range(1, len(levels))]
    metadata = replace(first.metadata, datasets=tuple(datasets))
    name = plate.name or name_of(where)
    label = below.rpartition("/")[2]
    return MosaicImage(
        name=f"{name}: {label}" if label else name,
        levels=levels,
        metadata=metadata,
        where=where,
        plate=plate,
        layout=layout,
        fields=fields,
        label=first.label,
        hidden=first.label is not None,
        details={"plate": _details(plate, layout, where, acquisition, deviations)},
    )


def _details(
    plate: Plate, layout: PlateLayout, where: str, acquisition: int | None, deviations: Deviations
) -> dict[str, Any]:
    """Return what the layers' metadata say of a plate."""
    return {
        "name": plate.name,
        "where": where,
        "rows": list(plate.rows),
        "columns": list(plate.columns),
        "wells": [well.path for well in plate.wells],
        "fields": len(layout.offsets),
        "acquisition": acquisition,
        "acquisitions": [acquisition.id for acquisition in plate.acquisitions],
        "pitch": layout.pitch,
        "unlike the first field": deviations,
    }


def _places(wells: Sequence[Well], layout: PlateLayout, shape: Sequence[int]) -> Places:
    """Return the boxes of all fields, well by well."""
    origins = np.array([(w.row, w.column) for w in wells], np.int64) * np.array(layout.pitch)
    starts = (origins[:, None] + np.array(layout.offsets, np.int64)[None]).reshape(-1, 2)
    boxes = np.zeros((len(starts), len(shape), 2), np.int64)
    boxes[:, :, 1] = shape
    boxes[:, -2:, 0] = starts
    boxes[:, -2:, 1] += starts
    return Places(boxes, _FieldNames(tuple(wells), len(layout.offsets)))


@dataclass(frozen=True)
class _FieldNames(Sequence[str]):
    """Names of all fields, made when asked for."""

    wells: tuple[Well, ...]
    per_well: int

    def __len__(self) -> int:
        return len(self.wells) * self.per_well

    def __getitem__(self, number: Any) -> Any:
        well, field = self.wells[number // self.per_well], number % self.per_well
        return well.name if self.per_well == 1 else f"{well.name} field {field + 1}"
