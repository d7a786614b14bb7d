"""Docks and dialogs by keyboard: Tab reaches all, all says what it is, keys are unlike."""

import re

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)
from superqt import QCollapsible

from napari_octree import OctreeImage
from napari_octree.plugin.opening.access import FIELDS
from napari_octree.qt.address_dialog import AddressDialog
from napari_octree.qt.browse.store import BrowserActions
from napari_octree.qt.browse.store_browser import StoreBrowser
from napari_octree.qt.build_dialog import BuildDialog
from napari_octree.qt.credentials_dialog import CredentialsDialog, Question
from napari_octree.qt.desk.dock import OctreeDock
from napari_octree.qt.desk.minimap import Minimap
from napari_octree.qt.export_dialog import ExportDialog

INTERACTIVE = (
    QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit,
    Minimap,
)  # fmt: skip


def interactive(window):
    """Widgets that one can use now; not those that are parts of others."""
    for widget in window.findChildren(QWidget):
        parent, part = widget.parentWidget(), False
        while parent is not None and parent is not window:
            part |= isinstance(parent, INTERACTIVE) and not isinstance(parent, QCollapsible)
            parent = parent.parentWidget()
        usable = widget.isEnabled() and widget.isVisible()
        if usable and isinstance(widget, INTERACTIVE) and not part:
            yield widget


def owner(widget, among):
    """That of `among` which a widget is, or is a part of."""
    while widget is not None and widget not in among:
        widget = widget.parentWidget()
    return widget


def tabbed(window):
    """What has the focus, Tab by Tab, until it begins anew."""
    among = list(interactive(window))
    among[0].setFocus(Qt.FocusReason.TabFocusReason)
    start = window.focusWidget()
    found = [owner(start, among)]
    for _ in range(3 * len(among)):
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        if window.focusWidget() is start:
            break
        found.append(owner(window.focusWidget(), among))
    return among, found


def texts(window):
    """Visible texts that may hold a key."""
    for widget in window.findChildren(QWidget):
        if isinstance(widget, QLabel | QAbstractButton) and widget.isVisible():
            yield widget.text()


def keys(window):
    """Letters that are pressed with Alt."""
    return [m.lower() for text in texts(window) for m in re.findall(r"&(\w)", text)]


def named(widget, window):
    """Whether a widget says what it is for."""
    if widget.toolTip() or isinstance(widget.parentWidget(), QDialogButtonBox):
        return True
    labels = (label for label in window.findChildren(QLabel) if label.buddy() is widget)
    if any("&" in label.text() for label in labels):
        return True
    return isinstance(widget, QAbstractButton) and "&" in widget.text()


def check(window):
    """All of it is reached, named, and told apart."""
    among, found = tabbed(window)
    assert [text_of(w) for w in among if w not in found] == []
    assert [text_of(w) for w in among if not named(w, window)] == []
    letters = keys(window)
    assert sorted(letters) == sorted(set(letters))


def text_of(widget):
    """For the message of a test that fails."""
    return f"{type(widget).__name__} {getattr(widget, 'text', str)()}"


def above(widgets):
    """Heights at which they are, in order."""
    return [widget.mapTo(widget.window(), widget.rect().topLeft()).y() for widget in widgets]


DIALOGS = {
    "address": lambda: AddressDialog(None, ["https://host/a.zarr"]),
    "build": lambda: BuildDialog(None, "slide.svs"),
    "export": lambda: ExportDialog(
        None, "Export", ["all", "view"], lambda n: ["0", "1"], ["OME-Zarr", "OME-TIFF"],
        lambda choice: "3 MiB", lambda n: "image.ome.zarr", "zt",
    ),
    **{
        kind: lambda fields=fields: CredentialsDialog(
            None, "s3://a/b", [Question(*field) for field in fields]
        )
        for kind, fields in FIELDS.items()
    },
}  # fmt: skip


@pytest.fixture(params=DIALOGS)
def dialog(request, qtbot):
    dialog = DIALOGS[request.param]()
    qtbot.addWidget(dialog)
    if request.param == "address":
        dialog.field.setEditText("https://host/b.zarr")
    dialog.show()
    qtbot.waitExposed(dialog)
    return dialog


def test_a_dialog_is_walked_by_tab_from_top_to_bottom(dialog):
    check(dialog)
    _, found = tabbed(dialog)
    heights = above(dict.fromkeys(found))
    assert all(low - high <= 12 for high, low in zip(heights[1:], heights, strict=False))


def test_return_in_a_field_takes_a_dialogs_choice_and_escape_leaves_it(dialog):
    results = []
    dialog.finished.connect(results.append)
    field = dialog.findChildren(QLineEdit)[0]
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert results == [1]
    dialog.show()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert results == [1, 0]


def test_the_dock_is_walked_by_tab_and_leaves_the_menus_their_keys(viewer, qtbot):
    pixels = np.zeros((64, 64), np.uint8)
    viewer.add_layer(OctreeImage([pixels, pixels[::2, ::2]]))
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    qtbot.waitExposed(dock)
    for part in dock.findChildren(QCollapsible):
        part.expand(animate=False)
    dock.reload.setVisible(True)
    dock.reload.setEnabled(True)
    check(dock)
    menus = viewer.window._qt_window.menuBar().actions()
    taken = {m.lower() for menu in menus for m in re.findall(r"&(\w)", menu.text())}
    assert "f" in taken
    assert taken.isdisjoint(keys(dock))


def test_the_browser_is_walked_by_tab(qtbot):
    browser = StoreBrowser(BrowserActions(lambda address: None, lambda *chosen: None))
    qtbot.addWidget(browser)
    browser.show()
    qtbot.waitExposed(browser)
    for button in (browser.add, browser.open, browser.more):
        button.setEnabled(True)
    check(browser)
