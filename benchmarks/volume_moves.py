"""Gaps between frames while a volume is turned to, orbited and zoomed, next to stock napari's.

``python -m benchmarks.volume_moves [ROUNDS]``, on a display. A pyramid on disk; stock shows its
coarsest level only. The two take turns; the medians of the longest gaps are compared.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import zarr
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeImage

SIDE, LEVELS = 512, 4
STEPS = 24
PAUSE_S = 0.04
"""Between two moves of the mouse."""


def pyramid(folder: Path) -> list[Any]:
    """Blobs, each level a half of the one before, in chunks of 64 voxels a side."""
    levels = []
    for level in range(LEVELS):
        n = SIDE >> level
        axis = (np.arange(n, dtype=np.float32) + 0.5) / n
        waves = np.sin(23 * axis)[:, None, None] * np.sin(17 * axis)[:, None] * np.sin(29 * axis)
        data = (np.clip(waves, 0, 1) * 60000).astype(np.uint16)
        path = folder / str(level)
        store = zarr.open_array(path, mode="w", shape=data.shape, chunks=(64,) * 3, dtype="u2")
        store[:] = data
        levels.append(zarr.open_array(path, mode="r"))
    return levels


class Gaps:
    """How long the window did not answer."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.last = time.perf_counter()

    def pump(self, seconds: float) -> None:
        """Run the event loop, and note its longest turn."""
        end = time.perf_counter() + seconds
        while True:
            QApplication.processEvents()
            now = time.perf_counter()
            self.longest = max(self.longest, now - self.last)
            self.last = now
            if now >= end:
                return
            time.sleep(0.001)


def session(make: Callable[[], Image]) -> Iterator[tuple[str, float]]:
    """One viewer: what is done, and its longest gap in milliseconds."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_viewer.canvas.native.setFixedSize(650, 550)
    layer = viewer.add_layer(make())
    viewer.dims.set_point(0, SIDE / 2)
    Gaps().pump(2.0)
    camera = viewer.scene.camera

    def turn_to_3d(gaps: Gaps) -> None:
        viewer.dims.ndisplay = 3
        gaps.pump(2.0)

    def orbit(gaps: Gaps) -> None:
        for step in range(STEPS):
            camera.angles = (5.0, 3.0 * step, 40.0)
            gaps.pump(PAUSE_S)

    def zoom(gaps: Gaps) -> None:
        for _ in range(STEPS):
            camera.zoom *= 1.1
            gaps.pump(PAUSE_S)

    for act in (turn_to_3d, orbit, zoom):
        gaps = Gaps()
        act(gaps)
        yield act.__name__, gaps.longest * 1e3
        Gaps().pump(1.5)
    if isinstance(layer, OctreeImage):
        (view,) = layer.statistics.views
        yield "uploads over budget", 100 * view.over_budget / max(view.uploads, 1)
        yield "longest upload", view.longest_upload_ms
    viewer.close()


def main(rounds: int = 3) -> None:
    """Compare."""
    look = {"contrast_limits": (0, 60000)}
    with tempfile.TemporaryDirectory() as folder:
        levels = pyramid(Path(folder))
        kinds: dict[str, Callable[[], Image]] = {
            "stock": lambda: Image(levels, multiscale=True, **look),
            "ours": lambda: OctreeImage(levels, **look),
        }
        found: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
        for _ in range(rounds):
            for kind, make in kinds.items():
                for what, value in session(make):
                    found[kind].setdefault(what, []).append(value)
    medians = {
        kind: {what: round(statistics.median(values), 1) for what, values in each.items()}
        for kind, each in found.items()
    }
    print(json.dumps(medians))
    for what, stock in medians["stock"].items():
        print(f"{what}, ours : stock = {medians['ours'][what] / stock:.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
