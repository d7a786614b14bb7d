"""What users feel on everyday data, next to stock napari: `python -m benchmarks.small [ROUNDS]`.

Ratios of medians, stock and ours in turns in one window: a small image is added, a slider makes a
step, an array is refreshed, the camera jumps over a pyramid on disk, twenty layers are added and
drawn. Then, each in a process of its own and in turns: the first layer of a session, with what the
garbage collector does meanwhile and in a zoom. Each is timed from what the user does to the first
frame that shows it; "CPU" is the processor time of the GUI thread, which other programs on the
machine disturb less.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

CANVAS = (800, 600)
KINDS = ("stock", "ours")
LIMITS = {"contrast_limits": (0, 255)}

Figures = dict[str, float]


class Collections:
    """What the garbage collector does: how often in each generation, and its longest stop."""

    def __init__(self) -> None:
        self.counts, self.longest_ms, self._start = [0, 0, 0], 0.0, 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._start = time.perf_counter()
            return
        self.counts[info["generation"]] += 1
        self.longest_ms = max(self.longest_ms, (time.perf_counter() - self._start) * 1e3)

    def stop(self, name: str) -> Figures:
        """End it; returns what was seen."""
        gc.callbacks.remove(self._note)
        counts = {f"{name}: collections {n}": float(count) for n, count in enumerate(self.counts)}
        return {**counts, f"{name}: longest collection ms": self.longest_ms}


class Scene:
    """A window without docks, of which every frame is looked at in one pixel."""

    def __init__(self) -> None:
        import napari
        from napari.layers import Image
        from qtpy.QtWidgets import QApplication
        from vispy import gloo

        from napari_octree import OctreeImage

        self.make: dict[str, Callable[..., Any]] = {"stock": Image, "ours": OctreeImage}
        self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        window = self.viewer.window._qt_viewer
        window.dockLayerControls.setVisible(False)
        window.dockLayerList.setVisible(False)
        window.canvas.native.setFixedSize(*CANVAS)
        self.app = QApplication.instance()
        self.seen: list[int] = []
        canvas = window.canvas._scene_canvas
        middle = (CANVAS[0] // 2, CANVAS[1] // 2, 1, 1)
        canvas.events.draw.connect(
            lambda event: self.seen.append(int(gloo.read_pixels(middle)[0, 0, 0])),
            position="last",
        )
        self.pump(0.5)

    def pump(self, seconds: float) -> float:
        """Run the event loop; returns its longest turn in milliseconds."""
        longest, last = 0.0, time.perf_counter()
        end = last + seconds
        while last < end:
            self.app.processEvents()
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        return longest * 1e3

    def timed(self, act: Callable[[], object], value: int, name: str) -> Figures:
        """Do something, and wait for the first frame whose middle is `value`."""
        self.seen.clear()
        start, cpu = time.perf_counter(), time.thread_time()
        act()
        while not self.seen or abs(self.seen[-1] - value) > 1:
            self.app.processEvents()
            if time.perf_counter() > start + 20:
                raise RuntimeError(f"{name}: {value} was never shown, but {self.seen[-5:]}")
        ms = (time.perf_counter() - start) * 1e3
        cpu_ms = (time.thread_time() - cpu) * 1e3
        return {
            f"{name}: ms": ms,
            f"{name}: CPU ms": cpu_ms,
            f"{name}: frames": len(self.seen),
        }

    def clear(self) -> None:
        """Remove all layers."""
        self.viewer.layers.clear()
        self.pump(0.2)


def small(scene: Scene, kind: str, turn: int) -> Iterable[Figures]:
    """Add an image of 512²; step through a stack; refresh it."""
    make, viewer, value = scene.make[kind], scene.viewer, 100 + turn
    data = np.full((512, 512), value, np.uint8)
    yield scene.timed(lambda: viewer.add_layer(make(data, **LIMITS)), value, "add 512²")
    scene.clear()
    planes = np.arange(64, dtype=np.uint8)[:, None, None] + 100
    stack = np.broadcast_to(planes, (64, 512, 512)).copy()
    layer = viewer.add_layer(make(stack, **LIMITS))
    scene.pump(0.5)
    for plane in range(turn, turn + 12):
        yield scene.timed(lambda z=plane: viewer.dims.set_point(0, z), 100 + plane, "slider step")
        scene.pump(0.05)
    for value in (20, 60):
        stack[:] = value
        yield scene.timed(layer.refresh, value, "refresh")
        scene.pump(0.05)
    scene.clear()


def jumps(scene: Scene, kind: str, levels: list[Any], turn: int) -> Iterable[Figures]:
    """Jump to where nothing has been seen, at full resolution."""
    keywords = {"multiscale": True} if kind == "stock" else {}
    scene.viewer.add_layer(scene.make[kind](levels, **keywords, **LIMITS))
    scene.pump(1.0)
    camera = scene.viewer.scene.camera
    camera.zoom = 1.0
    scene.pump(0.7)
    side, step = levels[0].shape[0], 1100
    for number in range(4):
        row, column = 600 + step * (number % 3), 600 + step * ((number + turn) % 5)
        row, column = row % side, column % side
        value = int(levels[0][row, column])

        def jump(row: int = row, column: int = column) -> None:
            camera.center = (0, row, column)

        yield scene.timed(jump, value, "jump on disk")
        scene.pump(0.5)
    scene.clear()


def twenty(scene: Scene, kind: str) -> Iterable[Figures]:
    """Add twenty layers, then move the camera."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 12, (512, 512), dtype=np.uint8) for _ in range(20)]
    start, cpu, longest = time.perf_counter(), time.thread_time(), 0.0
    for array in arrays:
        began = time.perf_counter()
        layer = scene.make[kind](array, blending="additive", **LIMITS)
        scene.viewer.add_layer(layer)
        scene.app.processEvents()
        longest = max(longest, time.perf_counter() - began)
    added = {
        "add twenty: ms": (time.perf_counter() - start) * 1e3,
        "add twenty: CPU ms": (time.thread_time() - cpu) * 1e3,
        "add twenty: longest gap ms": longest * 1e3,
    }
    scene.pump(1.0)
    scene.seen.clear()
    start, cpu = time.perf_counter(), time.thread_time()
    for step in range(20):
        scene.viewer.scene.camera.center = (0, 256 + step, 256)
        frames = len(scene.seen)
        while len(scene.seen) == frames:
            scene.app.processEvents()
    yield {
        **added,
        "frame of twenty: ms": (time.perf_counter() - start) * 1e3 / 20,
        "frame of twenty: CPU ms": (time.thread_time() - cpu) * 1e3 / 20,
    }
    scene.clear()


