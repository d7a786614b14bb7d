"""What must hold after every move, and what was wrong anywhere in the process meanwhile.

Invariants checked: no GL error; chunks in RAM and textures within their bounds; no pixel is read
in the main thread; what has settled shows the right pixels and is not drawn again; nothing is
raised, in no thread; no error is told that no fault explains.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from benchmarks.soak.arrays import READ_IN_MAIN_THREAD, value
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication
from vispy.gloo import gl

from napari_octree import OctreeConfig, OctreeLabels
from napari_octree.loading.loader import default_loader
from napari_octree.rendering.gpu.vram import VRAM

MEBIBYTE = 2**20
CONFIG = OctreeConfig(
    memory={"vram_bytes": 256 * MEBIBYTE, "ram_bytes": 256 * MEBIBYTE},
    loader_defaults={"num_workers": 2},
)
BUSY_S = 60
EDGE = 0.15
"""Of a pixel: nearer to its edge than this it may be either of two."""


def check(viewer: Any) -> None:
    """Check what must hold at any moment.

    Raises
    ------
    AssertionError
    """
    viewer.window._qt_viewer.canvas._scene_canvas.set_current()
    if error := gl.glGetError():
        raise AssertionError(f"GL error {error}")
    if not VRAM.held_bytes <= CONFIG.memory.vram_bytes:
        raise AssertionError(f"{VRAM.held_bytes} bytes of textures")
    if READ_IN_MAIN_THREAD:
        raise AssertionError(READ_IN_MAIN_THREAD)
    loader = default_loader(CONFIG).statistics
    held = loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes
    if not held <= CONFIG.memory.ram_bytes:
        raise AssertionError(f"{held} bytes of chunks")


def check_pixels(viewer: Any, rng: np.random.Generator, count: int = 40) -> int:
    """Compare places of a settled picture with the pixels that belong there.

    Returns
    -------
    int
        How many could be compared: of one visible image or labels in 2-D, of a plain look.

    Raises
    ------
    AssertionError
        One is another.
    """
    seen = [layer for layer in viewer.layers if layer.visible]
    if len(seen) != 1 or viewer.dims.ndisplay != 2:
        return 0
    (layer,) = seen
    axes = layer.metadata.get("axes")
    if axes is None or not _is_plain(layer) or not layer.settled or layer.progress.failed:
        return 0
    picture = viewer.screenshot(canvas_only=True, flash=False, size=None)
    rows, columns = picture.shape[:2]
    camera, middle = viewer.scene.camera, np.array([rows, columns]) / 2
    level = layer.data_level
    # Level pixel j covers the pixels j·2^level … of level 0, whose centres are whole numbers.
    stride = np.array([1 if axis == "t" else 2**level for axis in axes])
    shape = np.asarray(layer.level_shapes[level])[: len(axes)]
    offset = viewer.dims.ndim - len(axes)
    compared = 0
    for row, column in [
        (rows // 2, columns // 2),
        *rng.integers((rows, columns), size=(count, 2)),
    ]:
        apart = (np.array([row, column]) + 0.5 - middle) / camera.zoom
        world = list(viewer.dims.point)
        world[-2:] = np.asarray(camera.center[-2:]) + apart
        index = np.asarray(layer.world_to_data(world[offset:]))
        at = (index + 0.5) / stride
        inside = np.abs(at[-2:] - np.floor(at[-2:]) - 0.5)
        if (at < 0).any() or (at >= shape).any() or (inside > 0.5 - EDGE).any():
            continue
        number = value(np.floor(at) * stride, axes)
        if isinstance(layer, OctreeLabels):
            colour = layer.colormap.map(np.array([number], layer.dtype))[0]
            expected = 255 * colour[:3] * colour[3]
        else:
            expected = np.full(3, 255 * number / 127)
        found = picture[row, column, :3].astype(float)
        if np.abs(found - expected).max() > 3:
            raise AssertionError(
                f"{layer.name}: {found} where {expected} should be, at {at} of level {level}, "
                f"{row, column} of the canvas"
            )
        compared += 1
    return compared


def _is_plain(layer: Any) -> bool:
    if not hasattr(layer, "display") or layer.opacity != 1 or layer.blending != "translucent":
        return False
    if layer.display.show_grid or layer.display.tint_levels:
        return False
    if isinstance(layer, OctreeLabels):
        return bool(layer.contour == 0)
    return (
        not getattr(layer, "rgb", True)
        and layer.dtype != bool
        and layer.colormap.name == "gray"
        and tuple(layer.contrast_limits) == (0, 127)
        and layer.gamma == 1
        and layer.interpolation2d == "nearest"
    )


def check_quiet(viewers: Sequence[Any], seconds: float = 0.25) -> None:
    """Where all has settled: once nothing is read ahead any more, nothing is drawn.

    Raises
    ------
    AssertionError
    """
    loader = default_loader(CONFIG)

    def busy() -> bool:
        counted = loader.statistics
        return bool(counted.pending or counted.reading or counted.assembling) or any(
            getattr(view, "_rest", None) is not None and view._rest.running
            for viewer in viewers
            for layer in viewer.layers
            for view in getattr(layer, "_views", ())
        )

    def frames() -> list[int]:
        return [
            view.frames
            for viewer in viewers
            for layer in viewer.layers
            if hasattr(layer, "statistics")
            for view in layer.statistics.views
        ]

    def wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    end = time.monotonic() + BUSY_S
    quiet = turns = 0
    while quiet < 20:  # what was read ahead may make the edges of a tile better
        turns += 1
        if time.monotonic() > end and turns > 1000:
            counted = loader.statistics
            raise AssertionError(
                f"settled, but busy for a minute: {counted.pending} pending, "
                f"{counted.reading} read, {counted.assembling} assembled, frames {frames()}"
            )
        wait(0.01)
        quiet = 0 if busy() else quiet + 1
    before = frames()
    wait(seconds)
    if frames() != before:
        raise AssertionError(f"settled, but drawn: {before}, {frames()}")


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
    already = len(notification_manager.records)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*drawing has stopped.*")
            yield found
    finally:
        logging.getLogger("vispy").removeHandler(log)
        threading.excepthook, sys.excepthook, sys.unraisablehook = hooks
        found += [
            str(told)
            for told in notification_manager.records[already:]
            if told.severity.value == "error" and "could not be read" not in str(told)
        ]
