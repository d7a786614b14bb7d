"""Where the camera goes: journeys as a mouse wheel and a hand make them.

Invariants: pure numbers; the tests of thrift follow the same journeys on a virtual clock.
"""

from __future__ import annotations

from collections.abc import Iterator

Camera = tuple[float, float, float]
"""Centre y, centre x (world), zoom (screen pixels per world unit)."""

CANVAS_SHAPE = (600, 800)
STEP_MS = 25
ZOOM_STEPS = 40
REVISIT_STEPS = 10
PAN_PIXELS = 2200
PAN_STEP_PIXELS = 50


def geometric(start: Camera, stop: Camera, steps: int) -> Iterator[Camera]:
    """Cameras from `start` (excluded) to `stop` as a mouse wheel makes them: zoom by factors.

    The point under the mouse stays where it is on the screen.
    """
    (y0, x0, zoom0), (y1, x1, zoom1) = start, stop
    for step in range(1, steps + 1):
        zoom = zoom0 * (zoom1 / zoom0) ** (step / steps)
        share = (1 / zoom0 - 1 / zoom) / (1 / zoom0 - 1 / zoom1)
        yield y0 + share * (y1 - y0), x0 + share * (x1 - x0), zoom
