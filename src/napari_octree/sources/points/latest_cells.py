"""LatestCells: cells that were read for one part of them and will be wanted for the next.

Invariants: any thread; bounded by points; pickled without what it holds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MOST_POINTS = 2_000_000


class LatestCells:
    """The cells that were read last.

    Parameters
    ----------
    most : int
        Points of all of them together; the cell read last is kept whatever its size.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self._cells: OrderedDict[int, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[int, threading.Lock] = {}

    def __reduce__(self) -> Any:
        return LatestCells, (self._most,)

    def get(self, cell: int, read: Callable[[], Any], points: int) -> Any:
        """Return a cell, read by one thread if it is not here."""
        with self._lock:
            reading = self._reading.setdefault(cell, threading.Lock())
        with reading:
            with self._lock:
                known = self._cells.get(cell)
                if known is not None:
                    self._cells.move_to_end(cell)
                    return known[1]
            found = read()
            with self._lock:
                self._cells[cell] = (points, found)
                while len(self._cells) > 1 and self._total > self._most:
                    self._cells.popitem(last=False)
                self._reading.pop(cell, None)
            return found

    @property
    def _total(self) -> int:
        return sum(points for points, _ in self._cells.values())
