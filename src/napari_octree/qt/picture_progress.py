"""A picture being drawn tile by tile, with a bar and a Cancel button in front of the window.

Invariants: GUI thread only; between two tiles events are served, but the window behind takes no
input, as what it shows is what is being drawn. Whoever cancels, or closes the bar or the window,
ends the work before the next tile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QProgressDialog, QWidget


class PictureProgress:
    """Work that is done step by step.

    Parameters
    ----------
    parent : QWidget or None
        The window that takes no input meanwhile.
    title : str
    steps : iterator of (int, int)
        Does a part of the work each time it is asked; yields how much is done, and of how much.
        Closed early, it leaves nothing.
    done : str
        The notice at the end.
    """

    def __init__(
        self, parent: QWidget | None, title: str, steps: Iterator[tuple[int, int]], done: str
    ) -> None:
        self._title, self._steps, self._done = title, steps, done
        self.finished = False
        self._gone = False  # with its window, which may be closed by a script
        self._dialog = QProgressDialog(f"{title} …", "Cancel", 0, 0, parent)
        self._dialog.setWindowModality(Qt.WindowModality.ApplicationModal)
        self._dialog.setWindowTitle(title)
        self._dialog.setMinimumDuration(0)
        self._dialog.setAutoReset(False)
        self._dialog.destroyed.connect(self._on_destroyed)
        self._dialog.show()
        QTimer.singleShot(0, self._step)

    def cancel(self) -> None:
        """End the work before its next step."""
        if not self._gone:
            self._dialog.cancel()

    def _step(self) -> None:
        if self.finished:
            return
        if self._gone:
            self._close()
            self.finished = True
            return
        if self._dialog.wasCanceled():
            self._close()
            self._end()
            show_info(f"{self._title}: cancelled")
            return
        try:
            done, total = next(self._steps)
        except StopIteration:
            self._end()
            show_info(self._done)
        except Exception as error:  # of drawing, or of the disk
            self._end()
            if not self._gone:  # else it is what drawing in a closed window raises
                show_error(str(error) or repr(error))
        else:
            if not self._gone:
                self._dialog.setMaximum(total)
                self._dialog.setValue(min(done, total))
            QTimer.singleShot(0, self._step)

    def _on_destroyed(self) -> None:
        self._gone = True
        with contextlib.suppress(ValueError):  # a step is under way: the next one ends it
            self._close()

    def _close(self) -> None:
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()

    def _end(self) -> None:
        self.finished = True
        if not self._gone:
            self._dialog.close()
            self._dialog.deleteLater()
