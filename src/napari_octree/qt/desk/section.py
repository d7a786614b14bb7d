"""A part of the dock that folds, and is as high as what is in it needs at the dock's width.

Invariants: GUI thread; superqt's own bounds the height by what a part needs at its best width,
and so cuts off what is wrapped in a narrow dock.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QSizePolicy, QWidget
from superqt import QCollapsible

NO_BOUND = (1 << 24) - 1
"""Qt's QWIDGETSIZE_MAX, which its bindings do not name alike."""


class Section(QCollapsible):
    """A title to click on, and a widget below it.

    Parameters
    ----------
    title : str
    inside : QWidget
    """

    def __init__(self, title: str, inside: QWidget) -> None:
        super().__init__(title)
        self.setDuration(0)
        # superqt bounds the whole by its best width too.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        whole = self.layout()
        if whole is not None:
            whole.setContentsMargins(0, 4, 0, 4)
        layout = inside.layout()
        if layout is not None:
            layout.setContentsMargins(0, 2, 0, 2)
        self.addWidget(inside)
        self.toggled.connect(lambda _: self._unbind())
        button = self.toggleButton()
        button.setToolTip(f"Show or hide: {title}")

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Stay unbound when superqt has bound the height."""
        handled = bool(super().eventFilter(watched, event))
        self._unbind()
        return handled

    def expand(self, animate: bool = False) -> None:
        """Show what is inside."""
        super().expand(animate=animate)
        self._unbind()

    def _unbind(self) -> None:
        if self.isExpanded():
            self.content().setMaximumHeight(NO_BOUND)
