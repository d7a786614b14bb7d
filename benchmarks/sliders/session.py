"""One scenario with one kind of layer; started by `benchmarks.sliders` in a process of its own.

Usage: python -m benchmarks.sliders.session LAYER SCENARIO RESULT.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.sliders.stacks import STEP, Stack, in_memory, pyramid
from benchmarks.stage import CANVAS_SHAPE, Stage

STEP_MS, SLOW_STEP_MS = 40, 100
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
        self.looking = True
        """At each frame, which costs some milliseconds."""
        self.pictures: list[tuple[float, float]] = []
        """Of each frame: when, and which plane the middle of the canvas showed."""
        self._looks: list[int] = []
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

        if not self.looking:
            self.pictures.append((perf_counter(), float("nan")))
            return
        height, width = CANVAS_SHAPE
        pixels = gloo.read_pixels((width // 2 - 50, height // 2 - 50, 100, 100))[..., :3]
        value = pixels.astype(float).mean() / 255 * WHITE
        self.pictures.append((perf_counter(), (value - STEP / 4) / STEP))
        self._looks.append(zlib.crc32(pixels.tobytes()))

    @contextmanager
    def drawing_on(self) -> Iterator[None]:
        """Have another frame drawn after each."""
        from qtpy.QtCore import QTimer

        canvas = self._stage.scene_canvas

        def again(event: Any) -> None:
            if self.steps and self.steps[-1][0] > perf_counter() - 2 * STEP_MS / 1000:
                QTimer.singleShot(0, canvas.update)

        canvas.events.draw.connect(again)
        yield
        canvas.events.draw.disconnect(again)

    @property
    def new_frames(self) -> int:
        """Frames in which the middle of the canvas was not the same as in the one before."""
        return sum(now != before for before, now in pairwise([None, *self._looks]))

    def run(self, steps: list[Callable[[], None]], step_ms: int = STEP_MS) -> dict[str, Any]:
        """Take a step each 40 ms, then wait until the layers are done and nothing is drawn."""
        self.pictures.clear()
        self._looks.clear()
        self.steps.clear()
        moving = 0

        def before_step(number: int) -> None:
            nonlocal moving
            moving = len(self.pictures)

        def is_quiet(last_step: float) -> bool:
            drawn = self.pictures[-1][0] if self.pictures else last_step
            resting = perf_counter() - max(drawn, last_step) > QUIET_S
            return resting and self._stage.is_done(self.layers)

        played = self._stage.play(steps, step_ms, is_quiet, LIMIT_S, before_step)
        return {
            "longest_gap_ms": 1000 * self._stage.probe.longest_gap,
            "longest_work_ms": 1000 * self._stage.probe.longest_work,
            "frames": len(self.pictures),
            "new_frames": self.new_frames,
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
    levels = small_pyramid(0.05)
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


def scrub_9515(session: Session, levels: list[Any], step_ms: int) -> dict[str, Any]:
    """25 steps over a (32, 1024, 1024) pyramid, from plane 3 to 28 (napari 9515)."""
    session.add(levels)
    session.run([session.go(3)])
    figures = session.run([session.go(4 + i) for i in range(25)], step_ms)
    figures["right_ms"] = session.right_ms(figures, 28)
    figures["at_once"] = session.right_at_once()
    return figures


def small_pyramid(latency_s: float) -> list[Stack]:
    """The pyramid of napari 9515, in chunks of one plane."""
    return [Stack((32, 1024 >> k, 1024 >> k), 512, latency_s, kept=True) for k in range(3)]


def scrub_disk(session: Session, step_ms: int) -> dict[str, Any]:
    """The same from zarr arrays on the local disk."""
    import zarr

    with tempfile.TemporaryDirectory(prefix="napari-octree-") as folder:
        levels = []
        for number, level in enumerate(small_pyramid(0)):
            levels.append(
                zarr.create_array(
                    f"{folder}/{number}",
                    shape=level.shape,
                    chunks=tuple(
                        min(n, c) for n, c in zip(level.shape, level.chunks, strict=True)
                    ),
                    dtype=level.dtype,
                )
            )
            levels[-1][:] = level[:]
        return scrub_9515(session, levels, step_ms)


def redraw(session: Session) -> dict[str, Any]:
    """The same from memory and drawn without a pause: the most frames that there can be."""
    with session.drawing_on():
        return scrub_9515(session, small_pyramid(0)[:1], STEP_MS)


def giant(session: Session, planes: int, side: int, dtype: str) -> dict[str, Any]:
    """Slice switches of a stack of 16384² in memory (napari 1300).

    Whole pictures are timed in one; the event loop in three others, whose frames nobody looks at:
    the medians of those.
    """
    session.add([in_memory(planes, side, dtype)])
    session.run([session.go(0)])
    figures = session.run([session.go(planes - 1)])
    figures["right_ms"] = session.right_ms(figures, planes - 1)
    session.looking = False
    runs = [session.run([session.go(z)]) for z in (0, planes - 1, 0)]
    for name in ("longest_gap_ms", "longest_work_ms"):
        figures[name] = median(run[name] for run in runs)
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


Scenario = Callable[[Session], dict[str, Any]]


def frames_of(name: str, latency_s: float) -> dict[str, Scenario]:
    """The scrubs of napari 9515's pyramid in a store, by their names."""

    def at(step_ms: int) -> Scenario:
        return lambda session: scrub_9515(session, small_pyramid(latency_s), step_ms)

    return {f"scrub-9515-{name}": at(STEP_MS), f"scrub-9515-{name}-slow": at(SLOW_STEP_MS)}


SCENARIOS: dict[str, Scenario] = {
    "scrub-100ms": lambda session: scrub(session, 0.1),
    "scrub-ram": lambda session: scrub(session, 0.0),
    "one-step": one_step,
    "redraw": redraw,
    **frames_of("ram", 0),
    "scrub-9515-disk": lambda session: scrub_disk(session, STEP_MS),
    "scrub-9515-disk-slow": lambda session: scrub_disk(session, SLOW_STEP_MS),
    **frames_of("10ms", 0.01),
    **frames_of("50ms", 0.05),
    **frames_of("100ms", 0.1),
    "giant": lambda session: giant(session, 3, 16384, "uint16"),
    "giant-float64": lambda session: giant(session, 2, 16384, "float64"),
    "tiny": lambda session: giant(session, 3, 512, "uint16"),
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
