"""One scripted session with one layer and one store; started by `benchmarks.browse` in a process.

Usage: python -m benchmarks.browse.session LAYER STORE FOLDER RESULT.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.browse.pyramid import Pyramid
from benchmarks.stage import Stage

STEP_MS = 25
ZOOM_STEPS = 40
REVISIT_STEPS = 10
PAN_PIXELS = 2200
PAN_STEP_PIXELS = 50
QUIET_S = 0.6
PHASE_LIMIT_S = 120.0

Camera = tuple[float, float, float]
"""Centre y, centre x (data coordinates), zoom (screen pixels per data pixel)."""


@dataclass(frozen=True)
class PhaseResult:
    """What was measured in one phase.

    Attributes
    ----------
    longest_gap_ms : float
        Longest time between two turns of the event loop.
    stalls_ms : float
        Sum of the gaps over 50 ms.
    settle_ms : float or None
        From the last step until the final picture was first drawn; None if the layer was not
        done when the phase's time was up.
    whole_ms : float or None
        Opening only: from the first step until a frame covered the canvas as the final one does.
    chunks_read : int or None
        None where nobody counts them (in memory).
    frames, moving_frames : int
        Frames drawn in all, and until the last step.
    """

    longest_gap_ms: float
    stalls_ms: float
    settle_ms: float | None
    whole_ms: float | None
    chunks_read: int | None
    frames: int
    moving_frames: int


def geometric(start: Camera, stop: Camera, steps: int) -> Iterator[Camera]:
    """Cameras from `start` (excluded) to `stop` as a mouse wheel makes them: zoom by factors.

    The point under the mouse stays where it is on the screen.
    """
    (y0, x0, zoom0), (y1, x1, zoom1) = start, stop
    for step in range(1, steps + 1):
        zoom = zoom0 * (zoom1 / zoom0) ** (step / steps)
        share = (1 / zoom0 - 1 / zoom) / (1 / zoom0 - 1 / zoom1)
        yield y0 + share * (y1 - y0), x0 + share * (x1 - x0), zoom


class Session:
    """A viewer with its probes."""

    def __init__(self, layer_kind: str, pyramid: Pyramid) -> None:
        self._stage = Stage(layer_kind)
        from benchmarks.probes import PictureProbe  # which chooses the toolkit

        self._pyramid = pyramid
        self._viewer = self._stage.viewer
        self._layer: Any = None
        self._pictures = PictureProbe(self._stage.scene_canvas)
        self._phase([])

    def run(self, size: int) -> dict[str, PhaseResult]:
        """The script."""
        # What any first layer costs (widgets, shaders), so that opening measures reading alone.
        small = np.arange(1, 2**16 + 1, dtype=np.float32).reshape(256, 256)
        results = {"first": self._phase([lambda: self._open([small])])}
        self._viewer.layers.clear()
        self._layer = None
        self._phase([])
        results["open"] = self._phase([lambda: self._open(self._pyramid.levels)])
        overview = self._camera()
        place = (0.317 * size, 0.554 * size, 1.0)
        side = (place[0], place[1] + PAN_PIXELS, 1.0)
        pan_steps = PAN_PIXELS // PAN_STEP_PIXELS
        journeys = {
            "zoom-in": geometric(overview, place, ZOOM_STEPS),
            "pan": (
                (place[0], place[1] + PAN_PIXELS * step / pan_steps, 1.0)
                for step in range(1, pan_steps + 1)
            ),
            "zoom-out": geometric(side, overview, ZOOM_STEPS),
            "revisit": geometric(overview, place, REVISIT_STEPS),
        }
        for name, cameras in journeys.items():
            steps = [lambda camera=camera: self._look(*camera) for camera in cameras]
            results[name] = self._phase(steps)
        return results

    def statistics(self) -> dict[str, Any]:
        """The layer's own statistics, if it keeps any."""
        return self._layer.statistics.as_dict() if hasattr(self._layer, "statistics") else {}

    def close(self) -> None:
        """Close the viewer."""
        self._viewer.close()

    def _open(self, levels: list[Any]) -> None:
        self._layer = self._stage.add(levels, colormap="viridis")

    def _camera(self) -> Camera:
        camera = self._viewer.scene.camera
        return camera.center[-2], camera.center[-1], camera.zoom

    def _look(self, y: float, x: float, zoom: float) -> None:
        self._viewer.scene.camera.zoom = zoom
        self._viewer.scene.camera.center = (0.0, y, x)

    def _phase(self, steps: list[Callable[[], None]]) -> PhaseResult:
        """Take a step each 25 ms, then wait until the layer is done and nothing is drawn."""
        chunks_before = self._chunks_read() or 0
        pictures, probe = self._pictures, self._stage.probe
        moving_frames = 0

        def before_step(number: int) -> None:
            nonlocal moving_frames
            if number == len(steps) - 1:
                moving_frames = pictures.frames
                pictures.watching = True

        def is_quiet(last_step: float) -> bool:
            layers = [] if self._layer is None else [self._layer]
            resting = perf_counter() - max(pictures.last_frame, last_step) > QUIET_S
            return resting and self._stage.is_done(layers)

        pictures.start()
        played = self._stage.play(steps, STEP_MS, is_quiet, PHASE_LIMIT_S, before_step)
        last_step, done = played.last_step, played.done
        chunks = self._chunks_read()
        final, whole = pictures.final_since, pictures.whole_since
        return PhaseResult(
            longest_gap_ms=1000 * probe.longest_gap,
            stalls_ms=1000 * probe.stalls,
            settle_ms=1000 * ((final or last_step) - last_step) if done else None,
            whole_ms=1000 * (whole - last_step) if whole and len(steps) == 1 else None,
            chunks_read=None if chunks is None else chunks - chunks_before,
            frames=pictures.frames,
            moving_frames=moving_frames,
        )

    def _chunks_read(self) -> int | None:
        """As the stores count; else as our loader does, which may bypass zarr's stores."""
        if self._pyramid.chunks_read is not None or self._stage.kind not in ("ours", "labels"):
            return self._pyramid.chunks_read
        sources = self.statistics().get("loader", {}).get("sources", {})
        return sum(source["reads"] for source in sources.values())


def main() -> None:
    """Run the session that the arguments ask for and write its result."""
    layer_kind, store, folder, result = sys.argv[1:]
    pyramid = Pyramid(Path(folder), store, counted=layer_kind not in ("ours", "labels"))
    session = Session(layer_kind, pyramid)
    phases = session.run(pyramid.levels[0].shape[0])
    values = {
        "phases": {name: asdict(phase) for name, phase in phases.items()},
        "latency_ms": 1000 * pyramid.latency_s,
        "statistics": session.statistics(),
    }
    Path(result).write_text(json.dumps(values), encoding="utf-8")
    session.close()


if __name__ == "__main__":
    main()
