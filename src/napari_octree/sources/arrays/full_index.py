"""Indices as numpy reads them: with an entry for every axis."""

from __future__ import annotations

from typing import Any


def full_index(index: Any, ndim: int) -> tuple[Any, ...]:
    """Return an index with an entry for each of `ndim` axes, and no ellipsis.

    Raises
    ------
    IndexError
        It has more entries than there are axes, or two ellipses.
    """
    index = index if isinstance(index, tuple) else (index,)
    at = [n for n, entry in enumerate(index) if entry is Ellipsis]
    missing = ndim - (len(index) - len(at))
    if missing < 0 or len(at) > 1:
        raise IndexError(f"{index} does not fit an array of {ndim} axes")
    before = at[0] if at else len(index)
    return (*index[:before], *[slice(None)] * missing, *index[before + 1 :])
