"""A random flight through the Mandelbulb, and whether the GPU memory held stays within bounds.

``python -m benchmarks.volume_flight [SECONDS]``, on a display. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeConfig
from napari_octree.plugin.samples import mandelbulb_layer
from napari_octree.rendering.vram import VRAM

LIMIT = 64 * 2**20
SIDE = 2**20


def fly(seconds: float) -> dict[str, float]:
    """Turn, zoom and move at random; note the most memory held, the longest turn of the loop."""
    viewer = napari.Viewer(ndisplay=3, show=True)
    viewer.window._qt_viewer.canvas.native.setFixedSize(200, 200)
    layer = mandelbulb_layer(OctreeConfig(memory={"vram_bytes": LIMIT}))
    layer.rendering = "attenuated_mip"
    viewer.add_layer(layer)
    rng = np.random.default_rng(0)
    camera = viewer.scene.camera
    end = time.monotonic() + seconds
    most_held, most_resident, longest, moves = 0, 0.0, 0.0, 0
    while time.monotonic() < end:
        camera.angles = tuple(rng.uniform(-180, 180, 3))
        camera.zoom = float(2.0 ** rng.uniform(-12, 1))
        camera.center = tuple(SIDE * rng.uniform(0.2, 0.8, 3))
        rest = time.monotonic() + float(rng.choice([0.05, 0.3, 1.5]))
        while time.monotonic() < rest:
            start = time.perf_counter()
            QApplication.processEvents()
            longest = max(longest, time.perf_counter() - start)
            (view,) = layer.statistics.views
            most_held = max(most_held, VRAM.held_bytes)
            most_resident = max(most_resident, view.resident / view.slots)
        moves += 1
    (view,) = layer.statistics.views
    result = {
        "moves": moves,
        "frames": view.frames,
        "uploads": view.uploads,
        "limit_bytes": LIMIT,
        "most_held_bytes": most_held,
        "fullest": round(most_resident, 3),
        "longest_turn_s": round(longest, 2),
        "longest_upload_ms": round(view.longest_upload_ms, 1),
        "frames_over_upload_budget": view.over_budget,
    }
    viewer.close()
    return result


if __name__ == "__main__":
    print(json.dumps(fly(float(sys.argv[1]) if len(sys.argv) > 1 else 300.0)))
