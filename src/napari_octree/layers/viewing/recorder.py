"""Records a trace of a viewer while somebody works with it.

Invariants: main thread. One look per turn of the event loop in which something has changed, none
else; what stands still costs nothing. After `stop` nothing is listened to.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.viewing.trace import LOOKS, Step, Trace, looks_of
from napari_octree.layers.viewing.viewer_view import ViewerView

MOST_STEPS = 1_000_000
"""Four hours at 60 steps a second."""


class TraceRecorder:
    """Listens to a viewer from now on.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._start = monotonic()
        self._steps: list[Step] = []
        self._looks: dict[int, dict[str, Any]] = {}
        self._listening: list[tuple[Any, Any]] = []
        self._pending = False
        self.running = True
        self._listen()
        self._look()

    def __len__(self) -> int:
        return len(self._steps)

    def stop(self, canvas: tuple[int, int] | None = None) -> Trace:
        """Return what was recorded.

        Parameters
        ----------
        canvas : (int, int), optional
            Width and height of the viewer's canvas.
        """
        if self.running:
            self.running = False
            self._look()
            self._unlisten()
        return Trace(tuple(self._steps), canvas)

    def _listen(self) -> None:
        emitters = [
            self._viewer.scene.camera.events,
            self._viewer.dims.events,
            self._viewer.layers.events.inserted,
            self._viewer.layers.events.removed,
            self._viewer.layers.events.reordered,
        ]
        for layer in self._viewer.layers:
            emitters += [e for n in LOOKS if (e := getattr(layer.events, n, None)) is not None]
        for emitter in emitters:
            emitter.connect(self._on_change)
        self._listening = [(emitter, self._on_change) for emitter in emitters]
        self._layers = list(self._viewer.layers)

    def _unlisten(self) -> None:
        for emitter, slot in self._listening:
            emitter.disconnect(slot)
        self._listening = []
        self._layers = []

    def _on_change(self, event: Any = None) -> None:
        if self.running and not self._pending:
            self._pending = True
            MAIN_LOOP.post(self._on_turn)

    def _on_turn(self) -> None:
        self._pending = False
        if self.running:
            if self._layers != list(self._viewer.layers):
                self._unlisten()
                self._listen()
            self._look()

    def _look(self) -> None:
        """Note what has changed."""
        view = ViewerView.of(self._viewer)
        looks = {number: looks_of(layer) for number, layer in enumerate(self._viewer.layers)}
        changed = {
            number: own
            for number, all_looks in looks.items()
            if (own := _difference(all_looks, self._looks.get(number, {})))
        }
        same = self._steps and self._steps[-1].view == view and not changed
        if same or len(self._steps) >= MOST_STEPS:
            return
        self._looks = looks
        self._steps.append(Step(monotonic() - self._start, view, changed))


def _difference(looks: dict[str, Any], former: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in looks.items() if k not in former or former[k] != v}
