"""The dock that browses a store: address, tree, metadata, and buttons to open what is there.

Invariants: GUI thread; all reading is done by workers, and none while the dock rests. What it
cannot open it says in the dock, below the address.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_octree.qt.browse.node_tree import KINDS, NodeTree
from napari_octree.qt.browse.store import BrowserActions, OpenChoice, Store
from napari_octree.qt.browse.workers import Workers
from napari_octree.rendering.canvas.qt_loop import attach_qt_loop

MOST_TEXT = 200_000
"""Characters of metadata that are shown."""

MENU: tuple[tuple[str, OpenChoice], ...] = (
    ("Add", OpenChoice()),
    ("Add as image", OpenChoice(layer="image")),
    ("Add as labels", OpenChoice(layer="labels")),
    ("Add by napari's own layer", OpenChoice(renderer="napari")),
    ("Open in a new window", OpenChoice(new_window=True)),
)
RENDERINGS = (
    ("Maximum", "mip"), ("Attenuated maximum", "attenuated_mip"), ("Translucent", "translucent"),
    ("Surface", "iso"), ("Average", "average"), ("Minimum", "minip"), ("Additive", "additive"),
)  # fmt: skip


class StoreBrowser(QWidget):
    """Browses a folder, an archive or an address.

    Parameters
    ----------
    actions : BrowserActions
    """

    def __init__(self, actions: BrowserActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        attach_qt_loop()
        self._actions = actions
        self._workers = Workers()
        self._store: Store | None = None
        self.address = QComboBox()
        self.address.setEditable(True)
        self.address.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.address.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.address.setMinimumContentsLength(10)
        self.address.setToolTip("A folder, a zip file or an address (https, s3, gs); then Return")
        self.address.addItems(list(actions.known()))
        self.address.setCurrentIndex(-1)
        self.address.clearEditText()
        line = self.address.lineEdit()
        line.setPlaceholderText("Folder or address")
        line.setClearButtonEnabled(True)
        line.returnPressed.connect(self._read_address)
        self.address.activated.connect(lambda _: self._read_address())
        self.folder = QToolButton()
        self.folder.setText("…")
        self.folder.setToolTip("Choose a folder")
        self.folder.setAccessibleName("Choose a folder")
        self.folder.clicked.connect(self._choose_folder)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.hide()
        self.tree = NodeTree(self._workers)
        self.tree.chosen.connect(self._show_node)
        self.tree.activated_node.connect(lambda node: self._open(OpenChoice()))
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._show_menu)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setTabChangesFocus(True)
        self.details.setToolTip("Metadata of what is chosen in the tree")
        self.details.setPlaceholderText("Metadata of what is chosen")
        self.add = QPushButton("&Add")
        self.add.setToolTip("Add it to this viewer as octree layers")
        self.add.clicked.connect(lambda: self._open(OpenChoice()))
        self.open = QPushButton("&Open in new window")
        self.open.setToolTip("Open it in a viewer of its own")
        self.open.clicked.connect(lambda: self._open(OpenChoice(new_window=True)))
        self.more = QPushButton("&More")
        self.more.setToolTip("Choose the type of layer and how it is drawn")
        self.more.clicked.connect(self._show_menu_below)
        self._lay_out()
        self._show_node(None)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        row = QHBoxLayout()
        row.addWidget(self.address, 1)
        row.addWidget(self.folder)
        column.addLayout(row)
        column.addWidget(self.message)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(self.tree)
        parts.addWidget(self.details)
        parts.setStretchFactor(0, 3)
        parts.setStretchFactor(1, 1)
        column.addWidget(parts, 1)
        grid = QGridLayout()
        grid.addWidget(self.add, 0, 0)
        grid.addWidget(self.more, 0, 1)
        grid.addWidget(self.open, 1, 0, 1, 2)
        column.addLayout(grid)
        self.setTabOrder(self.tree, self.details)
        self.setTabOrder(self.details, self.add)

    # -------------------------------------------------------------------- read

    def browse(self, address: str) -> None:
        """Show the tree at a path or address."""
        address = address.strip()
        if not address:
            return
        self._workers.forget()
        self.address.setEditText(address)
        self._set_store(None)
        self._say("Reading…")
        self._workers.ask(partial(self._actions.read, address), partial(self._on_read, address))

    def _on_read(self, address: str, store: Any, problem: str) -> None:
        self._say(problem)
        if store is None:
            return
        self._actions.remember(address)
        if self.address.findText(address) < 0:
            self.address.insertItem(0, address)
            self.address.setEditText(address)
        self._set_store(store)
        self.tree.setFocus(Qt.FocusReason.OtherFocusReason)

    def _set_store(self, store: Store | None) -> None:
        self._store = store
        self.tree.show_store(store)
        if store is None:
            self._show_node(None)

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def _read_address(self) -> None:
        self.browse(self.address.currentText())

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Browse a folder", "")
        if path:
            self.browse(path)

    # -------------------------------------------------------------------- show

    def _show_node(self, node: Any) -> None:
        can_open = node is not None and node.can_open
        for button in (self.add, self.open, self.more):
            button.setEnabled(can_open)
        self.details.setPlainText("" if node is None else described(node))

    def _open(self, choice: OpenChoice) -> None:
        node = self.tree.node
        if self._store is not None and node is not None and node.can_open:
            self._actions.show(self._store, node, choice)

    def menu(self) -> QMenu:
        """The menu of the current node."""
        menu = QMenu(self)
        node = self.tree.node
        for text, choice in MENU:
            action = menu.addAction(text)
            action.setEnabled(node is not None and node.can_open)
            action.triggered.connect(partial(self._chosen, choice))
        volumes = menu.addMenu("Add, in 3-D as")
        volumes.setEnabled(node is not None and node.can_open)
        for text, rendering in RENDERINGS:
            choice = OpenChoice(layer="image", rendering=rendering)
            volumes.addAction(text).triggered.connect(partial(self._chosen, choice))
        menu.addSeparator()
        copy = menu.addAction("Copy path")
        copy.setEnabled(node is not None)
        copy.triggered.connect(lambda: self._copy(node.where))
        again = menu.addAction("Read again")
        again.setEnabled(node is not None and node.may_have_children)
        again.triggered.connect(self.tree.refresh)
        return menu

    def _chosen(self, choice: OpenChoice, checked: bool = False) -> None:
        self._open(choice)

    @staticmethod
    def _copy(text: str) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)

    def _show_menu(self, point: QPoint) -> None:
        self._popup(self.tree.viewport().mapToGlobal(point))

    def _show_menu_below(self) -> None:
        self._popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _popup(self, point: QPoint) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(point)

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Ask for nothing any more."""
        self._workers.close()
        super().closeEvent(event)


def described(node: Any) -> str:
    """A node and its metadata as text."""
    lines = [node.where, ": ".join(filter(None, (KINDS.get(node.kind, node.kind), node.summary)))]
    if node.problem:
        lines.append(f"Cannot be read: {node.problem}")
    if node.details:
        lines.append(json.dumps(node.details, indent=1, default=str, ensure_ascii=False))
    return "\n".join(filter(None, lines))[:MOST_TEXT]
