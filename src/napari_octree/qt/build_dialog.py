"""The dialog that asks what pyramid to build of which file, and how.

Invariants: GUI thread; it reads and writes nothing, but for asking for names of files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton, QWidget

from napari_octree.qt.form_dialog import (
    FormDialog,
    button,
    choices,
    numbers,
    path_edit,
    switch,
)
from napari_octree.writing.build import METHODS, BuildOptions
from napari_octree.writing.errors import WritingError
from napari_octree.writing.ome_attributes import VERSIONS
from napari_octree.writing.pyramid_plan import parse_factors


@dataclass(frozen=True)
class BuildChoice:
    """What the user has chosen.

    Attributes
    ----------
    source, target : str
    image : int or None
        Which one, where the source has several.
    options : BuildOptions
    workers : int
    scheduler : str or None
    verify, open : bool
        Check the result; add it to the viewer.
    """

    source: str
    target: str
    image: int | None
    options: BuildOptions
    workers: int
    scheduler: str | None
    verify: bool
    open: bool


class BuildDialog(FormDialog):
    """Asks for a source, a target and all options of ``napari-octree build``.

    Parameters
    ----------
    parent : QWidget or None
    source : str
        What is there at first.
    """

    def __init__(self, parent: QWidget | None, source: str = "") -> None:
        super().__init__(parent, "Build an OME-Zarr pyramid", "Build")
        self.source = path_edit(source, "A TIFF file, a slide, a zarr folder or an address")
        self.target = path_edit("", "A folder that is not there yet, or an unfinished pyramid")
        self.image = numbers(-1, 10_000, "the only one", "Which image, where there are several")
        self.version = choices(VERSIONS, "Version of OME-Zarr", "0.5")
        self.method = choices(
            METHODS, "auto: means for images, commonest values for labels", "auto"
        )
        self.chunk = numbers(0, 65536, "automatic", "Pixels along each side of a chunk")
        self.shard = numbers(0, 1 << 20, "automatic", "Pixels along each side of a shard")
        self.sharded = switch("Chunks lie in shards", True, "Else each chunk is a file")
        self.factors = QLineEdit()
        self.factors.setPlaceholderText("automatic, or 1,2,2;1,2,2;2,2,2")
        self.factors.setToolTip("Level by level: pixels of the level below, one number per axis")
        self.labels = switch("It is a label image", False, "Labels are never averaged")
        self.workers = numbers(1, 1024, "", "Threads")
        self.workers.setValue(min(os.cpu_count() or 2, 8))
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("none: threads of this process")
        self.scheduler.setToolTip("Address of a dask scheduler, as tcp://head:8786")
        self.overwrite = switch("Replace what is there", False, "Only if it is a zarr")
        self.verify = switch("Check the result", True, "Some shards are computed again")
        self.open = switch("Open it when it is done", True, "Add it to the layers")
        beside: dict[QWidget, tuple[QPushButton, ...]] = {
            self.source: (
                button("File…", self._file, "Choose a file"),
                button("Folder…", self._folder, "Choose a zarr folder"),
            ),
            self.target: (
                button("Browse…", lambda: self.browse(self.target), "Choose where it is written"),
            ),
        }
        rows: tuple[tuple[str, QWidget], ...] = (
            ("&Source:", self.source), ("&Target:", self.target),
            ("&Image:", self.image), ("&Version:", self.version), ("&Method:", self.method),
            ("&Chunk:", self.chunk), ("S&hard:", self.shard), ("", self.sharded),
            ("&Factors:", self.factors), ("", self.labels), ("Th&reads:", self.workers),
            ("Sche&duler:", self.scheduler), ("", self.overwrite), ("", self.verify),
            ("", self.open),
        )  # fmt: skip
        self.lay_out([(title, widget, beside.get(widget, ())) for title, widget in rows])
        self._suggested = ""
        self.source.textChanged.connect(self._suggest)
        self.target.textChanged.connect(self._look)
        self.factors.textChanged.connect(self._look)
        self._suggest(source)

    @property
    def choice(self) -> BuildChoice:
        """What is chosen now.

        Raises
        ------
        WritingError
            The factors are no numbers.
        """
        text = self.factors.text().strip()
        options = BuildOptions(
            version=self.version.currentText(),
            method=self.method.currentText(),
            chunk=self.chunk.value() or None,
            shard=self.shard.value() or None,
            sharded=self.sharded.isChecked(),
            factors=parse_factors(text) if text else None,
            overwrite=self.overwrite.isChecked(),
            label=self.labels.isChecked(),
        )
        return BuildChoice(
            self.source.text().strip(),
            self.target.text().strip(),
            None if self.image.value() < 0 else self.image.value(),
            options,
            self.workers.value(),
            self.scheduler.text().strip() or None,
            self.verify.isChecked(),
            self.open.isChecked(),
        )

    def _look(self) -> None:
        try:
            choice = self.choice
        except WritingError as error:
            self.say(str(error), False)
        else:
            self.say("", bool(choice.source and choice.target))

    def _suggest(self, source: str) -> None:
        if self.target.text() == self._suggested:  # not yet a name of the user's
            name = source.strip().rstrip("/").rpartition("/")[2].partition(".")[0]
            folder = Path.cwd() if "://" in source else Path(source).expanduser().parent
            self._suggested = str(folder / f"{name}-pyramid.ome.zarr") if name else ""
            self.target.setText(self._suggested)
        self._look()

    def _file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Build a pyramid of", self.source.text())
        if path:
            self.source.setText(path)

    def _folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Build a pyramid of", self.source.text())
        if path:
            self.source.setText(path)
