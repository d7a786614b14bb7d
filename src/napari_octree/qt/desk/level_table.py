"""The levels of a layer as a table: shape, chunk, factor, tiles, bytes.

Invariants: GUI thread; arithmetic on metadata only, nothing is read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.qt.desk.loaded_places import colour_of

COLUMNS = ("Level", "On GPU", "Failed", "In RAM", "Shape", "Factor", "Chunk", "Tiles", "Size")
FIRST_COUNT = COLUMNS.index("On GPU")


@dataclass(frozen=True)
class LevelRow:
    """One level, as text."""

    shape: str
    factor: str
    chunk: str
    tiles: str
    size: str


def level_rows(layer: OctreeScalarField) -> list[LevelRow]:
    """Describe the levels of the slice that a layer shows, computed ones included."""
    octree_slice = layer.octree_slice
    if octree_slice is None:
        return []
    rows = []
    for level, source in zip(octree_slice.octree.levels, octree_slice.sources, strict=True):
        shape = source.shape
        grid = source.storage.grid(source.storage_shape(octree_slice.hint))
        chunk = [0] * len(source.fixed)
        first = next(grid.indices(tuple((0, 1) for _ in source.fixed)), None)
        if first is not None:
            chunk = [stop - start for start, stop in grid.region(first)]
        cut = [n for n, fixed in zip(chunk, source.fixed, strict=True) if fixed is None]
        tiles = math.prod(
            -(-n // side) for n, side in zip(level.shape, level.tile_shape, strict=True)
        )
        computed = level.index >= len(layer.level_shapes)
        rows.append(
            LevelRow(
                _times(shape),
                _factor(level.transform.factor),
                "computed" if computed else _times(cut),
                f"{tiles:,}",
                human_size(int(np.prod(shape, dtype=object)) * source.dtype.itemsize),
            )
        )
    return rows


def level_counts(layer: OctreeScalarField) -> list[tuple[str, ...]]:
    """What of each level is on the GPU, has failed, and is in RAM (of all slices), as text."""
    octree_slice = layer.octree_slice
    if octree_slice is None:
        return []
    by_level, cache = layer.residency.by_level(), layer.loader.cache
    counts = []
    for number, source in enumerate(octree_slice.sources):
        resident, failed = by_level.get(number, (0, 0))
        cached = cache.bytes_of(source.storage.key)
        texts = (f"{resident:,}", f"{failed:,}", human_size(cached))
        counts.append(
            tuple(
                text if n else ""
                for text, n in zip(texts, (resident, failed, cached), strict=True)
            )
        )
    return counts


def human_size(nbytes: float) -> str:
    """Bytes in units of 1024, three digits."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if nbytes < 1024 or unit == "PiB":
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1024
    raise AssertionError("unreachable")


def _factor(factors: Sequence[float]) -> str:
    """One number where all axes have the same."""
    return f"{factors[0]:g}" if len(set(factors)) == 1 else _times(f"{f:g}" for f in factors)


def _times(numbers: object) -> str:
    return " × ".join(str(n) for n in numbers)  # type: ignore[attr-defined]


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
        self.setToolTip("Double-click a level to show it whatever the zoom")
        self.itemActivated.connect(lambda item: self.level_chosen.emit(item.row()))
        self.setMinimumWidth(120)
        self._current = -1
        self._counts: list[tuple[str, ...]] = []
        self._coloured = False
        self._rows: list[LevelRow] = []
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
        self.resizeColumnsToContents()

    def show_counts(self, counts: Sequence[tuple[str, ...]]) -> None:
        """Show `level_counts`; what has not changed costs nothing."""
        for row, texts in enumerate(counts[: self.rowCount()]):
            if texts == self._counts[row]:
                continue
            self._counts[row] = texts
            for column, text in enumerate(texts, FIRST_COUNT):
                item = self.item(row, column)
                if item is not None:
                    item.setText(text)

    def colour(self, on: bool) -> None:
        """Show the colours that levels have in the minimap."""
        self._coloured = on
        for row in range(self.rowCount()):
            item = self.item(row, 0)
            if item is not None:
                item.setIcon(_swatch(colour_of(row)) if on else QIcon())

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
        drawn = self.item(level, 0)
        if drawn is not None:
            self.scrollToItem(drawn)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(10, 10)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
