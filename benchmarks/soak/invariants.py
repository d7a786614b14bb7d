"""What must hold after every move, and what was wrong anywhere in the process meanwhile.

Invariants checked: no GL error; chunks in RAM and textures within their bounds; what has settled
shows the right pixel; nothing is raised, in no thread; no error is told that no fault explains.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from benchmarks.soak.arrays import value
from napari.utils.notifications import notification_manager
from vispy.gloo import gl

from napari_octree import OctreeConfig
from napari_octree.loading.loader import default_loader
from napari_octree.rendering.gpu.vram import VRAM

MEBIBYTE = 2**20
CONFIG = OctreeConfig(
    memory={"vram_bytes": 256 * MEBIBYTE, "ram_bytes": 256 * MEBIBYTE},
    loader_defaults={"num_workers": 2},
)
EDGE = 0.15
"""Of a pixel: nearer to its edge than this it may be either of two."""


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
    threads: int
    files: int

    @property
    def other_bytes(self) -> int:
        """Bytes in RAM that no budget bounds."""
        return self.ram_bytes - self.chunk_bytes - self.texture_bytes


def sample(moves: int) -> Sample:
    """What is held now."""
    gc.collect()
    loader = default_loader(CONFIG).statistics
    process = psutil.Process()
    return Sample(
        moves,
        process.memory_info().rss,
        loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes,
        VRAM.held_bytes,
        len(gc.get_objects()),
        threading.active_count(),
        len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else process.num_fds(),
    )


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
    loader = default_loader(CONFIG).statistics
    held = loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes
    if not held <= CONFIG.memory.ram_bytes:
        raise AssertionError(f"{held} bytes of chunks")


def check_pixel(viewer: Any) -> bool:
    """Compare the middle of a settled picture with the pixel that belongs there.

    Returns
    -------
    bool
        Whether it could be compared: one visible grey image in 2-D, seen through a plain look.

    Raises
    ------
    AssertionError
        It is another.
    """
    seen = [layer for layer in viewer.layers if layer.visible]
    if len(seen) != 1 or viewer.dims.ndisplay != 2:
        return False
    (layer,) = seen
    axes = layer.metadata.get("axes")
    if axes is None or not _is_plain(layer) or not layer.settled or layer.progress.failed:
        return False
    picture = viewer.screenshot(canvas_only=True, flash=False, size=None)
    rows, columns = picture.shape[:2]
    canvas = viewer.window._qt_viewer.canvas
    place = canvas._map_canvas2world((columns // 2 + 0.5, rows // 2 + 0.5), canvas.view)
    world = list(viewer.dims.point)
    world[-2:] = place[-2:]
    level = layer.data_level
    index = np.asarray(layer.world_to_data(world))
    # Level pixel j covers the pixels j·2^level … of level 0, whose centres are whole numbers.
    stride = np.array([1 if axis == "t" else 2**level for axis in axes])
    at = (index + 0.5) / stride
    shape = np.asarray(layer.data[level].shape)
    if (at[-2:] < 0).any() or (at[-2:] >= shape[-2:]).any():
        return False
    inside = np.abs(at[-2:] - np.floor(at[-2:]) - 0.5)
    if (inside > 0.5 - EDGE).any():
        return False
    expected = 255 * value(np.floor(at) * stride, axes) / 127
    found = picture[rows // 2, columns // 2, :3].astype(float)
    if np.abs(found - expected).max() > 3:
        raise AssertionError(
            f"{layer.name}: {found} where {expected:.0f} should be, at {at} of level {level}"
        )
    return True


def _is_plain(layer: Any) -> bool:
    return (
        not getattr(layer, "rgb", True)
        and layer.dtype != bool
        and layer.colormap.name == "gray"
        and tuple(layer.contrast_limits) == (0, 127)
        and layer.gamma == 1
        and layer.opacity == 1
        and layer.blending == "translucent"
        and layer.interpolation2d == "nearest"
        and not layer.display.show_grid
        and not layer.display.tint_levels
    )


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
