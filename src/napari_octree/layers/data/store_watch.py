"""Looks, in a thread of its own, whether the arrays of a layer have grown in their stores.

Invariants: the thread holds no layer; it ends when it is closed, when nobody refers to it
any more, or, without an interval, after one look. `on_found` is called in the main thread.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.reopen import reopened

logger = logging.getLogger("napari_octree.layers")


class StoreWatchHandle:
    """One look, or one every so often.

    Parameters
    ----------
    levels : list of arrays
    on_found : bound method
        Gets the levels as they are now, or None where the store could not be asked; with an
        interval only if shapes have changed since the look before. Held weakly.
    interval_s : float, optional
        None: look once.
    """

    def __init__(
        self,
        levels: list[Any],
        on_found: Callable[[list[Any] | None], None],
        interval_s: float | None = None,
    ) -> None:
        self._closed = threading.Event()
        arguments = (levels, weakref.WeakMethod(on_found), interval_s, self._closed)
        threading.Thread(
            target=_watch, args=arguments, name="napari-octree growth", daemon=True
        ).start()
        when_gone(self, self._closed.set)

    def close(self) -> None:
        """Look no more; a look under way is not told of."""
        self._closed.set()


class StoreWatch:
    """The looks at one layer's data: one that was asked for, and one every so often."""

    def __init__(self) -> None:
        self._look: StoreWatchHandle | None = None
        self._watch: StoreWatchHandle | None = None

    @property
    def looking(self) -> bool:
        """The store has been asked, and has not answered yet."""
        return self._look is not None

    def look(self, levels: list[Any], on_found: Callable[[list[Any] | None], None]) -> None:
        """Ask once; `on_found` is to call `looked`."""
        if self._look is not None:
            self._look.close()
        self._look = StoreWatchHandle(levels, on_found)

    def looked(self) -> None:
        """The answer has come."""
        self._look = None

    def watch(
        self,
        levels: list[Any],
        on_found: Callable[[list[Any] | None], None],
        interval_s: float | None,
    ) -> None:
        """Ask every so often from now on; never if `interval_s` is None."""
        if self._watch is not None:
            self._watch.close()
        self._watch = (
            None if interval_s is None else StoreWatchHandle(levels, on_found, interval_s)
        )

    def close(self) -> None:
        """Ask no more, and hear of no answer."""
        for watch in (self._look, self._watch):
            if watch is not None:
                watch.close()
        self._look = self._watch = None


def _watch(
    levels: list[Any],
    on_found: weakref.WeakMethod[Callable[[list[Any] | None], None]],
    interval_s: float | None,
    closed: threading.Event,
) -> None:
    while interval_s is None or not closed.wait(interval_s):
        found = _look(levels)
        changed = found is not None and _shapes(found) != _shapes(levels)
        if interval_s is None or changed:
            MAIN_LOOP.post(lambda found=found: _tell(on_found, closed, found))  # type: ignore[misc]
        if interval_s is None:
            return
        levels = levels if found is None else found


def _look(levels: list[Any]) -> list[Any] | None:
    try:
        return reopened(levels)
    except Exception:  # stores are foreign code: one that cannot be asked now has not grown
        logger.warning("cannot look whether data have grown", exc_info=True)
        return None


def _shapes(levels: list[Any]) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in levels]


def _tell(
    on_found: weakref.WeakMethod[Callable[[list[Any] | None], None]],
    closed: threading.Event,
    found: list[Any] | None,
) -> None:
    method = on_found()
    if method is not None and not closed.is_set():
        method(found)
