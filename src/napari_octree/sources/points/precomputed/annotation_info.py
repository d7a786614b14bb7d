"""AnnotationInfo: what the ``info`` document of precomputed annotations says, checked.

Follows Neuroglancer's description of the format (datasource/precomputed/annotations.md of
google/neuroglancer). Axes of the format are (x, y, z), ours (z, y, x).

Invariants: immutable; making one reads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.feature import CODE, Feature
from napari_octree.sources.points.points_source import column_of
from napari_octree.sources.points.precomputed.shards import Sharding

KIND = "neuroglancer_annotations_v1"

_TYPES = {
    "uint32": "<u4",
    "int32": "<i4",
    "float32": "<f4",
    "uint16": "<u2",
    "int16": "<i2",
    "uint8": "|u1",
    "int8": "|i1",
}
_COLOURS = {"rgb": "rgb", "rgba": "rgba"}

_UNITS = {"m": "meter", "s": "second", "rad/s": "radian / second", "Hz": "hertz"}


@dataclass(frozen=True)
class Property:
    """A property of annotations as one of our features.

    Attributes
    ----------
    feature : Feature
    stored : str
        The field of the record, and the number of the component for colours.
    component : int or None
    codes : tuple of float or None
        Of enumerations: the values of the categories, in their order.
    """

    feature: Feature
    stored: str
    component: int | None = None
    codes: tuple[float, ...] | None = None

    @property
    def column(self) -> str:
        """The feature's column."""
        return column_of(self.feature.name)

    def values(self, records: np.ndarray) -> np.ndarray:
        """Return the feature's values of some records."""
        values: np.ndarray = records[self.stored]
        if self.component is not None:
            values = values[:, self.component]
        if self.codes is None:
            return values
        order = np.argsort(self.codes)
        known = np.array(self.codes)[order]
        places = np.minimum(known.searchsorted(values), len(known) - 1)
        return np.where(known[places] == values, order[places], -1).astype(CODE)


@dataclass(frozen=True)
class SpatialLevel:
    """A grid of cells; 0 is the coarsest.

    Attributes
    ----------
    key : str
        The folder.
    grid : tuple of int
        Cells along (x, y, z).
    chunk : tuple of float
        Their sides.
    sharding : Sharding or None
    """

    key: str
    grid: tuple[int, ...]
    chunk: tuple[float, ...]
    sharding: Sharding | None


@dataclass(frozen=True, eq=False)
class AnnotationInfo:
    """The document.

    Attributes
    ----------
    names : tuple of str
        Of the axes, in our order.
    scale : tuple of float
        Length of a step of the coordinates along each of our axes.
    units : tuple of str
    low, high : (ndim,) float64
        Bounds, (x, y, z).
    record : numpy.dtype
        Of an annotation without its number.
    properties : tuple of Property
    levels : tuple of SpatialLevel
    """

    names: tuple[str, ...]
    scale: tuple[float, ...]
    units: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    record: np.dtype
    properties: tuple[Property, ...]
    levels: tuple[SpatialLevel, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.names)

    @classmethod
    def of(cls, document: Mapping[str, Any], where: str) -> AnnotationInfo:
        """Read a document.

        Raises
        ------
        SourceError
            It is no set of points, or says what cannot be.
        """
        kind = str(document.get("annotation_type", "")).lower()
        if document.get("@type") != KIND or kind != "point":
            raise SourceError(
                f"{where}: annotations of the type {kind or document.get('@type')!r}: only points "
                "can be shown"
            )
        try:
            dimensions = document["dimensions"]
            pairs = [(float(v[0]), str(v[1])) for v in dimensions.values()]
            rank = len(pairs)
            low, high = (np.array(document[k], float) for k in ("lower_bound", "upper_bound"))
            record, properties = _record(rank, document.get("properties") or ())
            levels = tuple(_level(level, rank) for level in document["spatial"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise SourceError(
                f"{where}: not a complete description of annotations: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not levels or low.shape != (rank,) or high.shape != (rank,):
            raise SourceError(f"{where}: bounds or spatial index do not fit {rank} axes")
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (high >= low).all()):
            raise SourceError(f"{where}: bounds from {low.tolist()} to {high.tolist()}")
        return cls(
            tuple(map(str, reversed(dimensions))),
            tuple(scale for scale, _ in reversed(pairs)),
            tuple(_UNITS.get(unit, unit) or "pixel" for _, unit in reversed(pairs)),
            low,
            high,
            record,
            properties,
            levels,
        )


def _record(rank: int, properties: Any) -> tuple[np.dtype, tuple[Property, ...]]:
    """Return the type of a record: the wider properties come first, and it ends at four bytes."""
    fields: list[Any] = [("position", "<f4", (rank,))]
    made: list[Property] = []
    known = [(str(p["id"]), str(p["type"]).lower(), p) for p in properties]

    def width(kind: str) -> int:
        return 1 if kind in _COLOURS else np.dtype(_TYPES[kind]).itemsize

    for place, (name, kind, described) in sorted(
        enumerate(known), key=lambda entry: -width(entry[1][1])
    ):
        field = f"property {place}"
        if kind in _COLOURS:
            fields.append((field, "|u1", (len(kind),)))
            made += [
                Property(Feature(f"{name}.{part}", np.dtype(np.uint8)), field, i)
                for i, part in enumerate(kind)
            ]
            continue
        fields.append((field, _TYPES[kind]))
        labels, codes = described.get("enum_labels"), described.get("enum_values")
        if labels and codes and len(labels) == len(codes):
            feature = Feature(name, CODE, categories=tuple(map(str, labels)))
            made.append(Property(feature, field, None, tuple(map(float, codes))))
        else:
            dtype = np.dtype(_TYPES[kind]).newbyteorder("=")
            made.append(Property(Feature(name, dtype), field))
    loose = np.dtype(fields).itemsize % 4
    if loose:
        fields.append(("padding", "V", 4 - loose))
    return np.dtype([(f[0], f"V{f[2]}") if f[1] == "V" else f for f in fields]), tuple(made)


def _level(level: Mapping[str, Any], rank: int) -> SpatialLevel:
    grid = tuple(int(n) for n in level["grid_shape"])
    chunk = tuple(float(side) for side in level["chunk_size"])
    fits = len(grid) == rank == len(chunk) and min(grid, default=0) >= 1
    if not fits or not all(0 < side < math.inf for side in chunk):
        raise ValueError(f"a grid of {grid} cells of {chunk} for {rank} axes")
    sharding = level.get("sharding")
    return SpatialLevel(
        str(level["key"]), grid, chunk, None if sharding is None else Sharding.of(sharding)
    )
