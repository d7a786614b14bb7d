"""The tree of a store as a widget: read when opened, pictures of what is in sight.

Invariants: GUI thread; nothing is read here, workers do. A node is looked at when it is in sight
or chosen, and asked for what is below it when it is expanded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QTreeWidget, QTreeWidgetItem, QWidget

from napari_octree.qt.browse.store import Store
from napari_octree.qt.browse.workers import Workers

ICON = 32
"""Pixels of a picture in the tree."""
ROW = ICON + 4
NODE = Qt.ItemDataRole.UserRole

KINDS = {
    "image": "Image", "labels": "Labels", "plate": "Plate", "well": "Well", "array": "Array",
    "collection": "Images", "scene": "Scene", "group": "Group", "folder": "Folder", "nothing": "",
}  # fmt: skip


class NodeTree(QTreeWidget):
    """Nodes by name, what they are, and small pictures."""

    chosen = Signal(object)
    """The current node, as far as it is known; None."""
    activated_node = Signal(object)
    """Return or a double click on a node that can be opened."""

    def __init__(self, workers: Workers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workers = workers
        self._store: Store | None = None
        self.setHeaderHidden(True)
        self.setIconSize(QSize(ICON, ICON))
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setAccessibleName("What is in the store")
        self.setToolTip("Return or a double click adds it; the menu key shows more")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(30)
        self._soon.timeout.connect(self._look_at_what_is_in_sight)
        self.itemExpanded.connect(self._expand)
        self.itemCollapsed.connect(lambda _: self._soon.start())
        self.itemActivated.connect(self._activate)
        self.currentItemChanged.connect(self._on_current)
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(lambda _: self._soon.start())

    def show_store(self, store: Store | None) -> None:
        """Show a tree from its root, opened; nothing for None."""
        self.clear()
        self._store = store
        if store is None:
            return
        root = self._item(store.root)
        self.addTopLevelItem(root)
        self.setCurrentItem(root)
        root.setExpanded(True)

    @property
    def node(self) -> Any:
        """The current node, or None."""
        return node_of(self.currentItem())

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Look at what has come in sight."""
        super().resizeEvent(event)
        self._soon.start()

    # ------------------------------------------------------------------- items

    def _item(self, node: Any) -> QTreeWidgetItem:
        item = QTreeWidgetItem()
        self._describe(item, node)
        if node.may_have_children:
            item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)
        return item

    @staticmethod
    def _describe(item: QTreeWidgetItem, node: Any) -> None:
        item.setData(0, NODE, node)
        kind = KINDS.get(node.kind, node.kind)
        said = ": ".join(filter(None, (kind, node.summary)))
        what = f"⚠ {node.problem}" if node.problem else said
        item.setText(0, f"{node.name}\n{what}")
        item.setToolTip(0, f"{node.where}\n{what}")
        item.setSizeHint(0, QSize(0, ROW))
        if not node.may_have_children:
            item.setChildIndicatorPolicy(
                QTreeWidgetItem.ChildIndicatorPolicy.DontShowIndicatorWhenChildless
            )

    def _expand(self, item: QTreeWidgetItem) -> None:
        self._soon.start()
        node, store = node_of(item), self._store
        if store is None or item.childCount() or not node.may_have_children:
            return
        item.addChild(_note("Reading…"))

        def tell(children: Any, problem: str) -> None:
            item.takeChildren()
            if problem:
                item.addChild(_note(f"⚠ {problem}"))
            elif not children:
                item.addChild(_note("nothing below"))
            item.addChildren([self._item(child) for child in children or ()])
            self._soon.start()

        self._workers.ask(lambda: store.children(node), tell)

    def refresh(self) -> None:
        """Read again what lies below the current node."""
        item = self.currentItem()
        if item is not None and node_of(item) is not None:
            item.takeChildren()
            item.setExpanded(False)
            item.setExpanded(True)

    # -------------------------------------------------------------------- look

    def _look_at_what_is_in_sight(self) -> None:
        item: QTreeWidgetItem | None = self.itemAt(1, 1)
        bottom = self.viewport().height()
        seen = []
        while item is not None and self.visualItemRect(item).top() < bottom:
            seen.append(item)
            item = self.itemBelow(item)
        for item in reversed(seen):  # the last that is asked for comes first
            self._look(item)

    def _look(self, item: QTreeWidgetItem) -> None:
        node, store = node_of(item), self._store
        if store is None or node is None or item.data(0, NODE + 1):
            return
        item.setData(0, NODE + 1, True)  # has been asked

        def read() -> tuple[Any, np.ndarray | None]:
            known = store.look(node)
            return known, store.thumbnail(known)

        def tell(answer: Any, problem: str) -> None:
            if problem:
                item.setText(0, f"{node.name}\n⚠ {problem}")
                return
            known, picture = answer
            self._describe(item, known)
            if picture is not None:
                item.setIcon(0, QIcon(pixmap_of(picture)))
            if item is self.currentItem():
                self.chosen.emit(known)

        self._workers.ask(read, tell)

    def _on_current(self, item: QTreeWidgetItem | None, former: Any = None) -> None:
        if item is not None:
            self._look(item)
        self.chosen.emit(node_of(item))

    def _activate(self, item: QTreeWidgetItem) -> None:
        node = node_of(item)
        if node is not None and node.can_open:
            self.activated_node.emit(node)


def node_of(item: QTreeWidgetItem | None) -> Any:
    """The node of an item; None for notes."""
    return None if item is None else item.data(0, NODE)


def pixmap_of(picture: np.ndarray) -> QPixmap:
    """Make a picture of (rows, columns, 3) uint8 one that Qt draws."""
    height, width = picture.shape[:2]
    pixels = np.ascontiguousarray(picture, np.uint8).tobytes()
    return QPixmap.fromImage(
        QImage(pixels, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    )


def _note(text: str) -> QTreeWidgetItem:
    item = QTreeWidgetItem([text, ""])
    item.setFlags(Qt.ItemFlag.ItemIsEnabled)
    item.setToolTip(0, text)
    return item
