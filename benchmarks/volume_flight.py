"""A random flight through the Mandelbulb, and whether memory and window stay within bounds.

``python -m benchmarks.volume_flight [SECONDS]``, on a display. Flies the same way twice: where
bricks are computed (tens of milliseconds each), and where they are cut from an array in RAM that
looks alike from afar. What the longest turn of the event loop takes beyond the second way's is the
price of loading. Prints a line of JSON for each.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.plugin.samples import MANDELBULB_SURFACE
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.mandelbulb import LEVELS, mandelbulb

LIMIT = 64 * 2**20
SIDE = 2**20
IN_RAM = LEVELS - 3
"""The level that stands in for all finer ones: 256 voxels a side."""


def from_ram() -> list[Any]:
    """Arrays of the Mandelbulb's shapes, cut from RAM."""
    levels = mandelbulb()
    held = {level: np.asarray(levels[level]) for level in range(IN_RAM, LEVELS)}

    def cut(level: int, voxels: tuple[range, ...]) -> np.ndarray:
        array, finer = held[max(level, IN_RAM)], max(IN_RAM - level, 0)
        return array[np.ix_(*(np.asarray(axis) >> finer for axis in voxels))]

    return [
        GeneratedArray(f"from RAM, level {n}", level.shape, level.dtype, (), partial(cut, n))
        for n, level in enumerate(levels)
    ]


def fly(levels: list[Any], seconds: float) -> dict[str, float]:
    """Turn, zoom and move at random; note the most memory held, the longest turn of the loop."""
    viewer = napari.Viewer(ndisplay=3, show=True)
    viewer.window._qt_viewer.canvas.native.setFixedSize(200, 200)
    layer = OctreeImage(
        levels,
        OctreeConfig(memory={"vram_bytes": LIMIT}),
        contrast_limits=(0, 255),
        rendering="attenuated_mip",
        iso_threshold=MANDELBULB_SURFACE,
    )
    viewer.add_layer(layer)
    layer.wait_until_settled(60)
    rng = np.random.default_rng(0)
    camera = viewer.scene.camera
    end = time.monotonic() + seconds
    most_held, most_resident, moves = 0, 0.0, 0
    turns: list[float] = []
    while time.monotonic() < end:
        camera.angles = tuple(rng.uniform(-180, 180, 3))
        camera.zoom = float(2.0 ** rng.uniform(-12, 1))
        camera.center = tuple(SIDE * rng.uniform(0.2, 0.8, 3))
        rest = time.monotonic() + float(rng.choice([0.05, 0.3, 1.5]))
        while time.monotonic() < rest:
            start = time.perf_counter()
            QApplication.processEvents()
            turns.append(time.perf_counter() - start)
            (view,) = layer.statistics.views
            most_held = max(most_held, VRAM.held_bytes)
            most_resident = max(most_resident, view.resident / view.slots)
        moves += 1
    (view,) = layer.statistics.views
    drawing = np.sort([turn for turn in turns if turn > 1e-3])
    result = {
        "moves": moves,
        "frames": view.frames,
        "uploads": view.uploads,
        "limit_bytes": LIMIT,
        "most_held_bytes": most_held,
        "fullest": round(most_resident, 3),
        "longest_turn_ms": round(1e3 * drawing[-1]),
        "turns_99_percent_ms": round(1e3 * drawing[int(0.99 * len(drawing))]),
        "mean_upload_ms": round(view.upload_ms / max(view.uploads, 1), 2),
        "longest_upload_ms": round(view.longest_upload_ms, 1),
        "frames_over_upload_budget": view.over_budget,
    }
    viewer.close()
    return result


def main(seconds: float = 300.0) -> None:
    """Fly both ways, and compare."""
    found = {}
    for name, levels in (("computed", mandelbulb), ("from RAM", from_ram)):
        found[name] = fly(levels(), seconds)
        print(json.dumps({name: found[name]}), flush=True)
    for turn in ("longest_turn_ms", "turns_99_percent_ms"):
        ratio = found["computed"][turn] / found["from RAM"][turn]
        print(f"{turn}, computed : from RAM = {ratio:.2f}")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
