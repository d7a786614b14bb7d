"""The specification's own documents (tests/data/ngff), as groups that can be opened."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zarr

from napari_octree.sources import SourceError
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import read_ome_zarr

FOLDER = Path(__file__).parent / "data" / "ngff"

CANNOT_CHANGE_THE_PICTURE = (
    "acquisition_noninteger_starttime",
    "acquisition_noninteger_endtime",
    "acquisition_zero_maximumfieldcount",
    "missing_acquisition_id",
    "missing_acquisition_name",
    "negative_acquisition_id",
    "non_integer_acquisition",
    "non_alphanumeric",
    "noninteger_field_count",
    "zero_field_count",
    "maximumfieldcount",
)
"""Flaws of plates that need no warning: times, ids, counts, and characters of names."""


class Case(NamedTuple):
    """A document: its version, "valid" or so, "image" or so, its name, and itself."""

    version: str
    verdict: str
    kind: str
    name: str
    document: dict[str, Any]

    @property
    def holds_images(self) -> bool:
        """Whether what it describes can be made of it alone."""
        ome = self.document.get("attributes", self.document)
        ome = ome.get("ome", ome) if isinstance(ome, dict) else {}
        return isinstance(ome, dict) and "multiscales" in ome


class Outcome(NamedTuple):
    """What came of opening it: the number of images, the error, the warnings."""

    images: int
    error: str | None
    warnings: list[str]


def cases() -> Iterator[Case]:
    """All documents."""
    for file in sorted(FOLDER.glob("*.json")):
        for path, document in json.loads(file.read_text()).items():
            verdict, kind, name = path.split("/")
            yield Case(file.stem, verdict, kind, name, document)


def write(document: dict[str, Any], folder: Path, zarr_format: int) -> None:
    """Make a group of a document, and the arrays that its datasets name."""
    shutil.rmtree(folder, ignore_errors=True)
    attributes = document.get("attributes", document)
    group = zarr.create_group(folder, zarr_format=zarr_format)
    group.attrs.update(attributes)
    ome = attributes.get("ome", attributes)
    for image in ome.get("multiscales", []) if isinstance(ome, dict) else []:
        datasets = image.get("datasets") or []
        scales = [_scale_of(dataset) for dataset in datasets]
        ndim = len(_axes_of(image)) or 5
        full = [64 if n >= ndim - 2 else 2 for n in range(ndim)]
        for level, (dataset, scale) in enumerate(zip(datasets, scales, strict=True)):
            path = dataset.get("path")
            if not isinstance(path, str) or not path:
                continue
            shape = [n >> level if n == 64 else n for n in full]
            if scale and scales[0] and len(scale) == len(scales[0]) == ndim:
                shape = [max(1, round(n * a / b)) for n, a, b in zip(full, scales[0], scale)]  # noqa: B905
            group.create_array(path, shape=shape, dtype="u1")


def _axes_of(image: dict[str, Any]) -> list[Any]:
    if image.get("axes"):
        return list(image["axes"])
    systems = image.get("coordinateSystems")
    first = systems[0] if isinstance(systems, list) and systems else {}
    return list(first.get("axes") or [])


def _scale_of(dataset: dict[str, Any]) -> list[float] | None:
    for document in dataset.get("coordinateTransformations") or []:
        for part in [document, *(document.get("transformations") or [])]:
            if part.get("type") == "scale" and isinstance(part.get("scale"), list):
                return list(part["scale"])
    return None


def opened(case: Case, folder: Path) -> Outcome:
    """Write a document, and open it."""
    write(case.document, folder, 2 if case.version < "0.5" else 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            images, error = read_ome_zarr(folder), None
        except SourceError as problem:
            images, error = (), str(problem)
    told = [str(w.message) for w in caught if issubclass(w.category, OmeZarrWarning)]
    return Outcome(len(images), error, told)
