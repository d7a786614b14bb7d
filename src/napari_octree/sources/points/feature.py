"""Feature: what is known of a property of points without reading it; and its values as numbers.

Invariants: immutable; values are kept as numbers: categories as codes, -1 where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError

MOST_DISTINCT = 4096
"""Whole numbers within a wider range are not taken for categories."""

CODE = np.dtype(np.int32)
"""The type of categories' codes."""


@dataclass(frozen=True)
class Feature:
    """One property of points.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
        Of its values as they are stored: of the codes, if it has categories.
    low, high : float
        Least and greatest value that is finite; NaN if there is none, and of categories.
    categories : tuple of str or None
        What code 0, 1, … stands for; None: it is a number.
    distinct : tuple of int or None
        All values of few whole numbers, as they came first; None: there are others or many.
    """

    name: str
    dtype: np.dtype
    low: float = np.nan
    high: float = np.nan
    categories: tuple[str, ...] | None = None
    distinct: tuple[int, ...] | None = None

    @property
    def is_category(self) -> bool:
        """Whether its values are categories."""
        return self.categories is not None

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Return values as a person knows them: categories by their names."""
        if self.categories is None:
            return stored
        names = np.array([*self.categories, ""], dtype=object)
        return names[np.where(stored < 0, len(self.categories), stored)]

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` makes a feature of."""
        limits = {"low": self.low, "high": self.high} if np.isfinite(self.low) else {}
        known: dict[str, Any] = {}
        if self.categories is not None:
            known["categories"] = list(self.categories)
        if self.distinct is not None:
            known["distinct"] = list(self.distinct)
        return {"name": self.name, "dtype": self.dtype.str, **limits, **known}

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Feature:
        """Make a feature of what `as_json` gave."""
        categories, distinct = known.get("categories"), known.get("distinct")
        return cls(
            str(known["name"]),
            np.dtype(known["dtype"]).newbyteorder("="),
            float(known.get("low", np.nan)),
            float(known.get("high", np.nan)),
            None if categories is None else tuple(map(str, categories)),
            None if distinct is None else tuple(map(int, distinct)),
        )


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
        Numbers, booleans, strings, or a pandas categorical.
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
    array = np.asarray(values)
    if array.ndim != 1:
        raise SourceError(
            f"the feature {name!r} has {array.ndim} axes: it needs one value a point"
        )
    if array.dtype.kind == "b":
        return _category(name, array.astype(CODE), ("False", "True"))
    if array.dtype.kind in "OUST":
        return _strings(name, array, categories)
    if array.dtype.kind not in "iuf":
        raise SourceError(f"the feature {name!r} is of type {array.dtype}, which cannot be shown")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    low, high = limits(array)
    return Feature(name, array.dtype, low, high, distinct=distinct_of(array)), array


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
    return tuple((found[np.argsort(first[found])] + low).tolist())


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
        missing = np.array([v is None or v != v for v in array], np.bool_)
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
