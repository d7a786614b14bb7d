"""Opening without blocking the window: a thread reads metadata, the main thread makes layers.

Invariants: `read` runs in a thread of its own and makes no layers. Meanwhile napari's activity
dock shows a progress bar with a Cancel button. What was cancelled has no result, whenever its
thread ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from napari.utils import cancelable_progress

from napari_octree.layers.main_loop import MAIN_LOOP

T = TypeVar("T")

QUICK_S = 0.15
"""What is read within this time needs no progress bar, and no turn of the event loop."""
LONGEST_S = 24 * 3600.0


class Cancelled(Exception):  # noqa: N818 - nothing went wrong
    """The user pressed Cancel."""


class Opening(Generic[T]):
    """One path or address being opened.

    Parameters
    ----------
    what : str
        Path or address, for the progress bar.
    read : callable
        Returns the result; called in a thread.
    """

    def __init__(self, what: str, read: Callable[[], T]) -> None:
        self._what = what
        self._future: Future[T] = Future()
        self._bar: cancelable_progress | None = None
        self._ended = False
        self.cancelled = False
        arguments = (read,)
        name = "napari-octree opening"
        threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()

    def _run(self, read: Callable[[], T]) -> None:
        try:
            result = read()
        except BaseException as error:  # told by `result`, in the main thread
            self._future.set_exception(error)
        else:
            self._future.set_result(result)
        MAIN_LOOP.post(self.end)

    def show_progress(self) -> None:
        """Show a progress bar until the end (main thread)."""
        if self._bar is None and not self._ended:
            self._bar = _ProgressBar(total=0, desc=f"Opening {self._what}")
            self._bar.when_cancelled = self.cancel

    def cancel(self) -> None:
        """Do without the result (main thread)."""
        if not self._future.done():
            self.cancelled = True
            self.end()

    def end(self) -> None:
        """Close the progress bar (main thread)."""
        if self._ended:
            return
        self._ended = True
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def wait(self, seconds: float) -> bool:
        """Wait without serving events; whether it is done."""
        try:
            self._future.exception(seconds)
        except TimeoutError:
            return False
        return True

    def result(self) -> T:
        """Return what `read` returned, or raise what it raised.

        Raises
        ------
        Cancelled
        """
        if self.cancelled:
            raise Cancelled(self._what)
        return self._future.result()

    @property
    def ended(self) -> bool:
        """There is a result, or it was cancelled."""
        return self._ended or self._future.done()


class _ProgressBar(cancelable_progress):
    """napari's bar, which tells at once that Cancel was pressed (theirs is asked in a loop)."""

    when_cancelled: Callable[[], Any] | None = None

    def cancel(self) -> None:
        super().cancel()
        if self.when_cancelled is not None:
            MAIN_LOOP.post(self.when_cancelled)  # after the button has told what it did


def open_and_wait(what: str, read: Callable[[], T]) -> T:
    """Return `read()`, run in a thread; the window stays alive meanwhile (any thread).

    For napari's readers, which must return layers. In the main thread events are served while
    one waits; other threads just call `read`.

    Raises
    ------
    Cancelled
        The user pressed Cancel.
    """
    if threading.current_thread() is not threading.main_thread():
        return read()
    let_qt_carry_callbacks()
    opening = Opening(what, read)
    if not opening.wait(QUICK_S):
        opening.show_progress()
        MAIN_LOOP.run_until(lambda: opening.ended, LONGEST_S)
    opening.end()
    return opening.result()


def let_qt_carry_callbacks() -> None:
    """Have what threads post called by Qt's event loop, also before there is an octree layer."""
    try:
        from napari_octree.rendering.canvas.qt_loop import attach_qt_loop
    except ImportError:  # no Qt: nothing is to be kept alive
        return
    attach_qt_loop()
