"""Which well a plate goes by: the first one, in its order, of which a field can be opened.

Invariants: wells are looked at in rounds, each twice as large as the one before, and only so many:
a plate may list a hundred thousand that are not there.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.plates.first_field import FirstField, first_field
from napari_octree.sources.ome_zarr.plates.model import (
    Acquisition,
    ListedField,
    Plate,
    Well,
    chosen_fields,
    parse_well,
)
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import Documents

FIRST_WELLS = 8
"""Looked at, in one round, for the first field that opens and for how many fields a well has."""
MOST_WELLS_NEAR = 4096
MOST_WELLS_FAR = 1024
"""Looked at, where none of those before is there: 64 at once, each round a latency."""
MOST_WELLS_TRIED = 64
"""Whose fields are looked for, while none opens."""


def first_of_plate(
    documents: Documents, plate: Plate, acquisition: int | None, where: str
) -> tuple[FirstField, int, int | None]:
    """Return the first field that opens, the fields of a well, and the acquisition to show.

    Wells are looked at in rounds, each twice as large as the one before, until one has it.
    """
    turn = POOL.new_turn()
    problem: BaseException | None = None
    start, size, tried = 0, FIRST_WELLS, 0
    wells = plate.wells[: MOST_WELLS_FAR if documents.store.is_far else MOST_WELLS_NEAR]
    while start < len(wells) and tried < MOST_WELLS_TRIED:
        some = wells[start : start + size]
        start, size = start + size, 2 * size
        found, own_problem = _look_at_wells(documents, some, turn, where)
        problem = problem or own_problem
        if not any(fields for _, fields in found):
            continue
        known = plate.acquisitions if len(plate.acquisitions) > 1 else _acquisitions_of(found)
        chosen = chosen_acquisition(known or plate.acquisitions, acquisition, where)
        listed = [(well, chosen_fields(fields, chosen)) for well, fields in found]
        listed = [(well, fields) for well, fields in listed if fields]
        tried += len(listed)
        if not listed:
            continue
        try:
            return first_field(documents, listed, where), max(len(f) for _, f in listed), chosen
        except SourceError as error:
            problem = problem or error
    if isinstance(problem, SourceError) and tried:
        raise problem
    raise SourceError(
        f"{where}: an OME-Zarr plate with {len(plate.wells)} wells, none of which could be opened"
        + (f" of the first {len(wells)}" if len(wells) < len(plate.wells) else "")
        + (f" ({problem})" if problem else "")
    )


def _look_at_wells(
    documents: Documents, wells: Sequence[Well], turn: int, where: str
) -> tuple[list[tuple[Well, tuple[ListedField, ...]]], Exception | None]:
    """Return those wells that are there, with the fields that they list, and a problem met."""
    found: list[tuple[Well, tuple[ListedField, ...]]] = []
    problem: Exception | None = None
    documents.fetch([well.path for well in wells], (), turn)
    for well in wells:
        try:
            attributes = documents.attributes(well.path)
            if attributes is not None:
                found.append((well, parse_well(attributes, f"{where}/{well.path}")))
        except Exception as error:  # told when the well comes into view
            problem = problem or error
    return found, problem


def _acquisitions_of(
    wells: Sequence[tuple[Well, tuple[ListedField, ...]]],
) -> tuple[Acquisition, ...]:
    """Return the acquisitions that fields name, where the plate does not list them."""
    ids = {field.acquisition for _, fields in wells for field in fields}
    return tuple(Acquisition(number) for number in sorted(n for n in ids if n is not None))


def chosen_acquisition(known: Sequence[Acquisition], wanted: int | None, where: str) -> int | None:
    """Return the id of the acquisition to show; None if there is none to choose."""
    ids = [acquisition.id for acquisition in known]
    if isinstance(wanted, str) and wanted.isdecimal():
        wanted = int(wanted)
    if wanted is not None:
        if ids and wanted not in ids:
            raise SourceError(
                f"{where}: has no acquisition {wanted}, only {', '.join(map(str, known))}"
            )
        return wanted
    if len(ids) < 2:
        return None
    others = ", ".join(map(str, known[1:20]))
    warn(
        f"{where}: shows acquisition {known[0]}; there are also {others}: "
        "open_ome_zarr(…, acquisition=…)"
    )
    return ids[0]
