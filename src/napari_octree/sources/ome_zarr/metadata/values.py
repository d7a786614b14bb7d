"""Safe access to decoded JSON: whatever a file holds, these functions do not raise.

Invariants: nothing is taken for what it is not (true is no number, 0 is no missing text); texts
are short enough for a layer's name and can be encoded; numbers are finite floats.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_TEXT = 300
"""Longer names are cut: a name of megabytes freezes the window that shows it."""

_repr = reprlib.Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxlong, _repr.maxother = 3, 40, 30, 40


def as_list(value: Any) -> Sequence[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else []


def as_entries(value: Any) -> Sequence[Any]:
    """`value` if it is a list, one object as a list of it, else an empty one."""
    return [value] if isinstance(value, Mapping) and value else as_list(value)


def as_mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object with keys, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_text(value: Any) -> str | None:
    """Text or a number as text; None for anything else, and for empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        return shown(value)
    text = value.encode("utf-8", "replace").decode().replace("\0", "")
    return (text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…") or None


def as_number(value: Any) -> float | None:
    """A finite number; None for anything else (also for 10^400, which no float can hold)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_index(value: Any) -> int | None:
    """A whole number from 0, else None."""
    number = as_number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def as_numbers(value: Any, count: int) -> list[float] | None:
    """`count` finite numbers, or None."""
    values = as_list(value)
    if len(values) != count:
        return None
    numbers = [as_number(each) for each in values]
    return None if any(n is None for n in numbers) else [n for n in numbers if n is not None]


def as_path(value: Any) -> str | None:
    """The path of something below a group, as zarr takes it; None if it leads nowhere or out.

    A leading ``./`` and slashes at the ends are left out. ``..`` never is a way into a file, and
    NUL or a backslash is in no zarr name. A whole number is taken for its digits.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return str(value)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value or "\\" in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if not parts or any(part.strip(".") == "" for part in parts):
        return None
    return "/".join(parts)


def shown(value: Any) -> str:
    """A short `repr` for messages."""
    try:
        text = _repr.repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        text = f"<{type(value).__name__}>"
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 80 else text[:79] + "…"
