"""The Octree dock on the screen."""

import pytest

from dock_looks import look
from napari_octree.qt.desk.dock import OctreeDock


@pytest.fixture
def dock(viewer, layer, qtbot):
    """Of a viewer with the `layer` of the test's own module."""
    dock = OctreeDock(viewer)
    qtbot.addWidget(dock)
    dock.resize(420, 900)
    dock.show()
    qtbot.waitExposed(dock)
    look(dock)
    return dock
