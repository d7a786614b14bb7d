"""The range of values of one array in memory, for its contrast limits.

Invariants: as napari reckons it for its own layers; at once where that takes less than a
millisecond or two, else in a thread, and told in the main thread. What was cancelled, or whose
listener has gone, is not told.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import numpy as np

from napari_octree.layers._napari import calc_data_range
from napari_octree.layers.main_loop import MAIN_LOOP

AT_ONCE_BYTES = 2**21


class DataRange:
    """Reckons the range of one layer's array.

    Parameters
    ----------
    on_known : bound method
        Gets least and greatest value (main thread), if they were not known at once. Held weakly.
    """

    def __init__(self, on_known: Callable[[float, float], None]) -> None:
        self._on_known = weakref.WeakMethod(on_known)
        self.awaited = False
        self._array: np.ndarray | None = None
        self._found: tuple[weakref.ref[np.ndarray], tuple[float, float]] | None = None

    def known(self, array: np.ndarray) -> tuple[float, float] | None:
        """Return the range if it takes no time to have it, else None (main thread)."""
        if array.nbytes <= AT_ONCE_BYTES and array.size:
            return _range(array)
        if self._found is not None and self._found[0]() is array:
            return self._found[1]
        return None

    def of(self, array: np.ndarray) -> tuple[float, float] | None:
        """Return the range, or None if a thread is to reckon it: see `begin` (main thread)."""
        if array.nbytes <= AT_ONCE_BYTES and array.size:
            return _range(array)
        self.awaited = True
        self._array = array
        return None

    def begin(self) -> None:
        """Let the thread start, if one is needed: the layer has been made (main thread)."""
        array, self._array = self._array, None
        if array is None:
            return
        me = weakref.ref(self)

        def reckon() -> None:
            found = _range(array)
            reckoned = (weakref.ref(array), found)
            MAIN_LOOP.post(lambda: _tell(me, reckoned))

        threading.Thread(target=reckon, name="napari-octree data range", daemon=True).start()

    def cancel(self) -> None:
        """Tell nothing: the limits have been chosen."""
        self.awaited = False

    def tell(self, reckoned: tuple[weakref.ref[np.ndarray], tuple[float, float]]) -> None:
        """Hand the range on, if it is still awaited (main thread)."""
        self._found = reckoned
        found = reckoned[1]
        listener = self._on_known()
        if self.awaited and listener is not None:
            self.awaited = False
            listener(*found)


def _range(array: np.ndarray) -> tuple[float, float]:
    low, high = calc_data_range(array)
    return float(low), float(high)


def _tell(
    reference: weakref.ref[DataRange],
    reckoned: tuple[weakref.ref[np.ndarray], tuple[float, float]],
) -> None:
    present = reference()
    if present is not None:
        present.tell(reckoned)
