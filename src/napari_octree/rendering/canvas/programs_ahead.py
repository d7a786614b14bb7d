"""ProgramsAhead: has GL's programs made while nothing moves, before they are first drawn with.

vispy writes, and GL compiles, a program for each layer when it is first drawn, some 6 ms in the
frame that shows it: a pan that brings twenty layers into view would stutter for all of them.

Invariants: GUI thread only. One program a turn of the event loop, so that no event waits for two;
a view that moves has none made, and comes again when it rests. Asks for no frames. Keeps no view
alive, and no timer runs when nothing waits.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Protocol

from qtpy.QtCore import QTimer


class WaitingView(Protocol):
    """A view of a layer, that may not have been drawn yet."""

    def compile_ahead(self) -> bool:
        """Have GL make what the first draw would make. Returns whether that took time."""
        ...


class ProgramsAhead:
    """The views whose programs may still have to be made.

    Parameters
    ----------
    later : callable
        Calls a function after so many milliseconds; replaced in tests.
    """

    def __init__(
        self, later: Callable[[int, Callable[[], None]], None] = QTimer.singleShot
    ) -> None:
        self._later = later
        self._waiting: deque[weakref.ref[WaitingView]] = deque()

    def enter(self, view: WaitingView) -> None:
        """A view has come to rest."""
        if not self._waiting:
            self._later(0, self._turn)
        self._waiting.append(weakref.ref(view))

    def _turn(self) -> None:
        while self._waiting:
            view = self._waiting.popleft()()
            if view is not None and view.compile_ahead():
                break
        if self._waiting:
            self._later(0, self._turn)


PROGRAMS_AHEAD = ProgramsAhead()
"""Of the process: the event loop is one."""
