"""Bookmarks of views: a list, links to copy and to paste.

Invariants: GUI thread; a bookmark is a view link (`ViewerView.link`), nothing else is kept.
"""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QGridLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QWidget,
)

from napari_octree.layers.viewing.viewer_view import ViewerView


class Bookmarks(QWidget):
    """A list of views of one viewer."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.list = QListWidget()
        self.list.setToolTip("Double-click to go there; F2 renames")
        self.list.itemActivated.connect(self._go)
        self.link = QLineEdit()
        self.link.setPlaceholderText("Paste a view link, then press Return")
        self.link.returnPressed.connect(self._paste)
        add, copy, remove = QPushButton("&Add"), QPushButton("Copy li&nk"), QPushButton("Re&move")
        add.setToolTip("Remember this view")
        copy.setToolTip("Copy a line of text that brings others to the same view")
        remove.setToolTip("Forget the chosen view")
        self.link.setToolTip("A line of text that Copy link gave; Return goes there")
        add.clicked.connect(self.add)
        copy.clicked.connect(self.copy_link)
        remove.clicked.connect(self.remove)
        grid = QGridLayout(self)
        grid.addWidget(self.list, 0, 0, 1, 2)
        grid.addWidget(add, 1, 0)
        grid.addWidget(remove, 1, 1)
        grid.addWidget(copy, 2, 0, 1, 2)
        grid.addWidget(self.link, 3, 0, 1, 2)
        self.list.setMinimumHeight(60)

    def add(self) -> None:
        """Remember the present view."""
        self._append(ViewerView.of(self._viewer), f"View {self.list.count() + 1}")

    def copy_link(self) -> None:
        """Copy the chosen bookmark's link, or that of the present view."""
        item = self.list.currentItem()
        link = ViewerView.of(self._viewer).link if item is None else _link(item)
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(link)

    def remove(self) -> None:
        """Forget the chosen bookmark."""
        if self.list.currentRow() >= 0:
            self.list.takeItem(self.list.currentRow())

    def _append(self, view: ViewerView, name: str) -> None:
        item = QListWidgetItem(name)
        item.setData(Qt.ItemDataRole.UserRole, view.link)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        item.setToolTip(view.link)
        self.list.addItem(item)

    def _go(self, item: QListWidgetItem) -> None:
        ViewerView.from_link(_link(item)).apply(self._viewer)

    def _paste(self) -> None:
        try:
            view = ViewerView.from_link(self.link.text())
        except ValueError as error:
            show_warning(str(error))
            return
        view.apply(self._viewer)
        self._append(view, f"View {self.list.count() + 1}")
        self.link.clear()


def _link(item: QListWidgetItem) -> str:
    return str(item.data(Qt.ItemDataRole.UserRole))
