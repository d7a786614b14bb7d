"""Windows that are closed, and Python that ends, while something is being written."""

import subprocess
import sys

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_octree.qt.picture_progress import PictureProgress

ENDS = """
import sys, threading
from pathlib import Path
from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.writing.unfinished import unfinished
begun = threading.Event()
def work(task):
    with unfinished(Path(sys.argv[1], "a.zarr")) as part:
        part.mkdir()
        begun.set()
        while not task.cancelled():
            Path(part, "half").touch()
        raise InterruptedError
BackgroundTask("Export a.zarr", work, print)
assert begun.wait(60)
"""


def test_half_files_are_removed_when_python_ends(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", ENDS, tmp_path], capture_output=True, text=True, timeout=100
    )
    assert ended.returncode == 0, ended.stderr
    assert "Export a.zarr: cancelled, as Python ends" in ended.stderr
    assert not list(tmp_path.iterdir())


QUITS = """
import sys, threading
from pathlib import Path
import napari
import numpy as np
from napari_octree import OctreeImage
from napari_octree.plugin.commands.export_commands import start_export
from napari_octree.plugin.export import export_of
from qtpy.QtCore import QTimer

class Endless:
    shape, dtype = (2**17, 2**17), np.dtype(np.uint8)
    def __getitem__(self, index):
        return np.ones([s.stop - s.start for s in index], np.uint8)

viewer = napari.Viewer(show=True)
layer = viewer.add_layer(OctreeImage([Endless()]))
task = start_export(export_of([layer], Path(sys.argv[1], "a.ome.zarr"), "OME-Zarr"))
def quit_soon():
    if any(Path(sys.argv[1]).iterdir()):
        viewer.window._qt_window.close(quit_app=True, confirm_need=False)

ask = QTimer()
ask.timeout.connect(quit_soon)
ask.start(10)
napari.run()
print("the loop has ended")
"""


def test_half_files_are_removed_when_the_application_is_quit(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", QUITS, tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "the loop has ended" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("within", [False, True])
def test_a_window_that_is_closed_ends_its_picture(qtbot, pump_until, within):
    window, begun, ended = QWidget(), [], []

    def close():
        window.deleteLater()
        QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)

    def steps():
        try:
            for number in range(1_000_000):
                if within and number == 3:
                    close()
                begun.append(number)
                yield number, 1_000_000
        finally:
            ended.append(True)

    work = PictureProgress(window, "Export", steps(), "done")
    if not within:
        pump_until(lambda: begun)
        close()
    pump_until(lambda: work.finished)
    assert ended == [True]
    work.cancel()  # of what has ended does nothing
