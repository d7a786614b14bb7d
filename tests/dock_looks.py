"""What an Octree dock says, brought up to date without waiting for its timer."""

from __future__ import annotations

from napari_octree.qt.desk.dock import OctreeDock
from napari_octree.qt.desk.level_table import COLUMNS


def look(dock: OctreeDock) -> None:
    """Have the dock look at its layer, as it does after a change."""
    dock._changed = dock._picture_changed = True
    dock._look()


def column(dock: OctreeDock, name: str) -> list[str]:
    """The texts of a column of the table of levels."""
    number = COLUMNS.index(name)
    return [dock.table.item(row, number).text() for row in range(dock.table.rowCount())]
