"""The point at which linked views look.

Invariants: world coordinates, the last axes of all views mean the same ones; who sets the point
that is already there tells nobody, so views may follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from psygnal import Signal


class SharedPoint:
    """A point that several views show.

    Parameters
    ----------
    point : sequence of float
    """

    moved = Signal(tuple)

    def __init__(self, point: Sequence[float]) -> None:
        self._point = tuple(float(x) for x in point)

    @property
    def point(self) -> tuple[float, ...]:
        """World coordinates."""
        return self._point

    def move(self, point: Sequence[float]) -> None:
        """Go to a point; of fewer axes, the last ones are meant."""
        said = tuple(float(x) for x in point)[-len(self._point) :]
        new = (*self._point[: len(self._point) - len(said)], *said)
        if new != self._point:
            self._point = new
            self.moved.emit(new)
