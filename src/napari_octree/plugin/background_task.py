"""A long piece of work in a thread of its own, with a bar in napari's activity dock.

Invariants: the work runs in a daemon thread and touches no layer and no widget; bar and callbacks
are the main thread's; whoever presses the bar's cancel button ends the work at its next report.
Without a window the bar is written to the terminal. Work that is not done when Python ends is
cancelled and waited for, so that it can remove what is half written.
"""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, TypeVar

from napari.utils import cancelable_progress
from napari.utils.notifications import show_error, show_info

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.plugin.opening.waiting import let_qt_carry_callbacks

T = TypeVar("T")

REPORT_S = 0.1
"""Bars are moved no more often."""

LAST_WAIT_S = 30.0
"""How long the end of Python waits for cancelled work."""

_RUNNING: weakref.WeakSet[BackgroundTask[Any]] = weakref.WeakSet()


class BackgroundTask(Generic[T]):
    """Work that is under way.

    Parameters
    ----------
    title : str
        What the bar says.
    work : callable
        `work(task)`: does it, in the thread; calls `task.report(done, total)` now and then,
        and asks `task.cancelled()`.
    on_done : callable
        Called in the main thread with what `work` returned.
    on_failed : callable, optional
        Called in the main thread with what it raised; default: an error notice that says it.
    on_cancelled : callable, optional
        Called in the main thread after a cancelled task has ended; default: a notice.
    """

    def __init__(
        self,
        title: str,
        work: Callable[[BackgroundTask[T]], T],
        on_done: Callable[[T], None],
        on_failed: Callable[[BaseException], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
    ) -> None:
        let_qt_carry_callbacks()
        self.title = title
        self._work, self._on_done = work, on_done
        self._on_failed = on_failed or (lambda error: show_error(str(error) or repr(error)))
        self._on_cancelled = on_cancelled or (lambda: show_info(f"{title}: cancelled"))
        self._cancelled = threading.Event()
        self._reported = 0.0
        self._bar: Any = _Bar(total=0, desc=title, on_cancel=self.cancel)
        self.finished = False
        """The callbacks have been called."""
        self._thread = threading.Thread(target=self._run, name=f"octree: {title}", daemon=True)
        _RUNNING.add(self)
        self._thread.start()

    def cancel(self) -> None:
        """Have the work end soon (any thread)."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Whether it is to end (any thread)."""
        return self._cancelled.is_set()

    def is_working(self) -> bool:
        """Whether the work goes on (any thread)."""
        return self._thread.is_alive()

    def report(self, done: int, total: int) -> None:
        """Say how much is done (the work's thread)."""
        now = monotonic()
        if done >= total or now - self._reported > REPORT_S:
            self._reported = now
            MAIN_LOOP.post(lambda: self._move(done, total))

    def end(self) -> None:
        """Cancel the work, and wait until it has ended; nobody is told (any other thread)."""
        self.cancel()
        self._thread.join(LAST_WAIT_S)

    def _run(self) -> None:
        try:
            result = self._work(self)
        except BaseException as error:
            raised = error
            MAIN_LOOP.post(lambda: self._end(lambda: self._fail(raised)))
        else:
            MAIN_LOOP.post(lambda: self._end(lambda: self._on_done(result)))

    def _fail(self, error: BaseException) -> None:
        if self.cancelled():
            self._on_cancelled()
        else:
            self._on_failed(error)

    def _move(self, done: int, total: int) -> None:
        if not self.finished:
            if self._bar.total != total:
                self._bar.reset(total)
            self._bar.update(done - self._bar.n)

    def _end(self, tell: Callable[[], None]) -> None:
        self._bar.close()
        try:
            tell()
        finally:
            self.finished = True
            # napari keeps the bar, which keeps this: it must not keep what the work was about.
            self._work = self._on_done = self._on_failed = self._on_cancelled = _nothing


def _nothing(*_: Any) -> Any:
    """Do nothing."""


@atexit.register
def _end_all() -> None:
    for task in list(_RUNNING):
        if task.is_working():
            print(f"napari-octree: {task.title}: cancelled, as Python ends", file=sys.stderr)  # noqa: T201
            task.end()


class _Bar(cancelable_progress):
    """napari's bar, of which the cancel button acts at once."""

    def __init__(self, *, on_cancel: Callable[[], None], **keywords: Any) -> None:
        self._on_cancel = on_cancel
        super().__init__(**keywords)

    def cancel(self) -> None:
        super().cancel()
        self._on_cancel()
