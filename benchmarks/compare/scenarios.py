"""What is done: each scenario is a script of phases on a session.

Invariants: a script is the same for every peer; steps come each 25 ms unless said otherwise, as a
mouse wheel sends them. Names of phases are the rows of the tables.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.compare.session import Session

Camera = tuple[float, float, float]
"""Centre y, centre x (world), zoom (screen pixels per world unit)."""

Needed = list[tuple[int, tuple[slice, ...]]]

ALL_2D = ("ram", "disk", "sharded", "dask", "tiff", "http-50ms", "http-300ms", "http-20ms-4MBps")


@dataclass(frozen=True)
class Scenario:
    """A script, and the stores it is worth playing on.

    Attributes
    ----------
    play : callable
    stores : tuple of str
    data : {"plane", "stack", "volume", "labels", "none"}
        What the folder must hold.
    """

    play: Callable[[Session], None]
    stores: tuple[str, ...]
    data: str


def geometric(start: Camera, stop: Camera, steps: int) -> Iterator[Camera]:
    """Cameras from `start` (excluded) to `stop` as a mouse wheel makes them: zoom by factors.

    The point under the mouse stays where it is on the screen.
    """
    (y0, x0, zoom0), (y1, x1, zoom1) = start, stop
    for step in range(1, steps + 1):
        zoom = zoom0 * (zoom1 / zoom0) ** (step / steps)
        share = (1 / zoom0 - 1 / zoom) / (1 / zoom0 - 1 / zoom1)
        yield y0 + share * (y1 - y0), x0 + share * (x1 - x0), zoom


def needed(levels: Sequence[Any], camera: Camera, canvas: tuple[int, int], level: int) -> Needed:
    """Return the chunks of a level of a 2-D image that the canvas shows."""
    y, x, zoom = camera
    shape, chunks = levels[level].shape[-2:], getattr(levels[level], "chunks", None)
    chunks = (256, 256) if chunks is None or isinstance(chunks[0], tuple) else chunks[-2:]
    factor = levels[0].shape[-1] / shape[-1]
    ranges = []
    for center, pixels, size, chunk in zip((y, x), canvas, shape, chunks, strict=True):
        first = max(0.0, (center - pixels / 2 / zoom) / factor)
        stop = min(float(size), (center + pixels / 2 / zoom) / factor)
        ranges.append(
            [
                slice(i * chunk, min(size, (i + 1) * chunk))
                for i in range(int(first // chunk), math.ceil(stop / chunk))
            ]
        )
    return [(level, place) for place in itertools.product(*ranges)]


def ideal_level(levels: Sequence[Any], zoom: float) -> int:
    """Return the coarsest level whose texels are not larger than a screen pixel."""
    factors = [levels[0].shape[-1] / level.shape[-1] for level in levels]
    return max(i for i, factor in enumerate(factors) if i == 0 or factor * zoom <= 1 + 1e-6)


def _add(session: Session, **looks: Any) -> Any:
    data = session.data
    if data.path is not None and session.peer.is_ours:
        from napari_octree import open_image

        (layer,) = open_image(data.path)
        for name, value in looks.items():
            setattr(layer, name, value)
        return session.viewer.add_layer(layer)
    return session.peer.add_image(session.viewer, data.levels, **looks)


def browse(session: Session) -> None:
    """Open, zoom to 1:1, pan, zoom out, jump far away, come back."""
    from benchmarks.compare.session import CANVAS_SHAPE

    session.warm_up()
    levels = session.data.levels
    size = levels[0].shape[-1]
    session.extent = (size, size)
    fit = 0.95 * min(CANVAS_SHAPE) / size
    whole = (size / 2, size / 2, fit)
    opening = needed(levels, whole, CANVAS_SHAPE, ideal_level(levels, fit))
    top = needed(levels, whole, CANVAS_SHAPE, len(levels) - 1)
    session.phase("open", [lambda: _add(session, colormap="viridis")], needed=[*top, *opening])
    camera = session.camera
    overview = (camera.center[-2], camera.center[-1], camera.zoom)
    place = (0.317 * size, 0.554 * size, 1.0)
    pan = min(2200.0, 0.15 * size)
    far = (0.81 * size, 0.23 * size, 1.0)
    pans = [(place[0], place[1] + pan * step / 44, 1.0) for step in range(1, 45)]

    def steps(cameras: Iterator[Camera] | list[Camera]) -> list[Callable[[], None]]:
        return [lambda c=c: session.look_at(*c) for c in cameras]

    session.phase("zoom in", steps(geometric(overview, place, 40)))
    session.phase("pan", steps(pans))
    session.phase("jump", steps([far]), needed=needed(levels, far, CANVAS_SHAPE, 0))
    session.phase("zoom out", steps(geometric(far, overview, 40)))
    session.phase("revisit", steps(geometric(overview, place, 10)))
    session.idle()


def first_layer(session: Session) -> None:
    """The first layer in a window: a small image in memory."""
    pixels = _small((512, 512))
    session.extent = (512, 512)
    session.phase("first layer", [lambda: session.peer.add_image(session.viewer, [pixels])])


def small(session: Session) -> None:
    """A small image in memory: added again and again; its slider moved."""
    session.warm_up()
    pixels = _small((512, 512))
    for number in range(9):
        session.phase(
            f"add small {number}", [lambda: session.peer.add_image(session.viewer, [pixels])]
        )
        session.viewer.layers.clear()
        session.phase("", [])
    session.phases.pop("")
    stack = _small((64, 512, 512))
    session.phase("", [lambda: session.peer.add_image(session.viewer, [stack])])
    session.phases.pop("")
    for number in range(9):
        session.phase(
            f"slider small {number}",
            [lambda z=number: session.viewer.dims.set_current_step(0, 7 * z % 64)],
        )


def channels(session: Session) -> None:
    """Four additive channels of the same pixels: open, zoom in."""
    session.warm_up()
    levels = session.data.levels
    size = levels[0].shape[-1]
    session.extent = (size, size)

    def add() -> None:
        for color in ("red", "green", "blue", "gray"):
            session.peer.add_image(session.viewer, levels, colormap=color, blending="additive")

    session.phase("open 4 channels", [add])
    camera = session.camera
    overview = (camera.center[-2], camera.center[-1], camera.zoom)
    place = (0.317 * size, 0.554 * size, 1.0)
    session.phase(
        "zoom in 4 channels",
        [lambda c=c: session.look_at(*c) for c in geometric(overview, place, 40)],
    )


def twenty(session: Session) -> None:
    """Twenty small images side by side: add them, then pan."""
    session.warm_up()
    pixels = _small((512, 512))

    def add() -> None:
        for number in range(20):
            session.peer.add_image(
                session.viewer, [pixels], translate=(600 * (number // 5), 600 * (number % 5))
            )

    session.phase("add 20 layers", [add])
    session.phase(
        "pan over 20 layers",
        [lambda x=x: session.look_at(1200, 1400 + 5.0 * x, 0.2) for x in range(40)],
    )


def sliders(session: Session) -> None:
    """Scrub the slider of a stack of planes: 25 steps in a second, then one step back."""
    session.warm_up()
    planes = session.data.levels[0].shape[0]
    session.phase("open stack", [lambda: _add(session)])
    start = planes // 4
    session.phase("", [lambda: session.viewer.dims.set_current_step(0, start)])
    session.phases.pop("")
    session.phase(
        "scrub",
        [lambda z=z: session.viewer.dims.set_current_step(0, start + z) for z in range(1, 26)],
        step_ms=40,
    )
    session.phase("one step", [lambda: session.viewer.dims.set_current_step(0, start - 3)])


def volume(session: Session) -> None:
    """Turn a pyramid to three dimensions, orbit, zoom in."""
    session.warm_up()
    session.phase("", [lambda: _add(session, contrast_limits=(0, 60000))])
    session.phases.pop("")

    def turn() -> None:
        session.viewer.dims.ndisplay = 3

    session.phase("turn to 3-D", [turn])

    def orbit(step: int) -> None:
        session.camera.angles = (5.0, 3.0 * step, 40.0)

    def zoom() -> None:
        session.camera.zoom *= 1.1

    session.phase("orbit", [lambda s=s: orbit(s) for s in range(24)], step_ms=40)
    session.phase("zoom in 3-D", [zoom] * 16, step_ms=40)


def labels(session: Session) -> None:
    """Open labels and zoom in."""
    session.warm_up()
    levels = session.data.levels
    size = levels[0].shape[-1]
    session.phase("open labels", [lambda: session.peer.add_labels(session.viewer, levels)])
    camera = session.camera
    overview = (camera.center[-2], camera.center[-1], camera.zoom)
    place = (0.317 * size, 0.554 * size, 1.0)
    session.phase(
        "zoom in labels",
        [lambda c=c: session.look_at(*c) for c in geometric(overview, place, 40)],
    )


def export(session: Session) -> None:
    """Write the figure of a large image that was just opened."""
    session.warm_up()
    levels = session.data.levels
    session.phase("", [lambda: _add(session)])
    session.phases.pop("")
    session.phase(
        "export figure",
        [lambda: session.viewer.export_figure(scale_factor=1600 / levels[0].shape[-1])],
    )


def _small(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, np.uint8)


SCENARIOS = {
    "browse": Scenario(browse, ALL_2D, "plane"),
    "first": Scenario(first_layer, ("ram",), "none"),
    "small": Scenario(small, ("ram",), "none"),
    "channels": Scenario(channels, ("ram", "disk", "http-50ms"), "plane"),
    "twenty": Scenario(twenty, ("ram",), "none"),
    "sliders": Scenario(sliders, ("ram", "disk", "http-50ms"), "stack"),
    "volume": Scenario(volume, ("ram", "disk", "http-50ms"), "volume"),
    "labels": Scenario(labels, ("ram", "disk", "http-50ms"), "labels"),
    "export": Scenario(export, ("ram", "http-50ms"), "plane"),
}
