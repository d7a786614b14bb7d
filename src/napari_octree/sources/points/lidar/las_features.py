"""The dimensions of LAS points as features; laspy, which knows the formats, where it is installed.

Invariants: laspy is imported here and in functions only: it comes with the extra [lidar].
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.feature import CODE, Feature

ENDINGS = (".las", ".laz")

CLASSIFICATION = "classification"

_CLASSES = (
    "never classified",
    "unclassified",
    "ground",
    "low vegetation",
    "medium vegetation",
    "high vegetation",
    "building",
    "low noise",
    "reserved 8",
    "water",
    "rail",
    "road surface",
    "reserved 12",
    "wire guard",
    "wire conductor",
    "transmission tower",
    "wire connector",
    "bridge deck",
    "high noise",
)
CLASSES = (*_CLASSES, *(f"class {code}" for code in range(len(_CLASSES), 256)))
"""What the codes of `classification` stand for (LAS 1.4, table 17); others are the user's."""


def laspy_module(part: str = "") -> Any:
    """Return laspy, or a module of it.

    Raises
    ------
    SourceError
        It is not installed.
    """
    lazrs_module()
    return _module(f"laspy.{part}".rstrip("."))


def lazrs_module() -> Any:
    """Return lazrs, which decodes; raises as `laspy_module` does."""
    return _module("lazrs")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SourceError(
            "to read LAS, LAZ and COPC, laspy is needed: pip install 'napari-octree[lidar]'"
        ) from error


def features_of_format(point_format: Any, scaled: Any) -> tuple[Feature, ...]:
    """Return a feature for each dimension but the coordinates.

    Parameters
    ----------
    point_format : laspy.PointFormat
    scaled : laspy.ScaleAwarePointRecord
        Some points, for types and limits.
    """
    found = []
    for name in map(str, point_format.dimension_names):
        if name in ("X", "Y", "Z"):
            continue
        if name == CLASSIFICATION:
            found.append(Feature(name, CODE, categories=CLASSES))
            continue
        values = np.asarray(scaled[name])
        if values.ndim != 1 or values.dtype.kind not in "iufb":
            continue  # extra dimensions of several numbers
        dtype = np.dtype(np.uint8) if values.dtype.kind == "b" else values.dtype.newbyteorder("=")
        found.append(Feature(name, dtype))
    return tuple(found)


def positions_of(scaled: Any) -> np.ndarray:
    """Return the coordinates of points: (n, 3) float64, (z, y, x)."""
    return np.stack([np.asarray(scaled[axis], np.float64) for axis in "zyx"], axis=1)


def values_of(scaled: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return dimensions by name."""
    return {name: np.asarray(scaled[name]) for name in names}