def first(kind: str) -> Figures:
    """The first layer of a session, in this process: longest gaps, and the collector's work."""
    scene = Scene()
    scene.pump(1.0)
    data = np.full((512, 512), 120, np.uint8)
    collections, cpu = Collections(), time.thread_time()
    start = time.perf_counter()
    scene.viewer.add_layer(scene.make[kind](data, **LIMITS))
    gap = (time.perf_counter() - start) * 1e3
    gap = max(gap, scene.pump(1.5))
    figures = {
        "first layer: longest gap ms": gap,
        "first layer: CPU ms": (time.thread_time() - cpu) * 1e3,
        **collections.stop("first layer"),
    }
    figures["first layer: objects"] = len(gc.get_objects()) + gc.get_freeze_count()
    collections = Collections()
    for _ in range(150):
        scene.viewer.scene.camera.zoom *= 1.01
        scene.pump(0.02)
    figures |= collections.stop("zoom")
    scene.viewer.close()
    return figures


def pyramid(folder: Path, side: int = 8192) -> list[Any]:
    """Patches of one value each, which no level mixes, on disk."""
    import zarr

    values = np.random.default_rng(0).integers(20, 255, (side // 512,) * 2).astype(np.uint8)
    levels = []
    for level in range(4):
        data = np.kron(values, np.ones((512 >> level,) * 2, np.uint8))
        path = folder / str(level)
        array = zarr.open_array(path, mode="w", shape=data.shape, chunks=(256, 256), dtype="u1")
        array[:] = data
        levels.append(zarr.open_array(path, mode="r"))
    return levels


def main(rounds: int = 5) -> None:
    """Print a table of medians and ratios."""
    found: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}

    def note(kind: str, figures: Figures) -> None:
        for name, value in figures.items():
            found[kind].setdefault(name, []).append(value)

    for _ in range(rounds):
        for kind in KINDS:
            command = [sys.executable, "-m", "benchmarks.small", "first", kind]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            note(kind, json.loads(said.splitlines()[-1]))
    scene = Scene()
    with tempfile.TemporaryDirectory() as folder:
        levels = pyramid(Path(folder))
        for turn in range(-1, rounds):  # what is imported and compiled in the first does not count
            for kind in KINDS:
                parts = (small(scene, kind, turn + 1), jumps(scene, kind, levels, turn + 1))
                for figures in (*parts[0], *parts[1], *twenty(scene, kind)):
                    if turn >= 0:
                        note(kind, figures)
    scene.viewer.close()
    print(f"load {os.getloadavg()[0]:.0f}, medians of {rounds} rounds")
    print("| figure | stock | ours | ours : stock |\n| --- | --- | --- | --- |")
    for name, values in found["stock"].items():
        stock, ours = statistics.median(values), statistics.median(found["ours"][name])
        ratio = f"{ours / stock:.2f}" if stock else "–"
        print(f"| {name} | {stock:.4g} | {ours:.4g} | {ratio} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["first"]:
        print(json.dumps(first(sys.argv[2])))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
