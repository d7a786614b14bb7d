"""The fields of a plate, opened when they come into view.

Invariants: worker threads only; a well's document is read once, a field's when it is first wanted,
an array's when that level is. Documents that several fields need are fetched in one round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from napari_octree.sources.arrays.zarr_arrays.direct_zarr_array import (
    DirectZarrArray,
    array_from_document,
    format_and_version,
)
from napari_octree.sources.errors import SourceError
from napari_octree.sources.mosaic.deviations import Deviations
from napari_octree.sources.mosaic.field import PixelSize, run_in_turn
from napari_octree.sources.mosaic.near_reads import NearReads
from napari_octree.sources.ome_zarr.metadata.model import ImageMetadata
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.ome_zarr.multiscales import parse_image
from napari_octree.sources.ome_zarr.plates.model import (
    ListedField,
    Well,
    chosen_fields,
    is_derived,
    parse_well,
)
from napari_octree.sources.protocol import LevelSource
from napari_octree.sources.stores.side_by_side import POOL
from napari_octree.sources.stores.zarr_metadata.documents import Documents
from napari_octree.sources.stores.zarr_nodes import Node, node_at

T = TypeVar("T")

SAME = 1.02
"""Pixel sizes that differ by less are told of nobody."""

NEAR = NearReads()
"""What opens fields of near stores, and reads them."""


class Memo:
    """What was made of documents, which are one object where they are the same (any thread)."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any]] = {}

    def __reduce__(self) -> Any:
        return Memo, ()

    def of(self, document: Any, make: Callable[[Any], T]) -> T:
        """Return what `make` makes of a document; `None` and all else is kept."""
        known = self._made.get(id(document))
        if known is None:
            known = self._made[id(document)] = (document, make(document))  # which keeps it alive
        made: T = known[1]
        return made


@dataclass(frozen=True)
class FieldModel:
    """What the fields of a plate have in common: what the first one that opens says.

    Attributes
    ----------
    metadata : ImageMetadata
        With one dataset per level.
    factors : tuple of tuple of int
        Pixels of the finest level per pixel of each level, axis by axis.
    """

    metadata: ImageMetadata
    factors: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class PlateField:
    """A field: a `mosaic.Field`.

    Attributes
    ----------
    name : str
        "B/03 field 2".
    path : str
        Of its group, in the plate.
    metadata : ImageMetadata
    pixel_sizes : tuple of PixelSize
        Of its levels, in pixels of the plate.
    documents : Documents
    formats : Memo
        Of array documents.
    levels : dict
        Those that are open, by number.
    """

    name: str
    path: str
    metadata: ImageMetadata
    pixel_sizes: tuple[PixelSize, ...]
    documents: Documents
    formats: Memo
    levels: dict[int, LevelSource | None] = field(default_factory=dict)

    def level(self, number: int) -> LevelSource | None:
        """Open a level, once; None if it is not there."""
        if number in self.levels:
            return self.levels[number]
        path = f"{self.path}/{self.metadata.datasets[number].path}"
        document = self.documents.array(path)
        opened = None
        if document is None:
            self.documents.check_absent(path)
        else:
            known = self.formats.of(document, format_and_version)
            if known is None:
                array = array_from_document(self.documents.store, path, document)
            else:
                array = DirectZarrArray(self.documents.store, path, *known)
            opened = LevelSource(array, (None,) * len(array.shape))
        self.levels[number] = opened
        return opened


