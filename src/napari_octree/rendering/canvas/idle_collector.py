"""IdleCollector: has Python's garbage collector do its long work while nobody waits.

With napari in memory a full collection looks at a quarter of a million objects, and stops all
threads for a tenth of a second: Python does that when it has made enough objects, often in the
middle of a zoom. While octree layers are shown, it does not by itself. Instead:

* When the first picture is complete and nothing has moved for a while, all objects are frozen:
  set aside, so that no collection looks at them again (`gc.freeze`).
* Later, at rest, what has been made since then is collected, which is little, and what remains is
  frozen too.
* Who calls `gc.collect()` gets what it always does: all is thawed first. napari calls it when a
  layer is removed; so what belonged to that is freed then, frozen or not.
* Now and then, when enough has been frozen since, a rest is used for a full collection.

Invariants: GUI thread only, but for the callback of the collector. When the last view is closed,
thresholds are as they were and nothing is frozen. Where the collector is switched off, or somebody
else freezes or changes its thresholds, it is left alone. Nothing is scheduled before something has
been drawn.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from qtpy.QtCore import QTimer

IDLE_MS = 500
"""Nothing must have moved for so long."""

FAR = 500
"""Collections of the middle generation after which Python makes a full one all the same."""

WORTHWHILE = 2
"""Collections of the middle generation since the last full one that make a rest worth using."""

MOST_FROZEN = 20
"""Times that what remained of a rest is frozen, before all is looked at once more."""


class Collector(Protocol):
    """What is used of the module `gc`."""

    callbacks: list[Any]

    def isenabled(self) -> bool: ...  # noqa: D102
    def get_threshold(self) -> tuple[int, int, int]: ...  # noqa: D102
    def set_threshold(self, *thresholds: int) -> None: ...  # noqa: D102
    def get_count(self) -> tuple[int, int, int]: ...  # noqa: D102
    def get_freeze_count(self) -> int: ...  # noqa: D102
    def collect(self) -> int: ...  # noqa: D102
    def freeze(self) -> None: ...  # noqa: D102
    def unfreeze(self) -> None: ...  # noqa: D102


class IdleCollector:
    """The collector of the process, as long as views are open.

    Parameters
    ----------
    collector : Collector
        Replaced in tests, as the others.
    clock : callable
        Seconds.
    later : callable
        Calls a function after so many milliseconds.
    """

    def __init__(
        self,
        collector: Collector = gc,  # type: ignore[assignment]
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[int, Callable[[], None]], None] = QTimer.singleShot,
    ) -> None:
        self._gc = collector
        self._clock = clock
        self._later = later
        self._views: WeakSet[Any] = WeakSet()
        self._former: tuple[int, int, int] | None = None
        self._moved_s = 0.0
        self._waits = False
        self._own = False
        self._frozen = 0  # times, since everything was thawed

    def enter(self, view: Any) -> None:
        """A view is open from now on."""
        self._views.add(view)
        if self._former is not None or not self._gc.isenabled():
            return
        if not self._gc.get_freeze_count():
            self._former = self._gc.get_threshold()
            self._gc.set_threshold(*self._former[:2], FAR)
            self._gc.callbacks.append(self._on_collection)

    def leave(self, view: Any) -> None:
        """A view is closed; the last one leaves all as it was."""
        self._views.discard(view)
        if self._views or self._former is None:
            return
        if self._ours:
            self._gc.set_threshold(*self._former)
        self._gc.callbacks.remove(self._on_collection)
        self._thaw()
        self._former = None

    def moved(self) -> None:
        """Something is drawn that was not there before: nothing long may be done now."""
        self._moved_s = self._clock()

    def rests(self) -> None:
        """A picture is complete, and nothing moves."""
        if self._former is not None and not self._waits:
            self._waits = True
            self._later(IDLE_MS, self._look)

    @property
    def _ours(self) -> bool:
        return self._gc.get_threshold()[2] == FAR

    def _look(self) -> None:
        self._waits = False
        if self._former is None or not self._ours or not self._gc.isenabled():
            return
        still_ms = (self._clock() - self._moved_s) * 1e3
        if still_ms < IDLE_MS:
            self._waits = True
            self._later(int(IDLE_MS - still_ms) + 1, self._look)
        elif not self._frozen:
            self._freeze()  # even what is garbage: to find that would take a tenth of a second
        elif self._gc.get_count()[2] >= WORTHWHILE:
            if self._frozen > MOST_FROZEN:
                self._thaw()
            self._own = True
            try:
                self._gc.collect()
            finally:
                self._own = False
            self._freeze()

    def _freeze(self) -> None:
        self._gc.freeze()
        self._frozen += 1

    def _on_collection(self, phase: str, info: dict[str, Any]) -> None:
        """Somebody has all collected (any thread): what is frozen too."""
        if phase == "start" and info["generation"] == 2 and not self._own:
            self._thaw()

    def _thaw(self) -> None:
        if self._frozen:
            self._frozen = 0
            self._gc.unfreeze()


IDLE_COLLECTOR = IdleCollector()
"""The process's own."""
