"""A long walk over huge images: `python -m benchmarks.soak_2d [moves] [seed]` (20,000, 0).

Invariants: a walk is the same for the same seed. It fails on a GL error, on an exception
anywhere in the process, when a memory exceeds its budget, and when something cannot settle.

Random camera moves over images of 2^27 pixels a side, of random types and looks, in one or two
viewers, while layers and viewers come and go. Prints a line for each fortieth of the way; whether
memory is flat is told by the last lines, and by the count of objects that are alive.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
import psutil
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication
from vispy.gloo import gl

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.loading.loader import default_loader
from napari_octree.rendering.gpu.vram import VRAM

SIDE = 2**27
MEBIBYTE = 2**20
CONFIG = OctreeConfig(
    memory={"vram_bytes": 256 * MEBIBYTE, "ram_bytes": 256 * MEBIBYTE},
    loader_defaults={"num_workers": 2},
)
TYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float16", "float32", "float64", "rgb uint8", "rgb float32", "rgba uint16"]
MOST_LAYERS, MOST_VIEWERS = 2, 2


class Level:
    """A level without storage: each pixel follows from its place."""

    def __init__(self, level: int, name: str) -> None:
        colours, _, dtype = name.rpartition(" ")
        self.colours = len(colours)
        side = SIDE >> level
        self.shape: tuple[int, ...] = (side, side)
        self.chunks: tuple[int, ...] = (256, 256)
        if colours:
            self.shape += (self.colours,)
            self.chunks += (self.colours,)
        self.dtype = np.dtype(dtype)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape, dtype=object))

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        rows, columns = (
            np.arange(*s.indices(n)) for s, n in zip(index[:2], self.shape[:2], strict=True)
        )
        pixels = (rows[:, None] * 31 + columns * 17) % 127
        if self.colours:
            pixels = np.stack([pixels] * self.colours, axis=-1)[..., index[2]]
        if self.dtype == bool:
            return pixels > 60
        if self.colours and self.dtype.kind == "f":
            return (pixels / 127).astype(self.dtype)
        return pixels.astype(self.dtype)


@dataclass(frozen=True)
class Sample:
    """What was held after so many moves; `other_bytes` is RAM without chunks and textures.

    (A renderer on the CPU keeps its textures in RAM too.)
    """

    moves: int
    ram_bytes: int
    chunk_bytes: int
    texture_bytes: int
    objects: int
    uploads: int
    over_budget: int

    @property
    def other_bytes(self) -> int:
        """Bytes in RAM that no budget bounds."""
        return self.ram_bytes - self.chunk_bytes - self.texture_bytes


class Walk:
    """Viewers, and what happens to them.

    Parameters
    ----------
    seed : int
    make_viewer : callable
    """

    def __init__(self, seed: int = 0, make_viewer: Any = None) -> None:
        self._rng = np.random.default_rng(seed)
        self._make_viewer = make_viewer or small_viewer
        self._viewers: list[Any] = [self._make_viewer()]
        self._process = psutil.Process()
        self.moves = self.uploads = self.over_budget = 0
        self.seen: set[str] = set()
        self._add_layer(self._viewers[0])

    def move(self) -> None:
        """Let one thing happen, and look that all is well."""
        rng = self._rng
        viewer = self._viewers[rng.integers(len(self._viewers))]
        chance = rng.random()
        if chance < 0.003:
            viewer = self._change_viewers()
        elif chance < 0.013:
            self._change_layers(viewer)
        elif chance < 0.06:
            self._change_looks(viewer)
        elif chance < 0.065:
            viewer.dims.ndisplay = 3
            QApplication.processEvents()
            viewer.dims.ndisplay = 2
        else:
            self._move_camera(viewer)
        for _ in range(2):
            QApplication.processEvents()
        if chance > 0.97:
            self._rest(viewer)
        self._check(viewer)
        self.moves += 1

    def sample(self) -> Sample:
        """What is held now."""
        gc.collect()
        loader = default_loader(CONFIG).statistics
        views = [v for w in self._viewers for layer in w.layers for v in layer.statistics.views]
        return Sample(
            self.moves,
            self._process.memory_info().rss,
            loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes,
            VRAM.held_bytes,
            len(gc.get_objects()),
            self.uploads + sum(view.uploads for view in views),
            self.over_budget + sum(view.over_budget for view in views),
        )

    def close(self) -> None:
        """Close all viewers."""
        while self._viewers:
            self._close_viewer(self._viewers[0])

    def _check(self, viewer: Any) -> None:
        viewer.window._qt_viewer.canvas._scene_canvas.set_current()
        if error := gl.glGetError():
            raise AssertionError(f"GL error {error}")
        if not VRAM.held_bytes <= CONFIG.memory.vram_bytes:
            raise AssertionError(f"{VRAM.held_bytes} bytes of textures")
        loader = default_loader(CONFIG).statistics
        held = loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes
        if not held <= CONFIG.memory.ram_bytes:
            raise AssertionError(f"{held} bytes of chunks")

    def _rest(self, viewer: Any) -> None:
        for layer in viewer.layers:
            if not layer.wait_until_settled(60):
                raise AssertionError(f"{layer.name} does not settle: {layer.progress}")

    def _move_camera(self, viewer: Any) -> None:
        rng, camera = self._rng, viewer.scene.camera
        if rng.random() < 0.15:
            camera.center = (0, *rng.uniform(0, SIDE, 2))
            camera.zoom = float(np.exp2(rng.uniform(-18, 3)))
        else:
            step = rng.normal(0, 100, 2) / camera.zoom
            camera.center = (0, *np.clip(np.array(camera.center[-2:]) + step, 0, SIDE))
            camera.zoom *= float(np.exp2(rng.normal(0, 0.3)))

    def _change_looks(self, viewer: Any) -> None:
        rng = self._rng
        layer = viewer.layers[rng.integers(len(viewer.layers))]
        looks: dict[str, list[Any]] = {
            "interpolation2d": ["nearest", "linear", "lanczos"],
            "blending": ["additive", "translucent", "minimum"],
            "colormap": ["gray", "viridis"],
            "gamma": [0.5, 1.0],
            "opacity": [0.5, 1.0],
            "visible": [False, True],
        }
        if not layer.rgb:
            looks["contrast_limits"] = [(0, 60), (0, 127)]
        name = str(rng.choice(list(looks)))
        setattr(layer, name, looks[name][rng.integers(len(looks[name]))])
        option = str(rng.choice(["show_grid", "tint_levels"]))
        setattr(layer.display, option, bool(rng.integers(2)))

    def _change_layers(self, viewer: Any) -> None:
        if len(viewer.layers) == MOST_LAYERS or (
            len(viewer.layers) > 1 and self._rng.random() < 0.5
        ):
            self._remove_layer(viewer)
        else:
            self._add_layer(viewer)

    def _add_layer(self, viewer: Any) -> None:
        name = str(self._rng.choice(TYPES))
        self.seen.add(name)
        colours = name.startswith("rgb")
        levels = [Level(level, name) for level in range(18)]
        limits = None if colours or name == "bool" else (0, 127)
        viewer.add_layer(
            OctreeImage(levels, config=CONFIG, contrast_limits=limits, name=name, rgb=colours)
        )

    def _remove_layer(self, viewer: Any) -> None:
        layer = viewer.layers[self._rng.integers(len(viewer.layers))]
        for view in layer.statistics.views:
            self.uploads += view.uploads
            self.over_budget += view.over_budget
        viewer.layers.remove(layer)

    def _change_viewers(self) -> Any:
        if len(self._viewers) == MOST_VIEWERS:
            self._close_viewer(self._viewers[self._rng.integers(MOST_VIEWERS)])
        else:
            self._viewers.append(self._make_viewer())
            self._add_layer(self._viewers[-1])
        return self._viewers[-1]

    def _close_viewer(self, viewer: Any) -> None:
        while viewer.layers:
            self._remove_layer(viewer)
        self._viewers.remove(viewer)
        viewer.close()


def small_viewer() -> Any:
    """A viewer with a canvas of 400 × 300."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_viewer.canvas.native.setFixedSize(400, 300)
    return viewer


