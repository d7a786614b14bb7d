"""Asks for the address of an image, and offers those that were opened before.

Invariant: nothing is opened or remembered here.
"""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

FIELD_WIDTH = 640
"""Pixels: a bucket, a few folders and a name."""
EXAMPLES = "https://…, s3://…, gs://…"


class AddressDialog(QDialog):
    """A field with a list of former addresses.

    Parameters
    ----------
    parent : QWidget or None
    known : sequence of str
        Addresses opened before, the latest first.
    """

    def __init__(self, parent: QWidget | None, known: Sequence[str]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open an OME-Zarr address as octree")
        self.field = QComboBox(self)
        self.field.setEditable(True)
        self.field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.field.setMinimumWidth(FIELD_WIDTH)
        self.field.addItems(list(known))
        self.field.setCurrentIndex(-1)
        self.field.clearEditText()
        line = self.field.lineEdit()
        line.setPlaceholderText(EXAMPLES)
        line.setClearButtonEnabled(True)
        label = QLabel("&Address of an image, a plate or an array:", self)
        label.setBuddy(self.field)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel, self
        )
        self._open = buttons.button(QDialogButtonBox.StandardButton.Open)
        self._open.setEnabled(False)
        self.field.editTextChanged.connect(lambda text: self._open.setEnabled(bool(text.strip())))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (label, self.field, buttons):
            layout.addWidget(widget)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def address(self) -> str:
        """What is in the field."""
        return str(self.field.currentText()).strip()


def ask_address(parent: QWidget | None, known: Sequence[str]) -> str:
    """Return the address that the user chose, "" if none."""
    dialog = AddressDialog(parent, known)
    try:
        return dialog.address if dialog.exec() else ""
    finally:
        dialog.deleteLater()
