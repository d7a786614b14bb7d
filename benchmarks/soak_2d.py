"""A long walk over a huge image: `python -m benchmarks.soak_2d [moves]` (20,000 by default).

Random camera moves over images of 2^27 pixels a side, of random types, while layers and viewers
come and go. Prints memory as it goes, and fails on a GL error, on an exception in the draw path or
when the GPU's memory exceeds its budget.
"""

from __future__ import annotations

import gc
import sys
import warnings
from typing import Any

import napari
import numpy as np
import psutil
from qtpy.QtWidgets import QApplication
from vispy.gloo import gl

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.vram import VRAM

SIDE = 2**27
MEBIBYTE = 2**20
CONFIG = OctreeConfig(
    memory={"vram_bytes": 128 * MEBIBYTE, "ram_bytes": 256 * MEBIBYTE},
    loader_defaults={"num_workers": 2},
)
TYPES = ["uint8", "int16", "uint16", "int32", "float32", "float64"]


class Level:
    """A level without storage: each pixel follows from its place."""

    def __init__(self, level: int, dtype: str) -> None:
        self.shape = (SIDE >> level, SIDE >> level)
        self.dtype = np.dtype(dtype)
        self.ndim = 2
        self.size = self.shape[0] * self.shape[1]
        self.chunks = (256, 256)

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
        rows, columns = (np.arange(*s.indices(n)) for s, n in zip(index, self.shape, strict=True))
        return ((rows[:, None] * 31 + columns * 17) % 127).astype(self.dtype)


def image(rng: np.random.Generator) -> OctreeImage:
    """An image of a random type."""
    dtype = str(rng.choice(TYPES))
    levels = [Level(level, dtype) for level in range(18)]
    return OctreeImage(levels, config=CONFIG, contrast_limits=(0, 127), name=dtype)


def main(moves: int = 20_000) -> None:
    """Walk, and print a line for each twentieth of the way."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", message=".*drawing has stopped.*")
    rng = np.random.default_rng(0)
    process = psutil.Process()
    viewer: Any = None
    for move in range(moves):
        if move % 1000 == 0:
            if viewer is not None:
                viewer.close()
            viewer = napari.Viewer(show=True)
            viewer.window._qt_viewer.canvas.native.setFixedSize(400, 300)
        if move % 250 == 0:
            viewer.layers.clear()
            viewer.add_layer(image(rng))
            gc.collect()
        camera = viewer.scene.camera
        if rng.random() < 0.2:
            camera.center = (0, *rng.uniform(0, SIDE, 2))
            camera.zoom = float(np.exp2(rng.uniform(-18, 2)))
        else:
            step = rng.normal(0, 100, 2) / camera.zoom
            camera.center = (0, *(np.array(camera.center[-2:]) + step))
            camera.zoom *= float(np.exp2(rng.normal(0, 0.3)))
        for _ in range(2):
            QApplication.processEvents()
        if not VRAM.held_bytes <= CONFIG.memory.vram_bytes:
            raise AssertionError(f"{VRAM.held_bytes} bytes of textures")
        if (move + 1) % max(moves // 20, 1) == 0:
            if error := gl.glGetError():
                raise AssertionError(f"GL error {error}")
            view = viewer.layers[0].statistics.views[0]
            print(
                f"{move + 1} moves: {process.memory_info().rss // MEBIBYTE} MiB in RAM, "
                f"{VRAM.held_bytes // MEBIBYTE} MiB of textures, {view.uploads} uploads, "
                f"{view.over_budget} frames over budget",
                flush=True,
            )
    assert viewer.layers[0].wait_until_settled(60)
    viewer.close()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
