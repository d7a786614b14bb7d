"""Columns of anything as features and numbers.

Invariants: pure; what is missing (None, NaN, NaT, pandas' NA) stays missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.feature import CODE, Feature

MOST_DISTINCT = 4096
"""Whole numbers within a wider range are not taken for categories."""


@dataclass(frozen=True, eq=False)
class Coded:
    """Values of categories that are numbers already: `encode` takes them as they are.

    Attributes
    ----------
    codes : (N,) array of int
    categories : tuple of str
    """

    codes: np.ndarray
    categories: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)


def encode(
    name: str, values: Any, categories: Sequence[str] | None = None
) -> tuple[Feature, np.ndarray]:
    """Take a column of anything for a feature, and its values as numbers.

    Parameters
    ----------
    name : str
    values : (N,) array-like
        Numbers, booleans, strings, times, or a pandas categorical.
    categories : sequence of str, optional
        Of strings: what there may be; default: what there is, in order.

    Raises
    ------
    SourceError
        Not one value a point, or of a type that cannot be shown.
    """
    codes, names = getattr(values, "codes", None), getattr(values, "categories", None)
    accessor = getattr(values, "cat", None)  # a pandas Series of a categorical
    if codes is None and accessor is not None:
        codes, names = accessor.codes, accessor.categories
    if codes is not None and names is not None:
        return _category(name, np.asarray(codes), tuple(map(str, names)))
    array = _plain(values)
    if array.ndim != 1:
        raise SourceError(
            f"the feature {name!r} has {array.ndim} axes: it needs one value a point"
        )
    if array.dtype.kind == "b":
        return _category(name, array.astype(CODE), ("False", "True"))
    if array.dtype.kind in "Mm":
        return _times(name, array)
    if array.dtype.kind in "OUST":
        return _strings(name, array, categories)
    if array.dtype.kind not in "iuf":
        raise SourceError(f"the feature {name!r} is of type {array.dtype}, which cannot be shown")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    low, high = limits(array)
    return Feature(name, array.dtype, low, high, distinct=distinct_of(array)), array


def _plain(values: Any) -> np.ndarray:
    """Return a column as numpy's own type, where pandas has types of its own."""
    kind = getattr(values, "dtype", None)
    if getattr(kind, "tz", None) is not None:
        return np.asarray(values, "M8[ns]")
    if kind is not None and not isinstance(kind, np.dtype) and hasattr(values, "to_numpy"):
        if getattr(kind, "kind", "O") in "iuf":
            return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
        return np.asarray(values.to_numpy(dtype=object, na_value=None))
    array = np.asarray(values)
    if array.dtype.kind != "O" or array.ndim != 1:
        return array
    found = {type(v) for v in array.tolist() if v is not None and v == v}
    if found and found <= {int, float}:
        return np.array([np.nan if v is None else v for v in array.tolist()], float)
    return array


def _times(name: str, array: np.ndarray) -> tuple[Feature, np.ndarray]:
    """Take times, or durations, for whole numbers of their unit."""
    kind = array.dtype.newbyteorder("=")
    if np.datetime_data(kind)[0] == "generic":
        raise SourceError(f"the feature {name!r} holds times without a unit")
    stored = array.astype(kind).view(np.int64)
    known = stored[~np.isnat(array)]
    low, high = limits(known)
    return Feature(name, np.dtype(np.int64), low, high, time=kind.str), stored


def distinct_of(array: np.ndarray) -> tuple[int, ...] | None:
    """Return the values of few whole numbers, as they come first; None: there are too many."""
    if array.dtype.kind not in "iu" or not array.size:
        return None
    low, high = int(array.min()), int(array.max())
    if high - low >= MOST_DISTINCT:
        return None
    first = np.full(high - low + 1, len(array))
    places = (array - array.dtype.type(low)).astype(np.int64)
    np.minimum.at(first, places, np.arange(len(array)))
    found = np.flatnonzero(first < len(array))
    return tuple(low + place for place in found[np.argsort(first[found])].tolist())


def limits(array: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest finite value; NaN if there is none."""
    if array.dtype.kind == "f":
        array = array[np.isfinite(array)]
    if not array.size:
        return np.nan, np.nan
    return float(array.min()), float(array.max())


def _strings(
    name: str, array: np.ndarray, categories: Sequence[str] | None
) -> tuple[Feature, np.ndarray]:
    if array.dtype.kind == "O":
        missing = np.array([v is None or bool(v != v) for v in array], np.bool_)
        if {type(v) for v in array[~missing]} <= {bool, np.bool_} and not missing.all():
            truths = np.full(len(array), -1, CODE)
            truths[~missing] = array[~missing].astype(bool)
            return _category(name, truths, ("False", "True"))
        text = np.where(missing, "", array).astype(str)
    else:
        missing, text = np.zeros(len(array), np.bool_), array.astype(str)
    if categories is None:
        found, first, codes = np.unique(text[~missing], return_index=True, return_inverse=True)
        order = np.argsort(first)  # as they come first, which is napari's order of colours
        names = tuple(map(str, found[order]))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        codes = place[codes]
    else:
        names = tuple(categories)
        known = {value: i for i, value in enumerate(names)}
        found_codes = [known.get(value, -1) for value in text[~missing].tolist()]
        codes = np.array(found_codes, np.int64)
    stored = np.full(len(array), -1, CODE)
    stored[~missing] = codes
    return _category(name, stored, names)


def _category(name: str, codes: np.ndarray, names: tuple[str, ...]) -> tuple[Feature, np.ndarray]:
    return Feature(name, CODE, categories=names), codes.astype(CODE, copy=False)
