"""A viewer that is played with and watched: what each phase of a scenario has cost."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.compare.cameras import CANVAS_SHAPE, STEP_MS
from benchmarks.compare.peers import Peer
from benchmarks.compare.stores import Opened, Reads

if TYPE_CHECKING:
    import napari

QUIET_S = 0.35
PHASE_LIMIT_S = 60.0

Step = Callable[[], None]


class Session:
    """A viewer without docks, with its probes, on which a script is played phase by phase.

    Parameters
    ----------
    peer : Peer
    data : Opened
    watch : bool
        Look at every frame (blank places); else only at those after the last step of a phase,
        so that looking does not lengthen the gaps while moving.
    canvas : (int, int)
        Height and width.
    idles : bool
        Whether scripts shall rest at their end, and count what happens meanwhile.
    """

    def __init__(
        self,
        peer: Peer,
        data: Opened,
        watch: bool,
        canvas: tuple[int, int] = CANVAS_SHAPE,
        idles: bool = False,
    ) -> None:
        peer.prepare()
        import napari
        from benchmarks.compare import probes

        self.peer, self.data, self.watch, self.canvas = peer, data, watch, canvas
        self.idles = idles
        self.phases: dict[str, dict[str, Any]] = {}
        self.extent: tuple[float, float] | None = None
        """Height and width of 2-D data from 0 in world units; None: blank places are unknown."""
        self.viewer: napari.Viewer = napari.Viewer(show=True, show_welcome_screen=False)
        window = self.viewer.window._qt_viewer
        window.dockLayerControls.setVisible(False)
        window.dockLayerList.setVisible(False)
        window.canvas.native.setFixedSize(*canvas[::-1])
        self._loop = probes.EventLoopProbe()
        self._work = probes.WorkProbe()
        self._collections = probes.CollectionProbe()
        self._pictures = probes.PictureProbe(window.canvas._scene_canvas, self._expected)
        self._texture_mib = lambda: probes.texture_mib(window.canvas._scene_canvas)
        self._most_texture_mib = 0.0
        self._start_mib = probes.resident_mib()

    @property
    def camera(self) -> Any:
        """The camera of the view."""
        return self.viewer.scene.camera if hasattr(self.viewer, "scene") else self.viewer.camera

    def warm_up(self) -> None:
        """Add and remove a layer: what any first one costs is a scenario of its own."""
        small = np.arange(1, 2**16 + 1, dtype=np.float32).reshape(256, 256)
        self.phase("", [lambda: self.peer.add_image(self.viewer, [small])])
        self.viewer.layers.clear()
        self.phase("", [])
        self.phases.clear()

    def look_at(self, y: float, x: float, zoom: float) -> None:
        """Point the camera."""
        self.camera.zoom = zoom
        self.camera.center = (0.0, y, x)

    def phase(
        self,
        name: str,
        steps: Sequence[Step],
        step_ms: int = STEP_MS,
        needed: Sequence[tuple[int, tuple[slice, ...]]] = (),
        coverage: Sequence[tuple[int, tuple[slice, ...]]] = (),
    ) -> dict[str, Any]:
        """Take a step each so many milliseconds, then wait until all is done and nothing is drawn.

        Parameters
        ----------
        name : str
            The figures are kept under it.
        steps : sequence of callable
        step_ms : int
        needed : sequence of (level, slices)
            The chunks that the last picture cannot do without: they are read once more at the
            end, by a bare thread pool, and timed.
        coverage : sequence of (level, slices)
            Those that stand in for them meanwhile: counted with the needed ones, not timed.
        """
        from qtpy.QtCore import QEventLoop, QTimer

        before, taken, last, done = self.data.reads(), 0, perf_counter(), False
        self._pictures.start(self.watch)

        def turn() -> None:
            nonlocal taken, last, done
            if taken < len(steps):
                last = perf_counter()
                if taken == len(steps) - 1:
                    self._pictures.watching = True
                    self.moving_frames = self._pictures.frames
                steps[taken]()
                taken += 1
                return
            rested = perf_counter() - max(self._pictures.last_frame, last) > QUIET_S
            done = rested and self.peer.is_done(self.viewer)
            if done or perf_counter() - last > PHASE_LIMIT_S:
                loop.quit()

        self.moving_frames = 0
        loop, timer = QEventLoop(), QTimer()
        timer.timeout.connect(turn)
        for probe in (self._loop, self._work, self._collections):
            probe.start()
        timer.start(step_ms)
        loop.exec()
        timer.stop()
        self._loop.stop()
        self._work.stop()
        figures = self._figures(last, done, self.data.reads().since(before))
        if needed:
            before = self.data.reads()
            figures["needed"] = len(needed) + len(coverage)
            figures["raw_ms"] = self.data.raw_ms(needed)
            self.data.raw_ms(coverage)
            figures["needed_bytes"] = self.data.reads().since(before).nbytes
        self._most_texture_mib = max(self._most_texture_mib, self._texture_mib())
        self.phases[name] = figures
        return figures

    def idle(self, seconds: float = 5.0) -> None:
        """Do nothing, and count frames and how often the GUI thread woke."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        self._pictures.start(False)
        QTimer.singleShot(int(1000 * seconds), loop.quit)
        self._work.start()
        loop.exec()
        self._work.stop()
        self.phases["idle"] = {
            "frames": self._pictures.frames,
            "woken_per_s": self._work.woken / seconds,
            "gui_ms": 1000 * self._work.work_s,
        }

    def result(self) -> dict[str, Any]:
        """All that was measured."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "phases": self.phases,
            "peak_mib": peak - self._start_mib,
            "texture_mib": self._most_texture_mib,
            "latency_ms": self.data.latency_ms,
        }

    def _figures(self, last: float, done: bool, reads: Reads) -> dict[str, Any]:
        pictures, gaps = self._pictures, self._loop.gaps or [0.0]
        final, whole = pictures.final_since, pictures.whole_since
        longest = max((took for _, took in self._collections.took), default=0.0)
        return {
            "longest_gap_ms": 1000 * max(gaps),
            "p99_gap_ms": 1000 * float(np.quantile(gaps, 0.99)),
            "settle_ms": 1000 * ((final or last) - last) if done else None,
            "whole_ms": 1000 * (whole - last) if whole else None,
            "blank_s": pictures.blank_s(perf_counter()) if self.watch else None,
            "chunks": reads.chunks,
            "bytes": reads.nbytes,
            "frames": pictures.frames,
            "moving_frames": self.moving_frames,
            "gui_ms": 1000 * self._work.work_s,
            "frame_ms": 1000 * float(np.median(pictures.draws_s)) if pictures.draws_s else None,
            "collection_ms": 1000 * longest,
            "full_collections": sum(generation == 2 for generation, _ in self._collections.took),
        }

    def _expected(self) -> float:
        """Share of the canvas that the data cover, by the camera; 0 where nobody can tell."""
        if self.extent is None or not self.viewer.layers or self.viewer.dims.ndisplay == 3:
            return 0.0
        share = 1.0
        zoom = self.camera.zoom
        for center, size, pixels in zip(
            self.camera.center[-2:], self.extent, self.canvas, strict=True
        ):
            half = pixels / 2 / zoom
            seen = min(center + half, size) - max(center - half, 0.0)
            share *= max(0.0, seen) / (2 * half)
        return share
