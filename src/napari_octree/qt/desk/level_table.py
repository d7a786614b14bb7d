"""The levels of a layer as a table: what is loaded, shape, chunk, factor, tiles, bytes.

Invariants: GUI thread; a change of one cell costs one cell.
"""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics, QIcon, QPixmap, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_octree.qt.desk.subjects.subject import LevelRow
from napari_octree.rendering.level_colours import colour_name

COLUMNS = ("Level", "On GPU", "Failed", "In RAM", "Shape", "Factor", "Chunk", "Tiles", "Size")
PADDING = 14
"""Pixels around a text of the table."""

FIRST_COUNT = COLUMNS.index("On GPU")


class LevelTable(QTableWidget):
    """Shows the levels; the one that is drawn is bold, a double click locks one."""

    level_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels(list(COLUMNS))
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        # Not by its contents: Qt would measure all of them at each change of one.
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        numbers.setVisible(False)
        numbers.setDefaultSectionSize(22)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)  # Tab leaves it; the arrow keys move in it
        self.setToolTip("Double-click a level to show it whatever the zoom")
        self.itemActivated.connect(lambda item: self.level_chosen.emit(item.row()))
        self.setMinimumWidth(120)
        self._current = -1
        self._counts: list[tuple[str, ...]] = []
        self._coloured = False
        self._rows: list[LevelRow] = []
        self._longest: dict[int, int] = {}
        for column, tip in (("On GPU", "Tiles of this slice on the GPU, in view or not"),
                            ("Failed", "Tiles of this slice that could not be read"),
                            ("In RAM", "Chunks in memory, of all slices")):  # fmt: skip
            item = self.horizontalHeaderItem(COLUMNS.index(column))
            if item is not None:
                item.setToolTip(tip)

    def show_rows(self, rows: Sequence[LevelRow]) -> None:
        """Show these levels, finest first; the same ones again cost nothing."""
        rows = list(rows)
        if rows == self._rows:
            return
        self._rows = rows
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            texts = (
                str(number), "", "", "", row.shape, row.factor, row.chunk, row.tiles, row.size,
            )  # fmt: skip
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(number, column, item)
        self._current = -1
        self._counts = [()] * len(rows)
        self.colour(self._coloured)
        self._longest = {}
        self.resizeColumnsToContents()
        for row in rows:  # the one that is drawn is bold
            fixed = (row.shape, row.factor, row.chunk, row.tiles, row.size)
            for column, text in enumerate(fixed, COLUMNS.index("Shape")):
                self._widen(column, text)

    def show_counts(self, counts: Sequence[tuple[str, ...]]) -> None:
        """Show what `Subject.counts` tells; what has not changed costs nothing."""
        for row, texts in enumerate(counts[: self.rowCount()]):
            if texts == self._counts[row]:
                continue
            self._counts[row] = texts
            for column, text in enumerate(texts, FIRST_COUNT):
                item = self.item(row, column)
                if item is not None:
                    item.setText(text)
                    self._widen(column, text)

    def _widen(self, column: int, text: str) -> None:
        """Make a column wide enough for a text in bold; never narrower, which would be nervous."""
        known = self._longest.get(column, 0)
        if len(text) > known:
            self._longest[column] = len(text)
            font = self.font()
            font.setBold(True)
            width = QFontMetrics(font).horizontalAdvance("0" * len(text)) + PADDING
            if width > self.columnWidth(column):
                self.setColumnWidth(column, width)

    def colour(self, on: bool) -> None:
        """Show the colours that levels have in the minimap."""
        self._coloured = on
        for row in range(self.rowCount()):
            item = self.item(row, 0)
            if item is not None:
                item.setIcon(_swatch(colour_name(row)) if on else QIcon())

    def mark(self, level: int) -> None:
        """Show which level is drawn."""
        if level == self._current:
            return
        former, self._current = self._current, level
        for row in (former, level):
            for column in range(self.columnCount()):
                item = self.item(row, column)
                if item is not None:
                    font = item.font()
                    font.setBold(row == level)
                    item.setFont(font)
        self._reveal()

    def _reveal(self) -> None:
        """Have the level that is drawn in sight."""
        drawn = self.item(self._current, 0)
        if drawn is not None:
            self.scrollToItem(drawn)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the level that is drawn in sight: it was not laid out before."""
        super().resizeEvent(event)
        self._reveal()


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(10, 10)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
