"""The dialog that asks what to export, and where to.

Invariants: GUI thread; it reads and writes nothing; all that it knows is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtWidgets import QLineEdit, QWidget

from napari_octree.qt.form_dialog import FormDialog, button, choices, path_edit


@dataclass(frozen=True)
class ExportChoice:
    """What the user has chosen.

    Attributes
    ----------
    region, level, format : int
        Indices of the dialog's choices.
    path : str
    slices : str
        Ranges along axes, as "z 3:8, t 0"; "" for all of the region.
    """

    region: int
    level: int
    format: int
    path: str
    slices: str = ""


class ExportDialog(FormDialog):
    """Asks for a region, a level, a format and a file.

    Parameters
    ----------
    parent : QWidget or None
    title : str
        What is exported.
    regions, formats : sequence of str
    levels : callable
        From a format's index to the resolutions that it can be written in.
    describe : callable
        From a choice to the line that says how large it will be.
    suggest : callable
        From a format's index to a path.
    axes : sequence of str
        Names of axes of which a range can be chosen.
    """

    def __init__(
        self,
        parent: QWidget | None,
        title: str,
        regions: Sequence[str],
        levels: Callable[[int], Sequence[str]],
        formats: Sequence[str],
        describe: Callable[[ExportChoice], str],
        suggest: Callable[[int], str],
        axes: Sequence[str] = (),
    ) -> None:
        super().__init__(parent, title)
        self._describe, self._suggest, self._levels = describe, suggest, levels
        self.region = choices(regions, "Which part of the image is written")
        self.level = choices(levels(0), "The resolution that is written; coarser ones are added")
        self.format = choices(formats, "The kind of file")
        self.path = path_edit(
            suggest(0), "Where it is written; the name appears when all is there"
        )
        self.slices = QLineEdit()
        example = ", ".join(f"{axis} 3:8" for axis in axes)
        self.slices.setPlaceholderText(f"all of the region, or as {example}")
        self.slices.setToolTip("From:to along axes, without the end; one number for one slice")
        browse = button("Browse…", lambda: self.browse(self.path), "Choose where it is written")
        self.lay_out(
            [
                ("&Region:", self.region, ()),
                *([("S&lices:", self.slices, ())] if axes else []),
                ("L&evel:", self.level, ()),
                ("F&ormat:", self.format, ()),
                ("&File:", self.path, (browse,)),
            ]
        )
        self._suggested = self.path.text()
        for box in (self.region, self.level):
            box.currentIndexChanged.connect(self._show_size)
        self.format.currentIndexChanged.connect(self._on_format)
        self.path.textChanged.connect(self._show_size)
        self.slices.textChanged.connect(self._show_size)
        self._show_size()

    @property
    def choice(self) -> ExportChoice:
        """What is chosen now."""
        return ExportChoice(
            self.region.currentIndex(),
            self.level.currentIndex(),
            self.format.currentIndex(),
            self.path.text().strip(),
            self.slices.text().strip(),
        )

    def _on_format(self, index: int) -> None:
        if self.path.text() == self._suggested:  # not yet a name of the user's
            self._suggested = self._suggest(index)
            self.path.setText(self._suggested)
        names = list(self._levels(index))
        if [self.level.itemText(i) for i in range(self.level.count())] != names:
            self.level.clear()
            self.level.addItems(names)
        self._show_size()

    def _show_size(self) -> None:
        self.say(self._describe(self.choice), bool(self.path.text().strip()))
