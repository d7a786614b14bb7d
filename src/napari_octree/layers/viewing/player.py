"""Plays a trace in a viewer, by whatever clock it is told.

Invariants: main thread; it keeps no time of its own. What is late is made up for at once: of
several steps that are due the last is shown, with all looks.
"""

from __future__ import annotations

from typing import Any

from napari_octree.layers.viewing.trace import Trace, set_looks


class TracePlayer:
    """A trace being played.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    trace : Trace
    speed : float
        2 plays it in half of the time.
    """

    def __init__(self, viewer: Any, trace: Trace, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"a speed of {speed:g}: it must be above 0")
        self._viewer = viewer
        self._trace = trace
        self._speed = speed
        self._next = 0

    @property
    def over(self) -> bool:
        """All steps have been shown."""
        return self._next >= len(self._trace.steps)

    def show(self, elapsed: float) -> float | None:
        """Show what is due `elapsed` seconds after the begin.

        Returns
        -------
        float or None
            In how many seconds the next step is due; None after the last.
        """
        steps = self._trace.steps
        due = None
        while not self.over:
            step = steps[self._next]
            at = (step.time - steps[0].time) / self._speed
            if at > elapsed:
                break
            for number, looks in step.looks.items():
                if 0 <= number < len(self._viewer.layers):
                    set_looks(self._viewer.layers[number], looks)
            due = step
            self._next += 1
        if due is not None:
            due.view.apply(self._viewer)
        if self.over:
            return None
        return (steps[self._next].time - steps[0].time) / self._speed - elapsed
