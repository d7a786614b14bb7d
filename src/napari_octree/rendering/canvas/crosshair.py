"""Lines through one point of the world, above all layers of a canvas.

Invariants: GUI thread; nothing is drawn before the first `show`; `close` takes the lines away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from vispy.scene.visuals import Line

COLOUR = (1.0, 0.84, 0.0, 0.7)
ABOVE_ALL = 1_000_000


class Crosshair:
    """Two lines in 2-D, three in 3-D.

    Parameters
    ----------
    canvas : napari's canvas
        Its `view` holds the scene.
    """

    def __init__(self, canvas: Any) -> None:
        self._line = Line(
            pos=np.zeros((2, 3), np.float32),
            color=COLOUR,
            connect="segments",
            method="gl",
            width=1,
            parent=canvas.view.scene,
        )
        self._line.order = ABOVE_ALL
        self._line.set_gl_state("translucent", depth_test=False)
        self._line.visible = False

    def show(self, point: Sequence[float], extent: Sequence[tuple[float, float]]) -> None:
        """Draw the lines.

        Parameters
        ----------
        point : sequence of float
            World coordinates of the displayed axes, (…, y, x) as they are displayed.
        extent : sequence of (float, float)
            From where to where the lines go along each of these axes.
        """
        ends = np.repeat(np.asarray(point, float)[None], 2 * len(point), axis=0)
        for axis, (low, high) in enumerate(extent):
            ends[2 * axis, axis], ends[2 * axis + 1, axis] = low, high
        positions = np.zeros((len(ends), 3), np.float32)
        positions[:, : len(point)] = ends[:, ::-1]  # vispy's order: x, y, z
        self._line.set_data(pos=positions)
        self._line.visible = True

    def close(self) -> None:
        """Take the lines away."""
        self._line.parent = None
