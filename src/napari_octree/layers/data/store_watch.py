"""Looks, in a thread of its own, whether the arrays of a layer have grown in their stores.

Invariants: the thread holds no layer; it ends when it is closed, when nobody refers to it
any more, or, without an interval, after one look. `on_found` is called in the main thread, and
only of the arrays that the layer has then: what was found of former ones is dropped.
"""

from __future__ import annotations

import functools
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.levels.reopen import reopened

logger = logging.getLogger("napari_octree.layers")

Arrays = Sequence[Any]


class StoreWatch:
    """The looks at one layer's data: one that was asked for, and one every so often."""

    def __init__(self) -> None:
        self._look: _Watcher | None = None
        self._watch: _Watcher | None = None

    @property
    def looking(self) -> bool:
        """The store has been asked, and has not answered yet."""
        return self._look is not None

    def look(self, arrays: Arrays, on_found: Callable[[Arrays | None], None]) -> None:
        """Ask once.

        Parameters
        ----------
        arrays : sequence of arrays
        on_found : bound method
            Gets the arrays as they are now, or None where the store could not be asked; is to
            call `follow` or `looked`. Held weakly.
        """
        if self._look is not None:
            self._look.close()
        self._look = _Watcher(arrays, on_found, None)

    def looked(self) -> None:
        """The answer has come."""
        if self._look is not None:
            self._look.close()
            self._look = None

    def watch(
        self, arrays: Arrays, on_grown: Callable[[Arrays], None], interval_s: float | None
    ) -> None:
        """Ask every so often from now on; never if `interval_s` is None.

        Parameters
        ----------
        arrays : sequence of arrays
        on_grown : bound method
            Gets the arrays as they are now, if shapes have changed since. Held weakly.
        interval_s : float or None
        """
        if self._watch is not None:
            self._watch.close()
        self._watch = None if interval_s is None else _Watcher(arrays, on_grown, interval_s)

    def follow(self, arrays: Arrays) -> None:
        """Look at these from now on: the layer shows them. An answer on others is not told."""
        self.looked()
        if self._watch is not None:
            self._watch.follow(arrays)


class _Watcher:
    """One thread that looks, once or every so often."""

    def __init__(
        self, arrays: Arrays, on_found: Callable[[Any], None], interval_s: float | None
    ) -> None:
        self._state = _Watched(arrays)
        threading.Thread(
            target=_watch,
            args=(self._state, weakref.WeakMethod(on_found), interval_s),
            name="napari-octree growth",
            daemon=True,
        ).start()
        when_gone(self, self._state.closed.set)

    def follow(self, arrays: Arrays) -> None:
        """Look at these."""
        self._state.arrays = arrays

    def close(self) -> None:
        """Look no more; a look under way is not told of."""
        self._state.closed.set()


class _Watched:
    """What a thread and its owner share.

    Attributes
    ----------
    arrays : sequence of arrays
        Replaced as a whole, by the main thread only: who finds other ones here than it began
        with has an answer to a question that nobody asks any more.
    closed : threading.Event
    """

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.closed = threading.Event()


_OnFound = weakref.WeakMethod[Callable[[Any], None]]


def _watch(watched: _Watched, on_found: _OnFound, interval_s: float | None) -> None:
    if interval_s is None:
        arrays = watched.arrays
        tell = functools.partial(_tell, watched, on_found, arrays, _look(arrays))
        MAIN_LOOP.post(tell)
        return
    told: tuple[Arrays, list[tuple[int, ...]]] | None = None
    while not watched.closed.wait(interval_s):
        arrays = watched.arrays
        found = _look(arrays)
        if found is None or _shapes(found) == _shapes(arrays):
            continue
        # What the main thread did not take (half written: some levels have grown, others not
        # yet), or has not taken yet, is not told again.
        if told is None or told[0] is not arrays or told[1] != _shapes(found):
            told = (arrays, _shapes(found))
            MAIN_LOOP.post(functools.partial(_tell, watched, on_found, arrays, found))


def _look(arrays: Arrays) -> list[Any] | None:
    try:
        return reopened(arrays)
    except Exception:  # stores are foreign code: one that cannot be asked now has not grown
        logger.warning("cannot look whether data have grown", exc_info=True)
        return None


def _shapes(arrays: Arrays) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in arrays]


def _tell(watched: _Watched, on_found: _OnFound, arrays: Arrays, found: Any) -> None:
    method = on_found()
    if method is not None and not watched.closed.is_set() and watched.arrays is arrays:
        method(found)