class PlateFields:
    """Opens the fields of a plate: a `mosaic.FieldOpener`.

    Parameters
    ----------
    documents : Documents
    wells : sequence of Well
    count : int
        Places of a well.
    acquisition : int or None
    model : FieldModel
    below : str
        Path below a field, as "labels/nuclei"; "" for the field itself.
    deviations : Deviations
    listed : tuple of ListedField, optional
        The fields of every well, where no document lists them.
    """

    def __init__(
        self,
        documents: Documents,
        wells: Sequence[Well],
        count: int,
        acquisition: int | None,
        model: FieldModel,
        below: str,
        deviations: Deviations,
        listed: tuple[ListedField, ...] | None = None,
    ) -> None:
        self._documents = documents
        self._listed = listed
        self._wells = wells
        self._count = count
        self._acquisition = acquisition
        self._model = model
        self._below = below
        self._deviations = deviations
        self._opened: dict[int, PlateField | None] = {}
        self._new_memos()

    def _new_memos(self) -> None:
        self._images, self._sizes = Memo(), Memo()
        self._formats, self._lists = Memo(), Memo()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}

    def field(self, number: int) -> PlateField | None:
        """Open a field; None if plate, well or field is not there."""
        if number in self._opened:
            return self._opened[number]
        opened = self._opened[number] = self._open(number)
        return opened

    def prepare(self, numbers: Sequence[int], pixel_size: PixelSize, turn: int) -> None:
        """Fetch what fields need: their wells' documents, then their own and a level's each."""
        new = [number for number in numbers if number not in self._opened]
        documents = self._documents
        if not new or not documents.store.is_far:
            return
        wells = {self._wells[number // self._count].path for number in new}
        documents.fetch(sorted(wells), (), turn)
        paths = [path for path in map(self._path_of, new) if path is not None]
        level = self._model.metadata.datasets[self._fitting(pixel_size)].path
        documents.fetch(paths, [f"{path}/{level}" for path in paths], turn)

    def run(self, tasks: Sequence[Callable[[], T]], turn: int) -> list[T | BaseException]:
        """Read several fields, side by side if their store is far."""
        if self._documents.store.is_far:
            return POOL.run(tasks, turn)
        return run_in_turn(tasks)

    def turn(self) -> AbstractContextManager[None]:
        """Of near stores one thread at a time reads, as a rule; far ones are only waited for."""
        return nullcontext() if self._documents.store.is_far else NEAR.turn()

    def forget(self) -> None:
        """Read all documents again when they are wanted next (any thread)."""
        self._documents.forget()
        self._opened = {}
        self._new_memos()

    def path_of(self, number: int) -> str | None:
        """Return the path of a field's group in the plate, None if there is none."""
        well = self._wells[number // self._count]
        fields = self._fields_of(well)
        index = number % self._count
        if index >= len(fields):
            return None
        parts = (well.path, fields[index].path, self._below)
        return "/".join(part for part in parts if part)

    def node(self, number: int, whole_well: bool = False) -> Node | None:
        """Return the group of a field, or of its well; None if it is not there."""
        if whole_well:
            return node_at(self._documents, self._wells[number // self._count].path)
        path = self.path_of(number)
        return None if path is None else node_at(self._documents, path)

    def _path_of(self, number: int) -> str | None:
        try:
            return self.path_of(number)
        except Exception:  # told by whoever reads the field
            return None

    def _fields_of(self, well: Well) -> tuple[ListedField, ...]:
        if self._listed is not None:
            return self._listed
        attributes = self._documents.attributes(well.path)
        if attributes is None:
            self._documents.check_absent(well.path)
            return ()
        fields, has_derived = self._lists.of(
            attributes, lambda found: self._listed_in(found, well.path)
        )
        if has_derived:
            self._deviations.note(
                "images made of others", well.name, "they are left out, and open by their paths"
            )
        if len(fields) > self._count:
            self._deviations.note(
                "more fields", well.name, f"the first {self._count} of each well are shown"
            )
        return fields

    def _listed_in(
        self, attributes: Mapping[str, Any], path: str
    ) -> tuple[tuple[ListedField, ...], bool]:
        """Return the fields of a well that are shown, and whether some were made of others."""
        listed = parse_well(attributes, f"{self._documents.store.address}/{path}")
        paths = {listed_field.path for listed_field in listed}
        has_derived = any(is_derived(path, paths) for path in paths)
        return chosen_fields(listed, self._acquisition), has_derived

    def _open(self, number: int) -> PlateField | None:
        path = self.path_of(number)
        attributes = None if path is None else self._documents.attributes(path)
        if path is None:
            return None
        if attributes is None:
            self._documents.check_absent(path)
            return None
        where = f"{self._documents.store.address}/{path}"
        model = self._model
        axes = model.metadata.axes
        metadata = self._images.of(attributes, lambda found: _geometry(found, len(axes), where))
        if [axis.name for axis in metadata.axes] != [axis.name for axis in axes]:
            raise SourceError(
                f"{where}: has axes {_named(metadata)} instead of {_named(model.metadata)}"
            )
        well = self._wells[number // self._count]
        name = f"{well.name} field {number % self._count + 1}"
        sizes = self._sizes.of(metadata, lambda found: _pixel_sizes(found, model))
        opened = PlateField(name, path, metadata, sizes, self._documents, self._formats)
        self._tell_of(opened)
        return opened

    def _tell_of(self, opened: PlateField) -> None:
        own, model = opened.pixel_sizes, self._model.factors
        if any(not 1 / SAME < size < SAME for size in own[0][-2:]):
            self._deviations.note(
                "pixels of another size", opened.name, "they are placed by their size"
            )
        if len(own) < len(model):
            self._deviations.note(
                "fewer levels", opened.name, "the others are computed from them while you look"
            )

    def _fitting(self, pixel_size: PixelSize) -> int:
        best = 0
        for number, factors in enumerate(self._model.factors):
            if all(f <= p for f, p in zip(factors[-2:], pixel_size[-2:], strict=True)):
                best = number
        return best


def _geometry(attributes: Mapping[str, Any], ndim: int, where: str) -> ImageMetadata:
    """Read where a field's pixels lie; how its channels look the first field has said."""
    ome = {k: v for k, v in ome_attributes(attributes).items() if k != "omero"}
    return parse_image(ome if "ome" not in attributes else {"ome": ome}, 0, ndim, where)


def _pixel_sizes(metadata: ImageMetadata, model: FieldModel) -> tuple[PixelSize, ...]:
    """Return those of a field's levels; where it says nothing, as of the other fields."""
    first = model.metadata.datasets[0].scale
    sizes: list[PixelSize] = []
    for number, dataset in enumerate(metadata.datasets):
        if dataset.scale is not None and first is not None:
            ratios = [abs(a / b) for a, b in zip(dataset.scale, first, strict=True)]
            sizes.append(tuple(ratios))
        elif number < len(model.factors):
            sizes.append(tuple(map(float, model.factors[number])))
        else:
            break
    return tuple(sizes)


def _named(metadata: ImageMetadata) -> str:
    return "".join(axis.name for axis in metadata.axes)
