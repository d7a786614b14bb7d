"""What the attributes of a plate and of its wells say.

Invariants: pure functions of decoded JSON; what is missing or slightly wrong is warned of and
replaced; the path of a well says where its data are, so it counts where indices disagree.

Source: https://ngff.openmicroscopy.org, the specifications 0.1 to 0.6.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import (
    as_index,
    as_list,
    as_mapping,
    as_path,
    as_text,
    shown,
)
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes

MOST_WELLS = 100_000
MOST_FIELDS = 10_000


@dataclass(frozen=True)
class Well:
    """A well that a plate lists.

    Attributes
    ----------
    path : str
        Of its group, in the plate.
    name : str
        "B/03".
    row, column : int
        In the plate's lists.
    """

    path: str
    name: str
    row: int
    column: int


@dataclass(frozen=True)
class Acquisition:
    """One run of the microscope over a plate."""

    id: int
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.id}" if self.name is None else f"{self.id} ({self.name})"


@dataclass(frozen=True)
class Plate:
    """A plate.

    Attributes
    ----------
    name : str or None
    rows, columns : tuple of str
        Their names, in order, empty ones included.
    wells : tuple of Well
    acquisitions : tuple of Acquisition
    field_count : int or None
        Fields of a well, at most, as far as the plate says.
    """

    name: str | None
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    wells: tuple[Well, ...]
    acquisitions: tuple[Acquisition, ...] = ()
    field_count: int | None = None


@dataclass(frozen=True)
class ListedField:
    """A field that a well lists: its path in the well, and its acquisition if that is said."""

    path: str
    acquisition: int | None = None


def parse_plate(attributes: Mapping[str, Any], where: str) -> Plate:
    """Read the plate of a group.

    Raises
    ------
    SourceError
        It has no wells that can be found.
    """
    plate = as_mapping(ome_attributes(attributes).get("plate"))
    rows = _names(plate.get("rows"), "row", where)
    columns = _names(plate.get("columns"), "column", where)
    wells = _wells(as_list(plate.get("wells")), rows, columns, where)
    if not wells:
        raise SourceError(f"{where}: an OME-Zarr plate without wells")
    return Plate(
        as_text(plate.get("name")),
        tuple(rows),
        tuple(columns),
        wells,
        _acquisitions(as_list(plate.get("acquisitions"))),
        as_index(plate.get("field_count")),
    )


def parse_well(attributes: Mapping[str, Any], where: str) -> tuple[ListedField, ...]:
    """Read the fields of a well, in order.

    Raises
    ------
    SourceError
        The group is no well.
    """
    well = ome_attributes(attributes).get("well")
    if not isinstance(well, Mapping):
        raise SourceError(f"{where}: a group that is no well of an OME-Zarr plate")
    fields = {}
    for value in as_list(well.get("images"))[:MOST_FIELDS]:
        path = as_path(_entry(value).get("path"))
        if path is None:
            warn(f"{where}: cannot use the field {shown(value)}")
        elif path not in fields:
            fields[path] = ListedField(path, as_index(as_mapping(value).get("acquisition")))
    return tuple(fields.values())


def chosen_fields(
    fields: Sequence[ListedField], acquisition: int | None
) -> tuple[ListedField, ...]:
    """Return the fields of one acquisition; those that name none belong to each.

    Images that a program has made of another one (Fractal's "0_registered" beside "0") show the
    same place, and are left out.
    """
    paths = {field.path for field in fields}
    return tuple(
        field
        for field in fields
        if acquisition is None or field.acquisition is None or field.acquisition == acquisition
        if not is_derived(field.path, paths)
    )


def is_derived(path: str, paths: Collection[str]) -> bool:
    """Whether an image is named after another one of its well: "0_mip" after "0"."""
    known = {other.removesuffix(".zarr") for other in paths}
    parts = path.removesuffix(".zarr").split("_")
    return any("_".join(parts[:n]) in known for n in range(1, len(parts)))


def _entry(value: Any) -> Mapping[str, Any]:
    """Return what is listed; a path alone is one without further facts."""
    return {"path": value} if isinstance(value, str) else as_mapping(value)


def _names(values: Any, what: str, where: str) -> list[str]:
    names = []
    for number, value in enumerate(as_list(values)[:MOST_WELLS]):
        name = as_text(as_mapping(value).get("name"))
        if name is None:
            warn(f"{where}: {what} {number} of the plate has no name")
            name = as_text(value)
        names.append(name or f"{number}")
    return names


def _wells(
    values: Sequence[Any], rows: list[str], columns: list[str], where: str
) -> tuple[Well, ...]:
    """Read the wells; rows and columns that only their paths name are appended to the lists."""
    wells: dict[str, Well] = {}
    disagreeing: list[str] = []
    for value in values[:MOST_WELLS]:
        entry = _entry(value)
        path = as_path(entry.get("path"))
        if path is None:
            warn(f"{where}: cannot use the well {shown(value)}")
            continue
        parts = path.split("/")
        if len(parts) < 2:
            warn(f"{where}: the path of the well {path!r} names no row and column")
            continue
        row_name, column_name = parts[-2:]  # before 0.1.4 a path began with an acquisition
        row = _index(row_name, rows, as_index(entry.get("rowIndex")))
        column = _index(column_name, columns, as_index(entry.get("columnIndex")))
        stated = (as_index(entry.get("rowIndex")), as_index(entry.get("columnIndex")))
        if any(s is not None and s != own for s, own in zip(stated, (row, column), strict=True)):
            disagreeing.append(path)
        name = f"{row_name}/{column_name}"
        wells.setdefault(name, Well(path, name, row, column))
    if disagreeing:
        warn(
            f"{where}: rowIndex and columnIndex of {len(disagreeing)} wells "
            f"({disagreeing[0]}, …) are not those of their paths, which are taken"
        )
    return tuple(wells.values())


def _index(name: str, names: list[str], stated: int | None) -> int:
    """Return the place of a row or column; one that the plate does not list comes last."""
    if name in names:
        return names.index(name)
    if stated is not None and stated < len(names):
        return stated
    names.append(name)
    return len(names) - 1


def _acquisitions(values: Sequence[Any]) -> tuple[Acquisition, ...]:
    found: dict[int, Acquisition] = {}
    for value in values[:MOST_FIELDS]:
        number = as_index(as_mapping(value).get("id"))
        if number is not None and number not in found:
            found[number] = Acquisition(number, as_text(as_mapping(value).get("name")))
    return tuple(found.values())
