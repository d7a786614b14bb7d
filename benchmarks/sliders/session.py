"""One scenario with one kind of layer; started by `benchmarks.sliders` in a process of its own.

Usage: python -m benchmarks.sliders.session LAYER SCENARIO RESULT.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.sliders.stacks import STEP, Stack, in_memory, pyramid
from benchmarks.stage import CANVAS_SHAPE, Stage

STEP_MS = 40
LIMIT_S = 90.0
QUIET_S = 0.7
WHITE = 60_000

CHUNKS_IN_VIEW = 17
"""Of one plane while scrubbing: 16 at the ideal level, and one of the overview."""


class Session:
    """A stage with layers of one kind, whose pictures are looked at."""

    def __init__(self, kind: str) -> None:
        self._stage = Stage(kind)
        self.viewer = self._stage.viewer
        self._stage.scene_canvas.events.draw.connect(self._drawn, position="last")
        self.layers: list[Any] = []
        self.pictures: list[tuple[float, float]] = []
        """Of each frame: when, and which plane the middle of the canvas showed."""
        self.steps: list[tuple[float, int]] = []
        """Of each step of the slider: when, and to which plane."""
        self.add([np.zeros((4, 64, 64), np.uint16)])  # what any first layer costs
        self.run([])
        self.viewer.layers.clear()
        self.layers.clear()

    def add(self, levels: list[Any]) -> None:
        """Add a layer."""
        layer = self._stage.add(levels, contrast_limits=(0, WHITE), blending="additive")
        self.layers.append(layer)

    def go(self, plane: int) -> Callable[[], None]:
        """Make a step of the slider."""

        def step() -> None:
            self.steps.append((perf_counter(), plane))
            self.viewer.dims.set_current_step(0, plane)

        return step

    def _drawn(self, event: Any) -> None:
        from vispy import gloo

        height, width = CANVAS_SHAPE
        pixels = gloo.read_pixels((width // 2 - 50, height // 2 - 50, 100, 100))[..., :3]
        value = pixels.astype(float).mean() / 255 * WHITE
        self.pictures.append((perf_counter(), (value - STEP / 4) / STEP))

    def run(self, steps: list[Callable[[], None]]) -> dict[str, Any]:
        """Take a step each 40 ms, then wait until the layers are done and nothing is drawn."""
        self.pictures.clear()
        self.steps.clear()
        moving = 0

        def before_step(number: int) -> None:
            nonlocal moving
            moving = len(self.pictures)

        def is_quiet(last_step: float) -> bool:
            drawn = self.pictures[-1][0] if self.pictures else last_step
            resting = perf_counter() - max(drawn, last_step) > QUIET_S
            return resting and self._stage.is_done(self.layers)

        played = self._stage.play(steps, STEP_MS, is_quiet, LIMIT_S, before_step)
        return {
            "longest_gap_ms": 1000 * self._stage.probe.longest_gap,
            "longest_work_ms": 1000 * self._stage.probe.longest_work,
            "frames": len(self.pictures),
            "moving_frames": moving,
            "last_step": played.last_step,
            "done": played.done,
        }

    def right_at_once(self) -> int:
        """Return the number of steps of which the first frame showed their plane."""
        right = 0
        for when, plane in self.steps:
            first = next((seen for drawn, seen in self.pictures if drawn > when), None)
            right += bool(first is not None and abs(first - plane) <= 0.5)
        return right

    def right_ms(self, figures: dict[str, Any], brightness: float) -> float | None:
        """Milliseconds from the last step to the first frame from which the plane was right."""
        since = None
        for when, plane in reversed(self.pictures):
            if abs(plane - brightness) > 0.5:
                break
            since = when
        return None if since is None else 1000 * (since - figures["last_step"])


def read(levels: list[Stack]) -> int:
    """Chunks read so far."""
    return sum(level.chunks_read for level in levels)


def passed(levels: list[Stack], steps: dict[int, float]) -> int:
    """Chunks of planes that the slider only passed, read from then on until it stopped."""
    end = max(steps.values())
    return sum(
        chunks
        for level in levels
        for when, plane, chunks in level.reads
        if steps.get(plane, end) <= when < end
    )


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
    figures["chunks_passed"] = passed(levels, {z: when for when, z in session.steps})
    figures["right_ms"] = session.right_ms(figures, 65)
    figures["at_once"] = session.right_at_once()
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


def giant(session: Session, planes: int, dtype: str) -> dict[str, Any]:
    """A slice switch of a stack of 16384² in memory (napari 1300)."""
    session.add([in_memory(planes, 16384, dtype)])
    session.run([session.go(0)])
    figures = session.run([session.go(planes - 1)])
    figures["right_ms"] = session.right_ms(figures, planes - 1)
    return figures


def series(session: Session, side: int) -> dict[str, Any]:
    """Open 20 planes of a size, 20 ms a read, and make a step (NAP-4, goal 3)."""
    levels = pyramid(20, side, 256, 0.02)
    opening = session.run([lambda: session.add(levels)])
    plane = session.viewer.dims.current_step[0]
    open_ms = session.right_ms(opening, plane)
    figures = session.run([session.go(plane + 1)])
    figures["right_ms"] = session.right_ms(figures, plane + 1)
    figures["open_ms"] = open_ms
    figures["open_gap_ms"] = opening["longest_gap_ms"]
    figures["chunks"] = read(levels)
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
    "giant": lambda session: giant(session, 3, "uint16"),
    "giant-float64": lambda session: giant(session, 2, "float64"),
    "computed": computed,
    "small": lambda session: series(session, 256),
    "medium": lambda session: series(session, 2048),
    "large": lambda session: series(session, 16384),
    "huge": lambda session: series(session, 2**20),
}


def main() -> None:
    """Run the scenario that the arguments name and write its figures."""
    kind, scenario, result = sys.argv[1:]
    session = Session(kind)
    figures = SCENARIOS[scenario](session)
    Path(result).write_text(json.dumps(figures), encoding="utf-8")
    session.viewer.close()


if __name__ == "__main__":
    main()