@contextmanager
def faults() -> Iterator[list[str]]:
    """Everything that goes wrong in the process meanwhile."""
    found: list[str] = []

    class Log(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    log = Log(logging.ERROR)
    logging.getLogger("vispy").addHandler(log)
    hooks = threading.excepthook, sys.excepthook, sys.unraisablehook
    threading.excepthook = lambda args: found.append(repr(args.exc_value))
    sys.unraisablehook = lambda args: found.append(repr(args.exc_value))
    sys.excepthook = lambda kind, error, trace: found.append(repr(error))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*drawing has stopped.*")
            yield found
    finally:
        logging.getLogger("vispy").removeHandler(log)
        threading.excepthook, sys.excepthook, sys.unraisablehook = hooks
        found += [str(n) for n in notification_manager.records if n.severity.value == "error"]


def main(moves: int = 20_000, seed: int = 0) -> None:
    """Walk, and print a line for each fortieth of the way."""
    samples: list[Sample] = []
    start = time.perf_counter()
    with faults() as found:
        walk = Walk(seed)
        while walk.moves < moves:
            walk.move()
            if found:
                raise AssertionError(found)
            if walk.moves % max(moves // 40, 1) == 0:
                samples.append(walk.sample())
                _print(samples[-1], time.perf_counter() - start)
        walk.close()
    if found:
        raise AssertionError(found)
    _print(walk.sample(), time.perf_counter() - start)
    if sys.platform == "linux":  # what the allocator kept for itself is no leak
        ctypes.CDLL(None).malloc_trim(0)
        _print(walk.sample(), time.perf_counter() - start)
    print(f"{len(walk.seen)} types; no GL error, no exception")
    second = samples[len(samples) // 2 :]
    slope = np.polyfit([s.moves for s in second], [s.other_bytes for s in second], 1)[0]
    objects = np.polyfit([s.moves for s in second], [s.objects for s in second], 1)[0]
    print(
        f"second half: {slope * 1000 / 1024:+.0f} KiB and {objects * 1000:+.0f} objects "
        "per 1000 moves"
    )


def _print(sample: Sample, seconds: float) -> None:
    print(
        f"{sample.moves:6} moves, {seconds:5.0f} s: {sample.ram_bytes / MEBIBYTE:.0f} MiB in RAM "
        f"({sample.chunk_bytes / MEBIBYTE:.0f} chunks, {sample.texture_bytes / MEBIBYTE:.0f} "
        f"textures, {sample.other_bytes / MEBIBYTE:.0f} else), {sample.objects} objects, "
        f"{sample.uploads} uploads, {sample.over_budget} frames over budget",
        flush=True,
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
