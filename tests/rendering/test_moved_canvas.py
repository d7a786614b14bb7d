"""A canvas that Qt moves into another window, and lets keep its GL context."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cameras import off_tie_center

MOVED = """
import sys
from time import monotonic
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMainWindow
QApplication.setAttribute(Qt.AA_ShareOpenGLContexts)
import numpy as np
import napari
from napari._qt.utils import QImg2array
from napari.layers import Image
from napari_octree import OctreeImage

viewer = napari.Viewer(show=True)
canvas = viewer.window._qt_viewer.canvas.native
canvas.setFixedSize(300, 200)
viewer.window._qt_window.resize(1, 1)
data = np.random.default_rng(0).integers(0, 65535, (700, 900), dtype=np.uint16)
layers = [viewer.add_layer(kind(data)) for kind in (Image, OctreeImage)]
for layer in layers:
    layer.contrast_limits = (0, 65535)


def picture():
    end = monotonic() + 60
    while True:
        QApplication.processEvents()
        drawn = QImg2array(canvas.grabFramebuffer())[..., :3].astype(int)
        if layers[1].settled or monotonic() > end:
            return drawn


def same(zoom, y, x):
    viewer.scene.camera.zoom = zoom
    viewer.scene.camera.center = (0.0, y, x)
    pictures = []
    for layer in layers:
        for other in layers:
            other.visible = other is layer
        pictures.append(picture())
    assert pictures[0].shape == (200, 300, 3)
    assert pictures[0].std() > 5
    assert layers[1].settled
    assert np.abs(pictures[0] - pictures[1]).max() == 0


views = [[float(number) for number in view.split(",")] for view in sys.argv[1:]]
same(*views[0])
window = QMainWindow()
window.setCentralWidget(canvas)
window.show()
same(*views[0])
assert canvas.window() is window
same(*views[1])
print("as stock")
sys.stdout.flush()
import os
os._exit(0)
"""


def test_a_canvas_in_another_window_is_as_stock_s(tmp_path: Path) -> None:
    views = []
    for zoom, center in ((0.8113, (300, 300)), (2.31, (120, 640))):
        y, x = off_tie_center(center, zoom, (200, 300))
        views.append(f"{zoom},{y},{x}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MOVED, *views],
        env={**os.environ, "NAPARI_CONFIG": str(tmp_path / "s.yaml")},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stdout.endswith("as stock\n"), done.stderr[-2000:]
