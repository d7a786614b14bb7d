"""ClosePrompt: asks before a window is closed over labels on which something painted is not saved.

Invariants: GUI thread. Only a person is asked: the window's button, napari's menus and keys; code
that closes a window is not held up. One question for all layers that nobody shows elsewhere. The
window stays where the answer is Cancel, and where saving fails.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.rendering import _vispy

_PROMPTS: weakref.WeakSet[ClosePrompt] = weakref.WeakSet()

_Button = QMessageBox.StandardButton


class ClosePrompt(QObject):
    """Guards one window.

    Parameters
    ----------
    window : QWidget

    Attributes
    ----------
    layers : set of OctreeLabels
        Those that are shown in it.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.layers: weakref.WeakSet[OctreeLabels] = weakref.WeakSet()
        self._window = weakref.ref(window)
        self._asking = False
        window.installEventFilter(self)
        _PROMPTS.add(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Keep the window open where that is wanted."""
        if event is None or event.type() != QEvent.Type.Close or watched is not self._window():
            return False
        if self._asking:  # closed again while labels are being saved
            event.ignore()
            return True
        closed = _vispy.what_a_person_closes(event)
        unsaved = self._unsaved(everywhere=closed == "all") if closed else []
        if not unsaved:
            return False
        self._asking = True
        try:
            closes = self._may_close(unsaved)
        finally:
            self._asking = False
        if not closes:
            event.ignore()
        return not closes

    def _unsaved(self, everywhere: bool) -> list[OctreeLabels]:
        others = {layer for prompt in _PROMPTS if prompt is not self for layer in prompt.layers}
        layers = self.layers | others if everywhere else self.layers - others
        return sorted((layer for layer in layers if layer.is_unsaved), key=lambda one: one.name)

    def _may_close(self, layers: Sequence[OctreeLabels]) -> bool:
        answer = self._ask(layers)
        for layer in layers if answer == _Button.Save else ():
            try:
                layer.save_edits()
            except Exception as error:  # whatever the store raises
                show_warning(f"{layer.name}: not saved, and so not closed: {error}")
                return False
        if answer == _Button.Discard:
            for layer in layers:
                layer.leave_unsaved()
        return answer in (_Button.Save, _Button.Discard)

    def _ask(self, layers: Sequence[OctreeLabels]) -> Any:
        box = QMessageBox(self._window())
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Painted labels are not saved")
        names = ", ".join(f"\u201c{layer.name}\u201d" for layer in layers)
        box.setText(f"Save what was painted on {names}?")
        box.setInformativeText(
            "\n".join(dict.fromkeys(f"Otherwise {layer.fate}" for layer in layers))
        )
        box.setStandardButtons(_Button.Save | _Button.Discard | _Button.Cancel)
        box.setDefaultButton(_Button.Save)
        close = box.button(_Button.Discard)
        assert close is not None
        close.setText("Close without saving")
        return _Button(box.exec())


def prompt_of(window: QWidget) -> ClosePrompt:
    """The guard of a window, made where it has none."""
    for prompt in _PROMPTS:
        if prompt._window() is window:
            return prompt
    return ClosePrompt(window)
