"""One scenario with one kind of layer; started by `benchmarks.sliders` in a process of its own.

Usage: python -m benchmarks.sliders.session LAYER SCENARIO RESULT.json
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.sliders.stacks import STEP, Stack, in_memory, pyramid

CANVAS_SHAPE = (600, 800)
STEP_MS = 40
LIMIT_S = 90.0
QUIET_S = 0.7
WHITE = 60_000


class Session:
    """A viewer with layers of one kind."""

    def __init__(self, kind: str) -> None:
        import napari
        from benchmarks.browse.probes import EventLoopProbe
        from qtpy.QtCore import QEventLoop, QTimer

        self._kind = kind
        self._event_loop, self._timer = QEventLoop, QTimer
        self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        window = self.viewer.window._qt_viewer
        window.dockLayerControls.setVisible(False)
        window.dockLayerList.setVisible(False)
        window.canvas.native.setFixedSize(*CANVAS_SHAPE[::-1])
        self._canvas = window.canvas._scene_canvas
        self._canvas.events.draw.connect(self._drawn, position="last")
        self._probe = EventLoopProbe()
        self.layers: list[Any] = []
        self.pictures: list[tuple[float, float]] = []
        """Of each frame: when, and which plane the middle of the canvas showed."""
        self.add([np.zeros((4, 64, 64), np.uint16)])  # what any first layer costs
        self.run([])
        self.viewer.layers.clear()
        self.layers.clear()

    def add(self, levels: list[Any], **keywords: Any) -> Any:
        """Add a layer."""
        keywords |= {"contrast_limits": (0, WHITE), "blending": "additive"}
        if self._kind == "ours":
            from napari_octree import OctreeImage

            layer = self.viewer.add_layer(OctreeImage(levels, **keywords))
        elif len(levels) > 1:
            layer = self.viewer.add_image(levels, multiscale=True, **keywords)
        else:
            layer = self.viewer.add_image(levels[0], multiscale=False, **keywords)
        self.layers.append(layer)
        return layer

    def go(self, plane: int) -> Callable[[], None]:
        """Make a step of the slider."""
        return lambda: self.viewer.dims.set_current_step(0, plane)

    def _drawn(self, event: Any) -> None:
        from vispy import gloo

        height, width = CANVAS_SHAPE
        pixels = gloo.read_pixels((width // 2 - 50, height // 2 - 50, 100, 100))[..., :3]
        value = pixels.astype(float).mean() / 255 * WHITE
        self.pictures.append((perf_counter(), (value - STEP / 4) / STEP))

    def run(self, steps: list[Callable[[], None]]) -> dict[str, Any]:
        """Take a step each 40 ms, then wait until the layers are done and nothing is drawn."""
        self.pictures.clear()
        taken, last, moving = 0, perf_counter(), 0
        done = False

        def turn() -> None:
            nonlocal taken, last, moving, done
            now = perf_counter()
            if taken < len(steps):
                last = now
                steps[taken]()
                taken += 1
                moving = len(self.pictures)
                return
            drawn = self.pictures[-1][0] if self.pictures else last
            done = self._is_done() and now - max(drawn, last) > QUIET_S
            if done or now - last > LIMIT_S:
                loop.quit()

        loop, timer = self._event_loop(), self._timer()
        timer.timeout.connect(turn)
        self._probe.start()
        timer.start(STEP_MS)
        loop.exec_()
        timer.stop()
        self._probe.stop()
        return {
            "longest_gap_ms": 1000 * self._probe.longest_gap,
            "frames": len(self.pictures),
            "moving_frames": moving,
            "last_step": last,
            "done": done,
        }

    def right_ms(self, figures: dict[str, Any], brightness: float) -> float | None:
        """Milliseconds from the last step to the first frame from which the plane was right."""
        since = None
        for when, plane in reversed(self.pictures):
            if abs(plane - brightness) > 0.5:
                break
            since = when
        return None if since is None else 1000 * (since - figures["last_step"])

    def _is_done(self) -> bool:
        if self._kind == "ours":
            return all(layer.settled for layer in self.layers)
        busy = self.viewer._layer_slicer._layers_to_task
        return not busy and all(layer.loaded for layer in self.layers)


def read(levels: list[Stack]) -> int:
    """Chunks read so far."""
    return sum(level.chunks_read for level in levels)


def scrub(session: Session, latency_s: float) -> dict[str, Any]:
    """25 steps in a second over a (100, 4096, 4096) pyramid, from plane 40 to 65."""
    levels = pyramid(100, 4096, 256, latency_s)
    session.add(levels)
    session.run([session.go(40)])
    before = read(levels)
    finally_seen = {level.shape: len(level.planes_read) for level in levels}
    figures = session.run([session.go(41 + i) for i in range(25)])
    figures["chunks"] = read(levels) - before
    figures["chunks_of_plane"] = sum(
        plane == 65 for level in levels for plane in level.planes_read[finally_seen[level.shape] :]
    )
    figures["right_ms"] = session.right_ms(figures, 65)
    return figures


def one_step(session: Session) -> dict[str, Any]:
    """One z step of a (32, 1024, 1024) pyramid with chunks of one plane (napari 9515)."""
    levels = [Stack((32, 1024 >> k, 1024 >> k), 512, 0.05) for k in range(3)]
    session.add(levels)
    session.run([])
    before = [level.chunks_read for level in levels]
    planes = [len(level.planes_read) for level in levels]
    figures = session.run([session.go(25)])
    figures["chunks_by_level"] = [
        level.chunks_read - n for level, n in zip(levels, before, strict=True)
    ]
    figures["chunks_of_plane_by_level"] = [
        level.planes_read[n:].count(25) for level, n in zip(levels, planes, strict=True)
    ]
    figures["chunks"] = sum(figures["chunks_by_level"])
    figures["right_ms"] = session.right_ms(figures, 25)
    return figures


def giant(session: Session) -> dict[str, Any]:
    """A slice switch of a (3, 16384, 16384) uint16 stack in memory (napari 1300)."""
    session.add([in_memory(3, 16384)])
    session.run([session.go(0)])
    figures = session.run([session.go(2)])
    figures["right_ms"] = session.right_ms(figures, 2)
    return figures


def computed(session: Session) -> dict[str, Any]:
    """Ten steps over three layers whose planes take 300 ms to compute (napari 1320)."""
    stacks = [Stack((40, 512, 512), None, 0.3) for _ in range(3)]
    for stack in stacks:
        stack.chunks = (1, 512, 512)
        session.add([stack])
    session.run([session.go(5)])
    before = read(stacks)
    figures = session.run([session.go(6 + i) for i in range(10)])
    figures["chunks"] = read(stacks) - before
    figures["right_ms"] = session.right_ms(figures, 3 * 15 + 0.5)
    return figures


SCENARIOS: dict[str, Callable[[Session], dict[str, Any]]] = {
    "scrub-100ms": lambda session: scrub(session, 0.1),
    "scrub-ram": lambda session: scrub(session, 0.0),
    "one-step": one_step,
    "giant": giant,
    "computed": computed,
}


def main() -> None:
    """Run the scenario that the arguments name and write its figures."""
    kind, scenario, result = sys.argv[1:]
    os.environ["NAPARI_ASYNC"] = "1" if kind == "stock-async" else "0"
    session = Session(kind)
    figures = SCENARIOS[scenario](session)
    Path(result).write_text(json.dumps(figures), encoding="utf-8")
    session.viewer.close()


if __name__ == "__main__":
    main()
