"""Asks who wants to see an image whose store refuses access.

Invariant: what is typed goes back to the caller and nowhere else; nothing is stored here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

FIELD_WIDTH = 360


@dataclass(frozen=True)
class Question:
    """One field.

    Attributes
    ----------
    name : str
    label : str
    is_secret : bool
        Its text is shown as dots.
    """

    name: str
    label: str
    is_secret: bool = True


class CredentialsDialog(QDialog):
    """A field for each question.

    Parameters
    ----------
    parent : QWidget or None
    address : str
        Of the store, without secrets.
    questions : sequence of Question
    """

    def __init__(
        self, parent: QWidget | None, address: str, questions: Sequence[Question]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Access is refused")
        told = QLabel(f"The store refuses access to\n{address}\nWho asks?", self)
        told.setWordWrap(True)
        self.fields: dict[str, QLineEdit] = {}
        layout = QFormLayout(self)
        layout.addRow(told)
        taken = {"u", "o", "c"}
        for question in questions:
            field = QLineEdit(self)
            field.setMinimumWidth(FIELD_WIDTH)
            if question.is_secret:
                field.setEchoMode(QLineEdit.EchoMode.Password)
            layout.addRow(f"{_with_key(question.label, taken)}:", field)
            self.fields[question.name] = field
        self.keep = QCheckBox("&Use it for this server until napari is closed", self)
        layout.addRow(self.keep)
        layout.addRow(QLabel("Nothing is written to disk.", self))
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel, self
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addRow(buttons)

    @property
    def answers(self) -> dict[str, str]:
        """What was typed, by the names of the questions; empty fields are left out."""
        texts = {name: str(field.text()) for name, field in self.fields.items()}
        return {name: text for name, text in texts.items() if text}


def _with_key(label: str, taken: set[str]) -> str:
    """A label with the first of its letters that is free as its key, which is taken then."""
    for place, letter in enumerate(label.lower()):
        if letter.isalpha() and letter not in taken:
            taken.add(letter)
            return f"{label[:place]}&{label[place:]}"
    return label


def ask_credentials(
    parent: QWidget | None, address: str, questions: Sequence[Question]
) -> tuple[dict[str, str], bool] | None:
    """Return what was typed and whether it is to be kept for the session; None if cancelled."""
    dialog = CredentialsDialog(parent, address, questions)
    try:
        if not dialog.exec():
            return None
        return dialog.answers, bool(dialog.keep.isChecked())
    finally:
        for field in dialog.fields.values():
            field.clear()
        dialog.deleteLater()
