"""The level that a view shows, as napari's layer controls write it."""

from __future__ import annotations

from collections.abc import Sequence


class ShownLevel(int):
    """A level that says in text which others are shown beside it: "0–2".

    Parameters
    ----------
    ideal : int
        The number that it is.
    shown : sequence of int
        All levels of which something is drawn, finest first.
    """

    text: str

    def __new__(cls, ideal: int, shown: Sequence[int] = ()) -> ShownLevel:
        """Make the number, with its text."""
        level = super().__new__(cls, ideal)
        mixed = len(shown) > 1
        level.text = f"{shown[0]}–{shown[-1]}" if mixed else str(int(ideal))
        return level

    def __format__(self, spec: str) -> str:
        """As napari writes it into the entry "Auto (…)"."""
        return format(int(self), spec) if spec else self.text
