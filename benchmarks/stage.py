"""A viewer on which a script is played, step by step, while the event loop is watched.

Everything runs in the GUI thread of a process of its own: what is measured is one kind of layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

CANVAS_SHAPE = (600, 800)

Step = Callable[[], None]


@dataclass(frozen=True)
class Played:
    """How a script went.

    Attributes
    ----------
    last_step : float
        When the last step began (`perf_counter`).
    done : bool
        The layers were done, and nothing was drawn any more, before the time was up.
    """

    last_step: float
    done: bool


class Stage:
    """A viewer without docks, and its probe of the event loop.

    Parameters
    ----------
    kind : {"stock-sync", "stock-async", "ours", "labels"}
        Of the layers that will be added.
    """

    def __init__(self, kind: str) -> None:
        os.environ["NAPARI_ASYNC"] = "1" if kind == "stock-async" else "0"
        import napari
        from benchmarks.probes import EventLoopProbe

        self.kind = kind
        self.viewer = napari.Viewer(show=True, show_welcome_screen=False)
        window = self.viewer.window._qt_viewer
        window.dockLayerControls.setVisible(False)
        window.dockLayerList.setVisible(False)
        window.canvas.native.setFixedSize(*CANVAS_SHAPE[::-1])
        self.scene_canvas = window.canvas._scene_canvas
        self.probe = EventLoopProbe()

    def add(self, levels: list[Any], **keywords: Any) -> Any:
        """Add a layer of the kind."""
        if self.kind == "ours":
            from napari_octree import OctreeImage

            return self.viewer.add_layer(OctreeImage(levels, **keywords))
        if self.kind == "labels":
            from napari_octree import OctreeLabels

            whole = [a.astype("int32") if a.dtype.kind == "f" else a for a in levels]
            return self.viewer.add_layer(OctreeLabels(whole))
        if len(levels) > 1:
            return self.viewer.add_image(levels, multiscale=True, **keywords)
        return self.viewer.add_image(levels[0], multiscale=False, **keywords)

    def is_done(self, layers: Sequence[Any]) -> bool:
        """Whether nothing more is to come of the layers, as they say."""
        if self.kind in ("ours", "labels"):
            return all(layer.settled for layer in layers)
        busy = self.viewer._layer_slicer._layers_to_task
        return not busy and all(layer.loaded for layer in layers)

    def play(
        self,
        steps: Sequence[Step],
        step_ms: int,
        is_quiet: Callable[[float], bool],
        limit_s: float,
        before_step: Callable[[int], None] = lambda number: None,
    ) -> Played:
        """Take a step each `step_ms`, then wait.

        Parameters
        ----------
        steps : sequence of callable
        step_ms : int
        is_quiet : callable
            Whether all is done; asked after the last step, whose time it gets.
        limit_s : float
            After the last step it is waited no longer.
        before_step : callable
            Gets the number of the step, from 0.
        """
        from qtpy.QtCore import QEventLoop, QTimer

        taken, last, done = 0, perf_counter(), False

        def turn() -> None:
            nonlocal taken, last, done
            if taken < len(steps):
                last = perf_counter()
                before_step(taken)
                steps[taken]()
                taken += 1
                return
            done = is_quiet(last)
            if done or perf_counter() - last > limit_s:
                loop.quit()

        loop, timer = QEventLoop(), QTimer()
        timer.timeout.connect(turn)
        self.probe.start()
        timer.start(step_ms)
        loop.exec_() if hasattr(loop, "exec_") else loop.exec()
        timer.stop()
        self.probe.stop()
        return Played(last, done)
