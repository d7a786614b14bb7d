"""Feature: what is known of a property of points without reading it.

Invariants: immutable; values are kept as numbers: categories as codes, -1 where there is none, and
times as whole numbers of their unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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
    time : str or None
        Of points in time and of durations: numpy's type, as in ``<M8[ns]``.
    """

    name: str
    dtype: np.dtype
    low: float = np.nan
    high: float = np.nan
    categories: tuple[str, ...] | None = None
    distinct: tuple[int, ...] | None = None
    time: str | None = None

    @property
    def origin(self) -> float:
        """A value from which differences to all others are small: float32 holds them."""
        return float(np.floor(self.low)) if np.isfinite(self.low) else 0.0

    @property
    def is_category(self) -> bool:
        """Whether its values are categories."""
        return self.categories is not None

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Return values as a person knows them: categories by their names."""
        if self.time is not None:
            times: np.ndarray = stored.astype(np.int64, copy=False).view(self.time)
            return times
        if self.categories is None:
            return stored
        names = np.array([*self.categories, ""], dtype=object)
        named: np.ndarray = names[np.where(stored < 0, len(self.categories), stored)]
        return named

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` makes a feature of."""
        limits = {"low": self.low, "high": self.high} if np.isfinite(self.low) else {}
        known: dict[str, Any] = {}
        if self.categories is not None:
            known["categories"] = list(self.categories)
        if self.distinct is not None:
            known["distinct"] = list(self.distinct)
        if self.time is not None:
            known["time"] = self.time
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
            known.get("time"),
        )

    def number(self, value: Any) -> float:
        """Return a value as it is stored, as a number: of a time, or the number itself."""
        if self.time is not None and not isinstance(value, int | float):
            return float(np.asarray(value).astype(self.time).astype(np.int64))
        return float(value)


def relative(values: np.ndarray, origin: float) -> np.ndarray:
    """Return values from an origin on, before float32 has to hold them: (N,) float64."""
    if not origin:
        return values
    if values.dtype.kind in "iu":  # modulo 2^64: exact, also of 64 bits
        first = np.uint64(int(origin) % 2**64)
        with np.errstate(over="ignore"):
            off = (values.astype(np.int64).view(np.uint64) - first).view(np.int64)
        differences: np.ndarray = np.where(_missing(values), np.nan, off)
        return differences
    return values.astype(np.float64) - origin


def _missing(values: np.ndarray) -> np.ndarray:
    """Where there is no time (NaT)."""
    if values.dtype != np.int64:
        return np.zeros(len(values), np.bool_)
    missing: np.ndarray = values == np.iinfo(np.int64).min
    return missing
