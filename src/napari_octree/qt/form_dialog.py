"""What the dialogs share that ask what to write, and where to: rows, a message, two buttons.

Invariants: GUI thread; nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)


class FormDialog(QDialog):
    """Rows of widgets; a message below them; a button that goes on, and Cancel.

    Parameters
    ----------
    parent : QWidget or None
    title : str
    go_on : str, optional
        Of the button; default: Save.
    """

    def __init__(self, parent: QWidget | None, title: str, go_on: str | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.message = QLabel()
        self.message.setWordWrap(True)
        kind = QDialogButtonBox.StandardButton.Save if go_on is None else _OK
        self.buttons = QDialogButtonBox(kind | QDialogButtonBox.StandardButton.Cancel)
        self._go_on = self.buttons.button(kind)
        if go_on is not None:
            self._go_on.setText(go_on)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def lay_out(self, rows: Sequence[tuple[str, QWidget, Sequence[QPushButton]]]) -> None:
        """Put titles, widgets and the buttons beside them below each other."""
        form = QFormLayout(self)
        for title, widget, beside in rows:
            if not beside:
                form.addRow(title, widget)
                continue
            label, row = QLabel(title), QHBoxLayout()
            label.setBuddy(widget)
            for each in (widget, *beside):
                row.addWidget(each)
            form.addRow(label, row)
        form.addRow(self.message)
        form.addRow(self.buttons)

    def say(self, message: str, may_go_on: bool) -> None:
        """Show a message, and whether the choice can be taken."""
        self.message.setText(message)
        self._go_on.setEnabled(may_go_on)

    def browse(self, target: QLineEdit) -> None:
        """Ask for the name of what is written."""
        # A folder is a file here: an OME-Zarr image has a name that is not there yet.
        path, _ = QFileDialog.getSaveFileName(self, self.windowTitle(), target.text())
        if path:
            target.setText(path)


_OK = QDialogButtonBox.StandardButton.Ok


def path_edit(text: str, tip: str) -> QLineEdit:
    """A wide line for a path."""
    edit = QLineEdit(text)
    edit.setMinimumWidth(420)
    edit.setToolTip(tip)
    return edit


def button(title: str, action: Callable[[], None], tip: str) -> QPushButton:
    """A button that does something."""
    made = QPushButton(title)
    made.setToolTip(tip)
    made.setAutoDefault(False)  # Return in a field is for the dialog's own button
    made.clicked.connect(lambda: action())
    return made


def choices(names: Sequence[str], tip: str, first: str | None = None) -> QComboBox:
    """A list to choose from."""
    box = QComboBox()
    box.addItems(list(names))
    if first is not None:
        box.setCurrentText(first)
    box.setToolTip(tip)
    return box


def numbers(least: int, most: int, of_least: str, tip: str) -> QSpinBox:
    """A whole number; the least one may have a name."""
    box = QSpinBox()
    box.setRange(least, most)
    box.setValue(least)
    box.setSpecialValueText(of_least)
    box.setToolTip(tip)
    return box


def switch(title: str, checked: bool, tip: str) -> QCheckBox:
    """A box to tick."""
    box = QCheckBox(title)
    box.setChecked(checked)
    box.setToolTip(tip)
    return box
