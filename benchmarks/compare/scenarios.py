"""What is done: each scenario is a script of phases on a session.

Invariants: a script is the same for every peer; steps come each 25 ms unless said otherwise, as a
mouse wheel sends them. Names of phases are the rows of the tables.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.compare.cameras import (
    CANVAS_SHAPE,
    PAN_PIXELS,
    PAN_STEP_PIXELS,
    REVISIT_STEPS,
    ZOOM_STEPS,
    Camera,
    geometric,
)
from benchmarks.compare.stores import NAMES

if TYPE_CHECKING:
    from benchmarks.compare.session import Session

Needed = list[tuple[int, tuple[slice, ...]]]

NEAR_AND_FAR = ("ram", "disk", "http-50ms")
COVERAGE_ABOVE = 2
"""Levels between those that a view needs and those that cover it at first."""
ALL_2D = (*NEAR_AND_FAR, *(name for name in NAMES if name not in NEAR_AND_FAR))


@dataclass(frozen=True)
class Scenario:
    """A script, and the stores it is worth playing on.

    Attributes
    ----------
    play : callable
    stores : tuple of str
    data : {"plane", "stack", "volume", "labels", "plate", "none"}
        What the folder must hold.
    canvas : (int, int)
        Height and width.
    has_stock : bool
        Stock napari can show it too.
    """

    play: Callable[[Session], None]
    stores: tuple[str, ...]
    data: str
    canvas: tuple[int, int] = CANVAS_SHAPE
    has_stock: bool = True


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
    session.warm_up()
    levels, canvas = session.data.levels, session.canvas
    size = levels[0].shape[0]
    session.extent = (size, size)
    fit = 0.95 * min(canvas) / size
    whole = (size / 2, size / 2, fit)
    opening = needed(levels, whole, canvas, ideal_level(levels, fit))
    top = needed(levels, whole, canvas, len(levels) - 1)
    session.phase("open", [lambda: _add(session, colormap="viridis")], needed=[*top, *opening])
    overview = _camera(session)
    place = (0.317 * size, 0.554 * size, 1.0)
    far = (0.81 * size, 0.23 * size, 1.0)
    steps = round(PAN_PIXELS / PAN_STEP_PIXELS)
    pan = min(PAN_PIXELS, 0.15 * size) / steps
    pans = [(place[0], place[1] + pan * step, 1.0) for step in range(1, steps + 1)]
    session.phase("zoom in", _looks(session, geometric(overview, place, ZOOM_STEPS)))
    session.phase("pan", _looks(session, pans))
    session.phase(
        "jump",
        _looks(session, [far]),
        needed=needed(levels, far, canvas, 0),
        coverage=needed(levels, far, canvas, min(COVERAGE_ABOVE, len(levels) - 1)),
    )
    session.phase("zoom out", _looks(session, geometric(far, overview, ZOOM_STEPS)))
    session.phase("revisit", _looks(session, geometric(overview, place, REVISIT_STEPS)))
    if session.idles and session.peer.name == "ours" and not session.watch:
        session.idle()


def _looks(session: Session, cameras: Iterable[Camera]) -> list[Callable[[], None]]:
    return [lambda camera=camera: session.look_at(*camera) for camera in cameras]


def _camera(session: Session) -> Camera:
    camera = session.camera
    return camera.center[-2], camera.center[-1], camera.zoom


def first_layer(session: Session) -> None:
    """The first layer in a window: a small image in memory."""
    pixels = _small((512, 512))
    session.extent = (512, 512)
    session.phase("first layer", [lambda: session.peer.add_image(session.viewer, [pixels])])


def small(session: Session) -> None:
    """A small image in memory: added again and again; its slider moved."""
    session.warm_up()
    pixels = _small((512, 512))
    for number in range(4):
        session.phase(
            f"add small {number}", [lambda: session.peer.add_image(session.viewer, [pixels])]
        )
        session.viewer.layers.clear()
        session.phase("", [])
    session.phases.pop("")
    stack = _small((64, 512, 512))
    session.phase("", [lambda: session.peer.add_image(session.viewer, [stack])])
    session.phases.pop("")
    for number in range(7):
        session.phase(
            f"slider small {number}",
            [lambda z=number: session.viewer.dims.set_current_step(0, 7 * z % 64)],
        )


def channels(session: Session) -> None:
    """Four additive channels of the same pixels: open, zoom in, write the figure."""
    session.warm_up()
    levels = session.data.levels
    size = levels[0].shape[-1]
    session.extent = (size, size)

    def add() -> None:
        for color in ("red", "green", "blue", "gray"):
            session.peer.add_image(session.viewer, levels, colormap=color, blending="additive")

    session.phase("open 4 channels", [add])
    place = (0.317 * size, 0.554 * size, 1.0)
    journey = geometric(_camera(session), place, ZOOM_STEPS)
    session.phase("zoom in 4 channels", _looks(session, journey))
    session.phase(
        "export figure", [lambda: session.viewer.export_figure(scale_factor=1600 / size)]
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
    """Scrub the slider of a stack of planes: 25 steps in a second, one step back, then play."""
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
    dims = session.viewer.window._qt_viewer.dims
    waiting = [lambda: None] * 50
    session.phase("play", [lambda: dims.play(0, fps=10), *waiting, dims.stop], step_ms=40)


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
    place = (0.317 * size, 0.554 * size, 1.0)
    journey = geometric(_camera(session), place, ZOOM_STEPS)
    session.phase("zoom in labels", _looks(session, journey))


def plate(session: Session) -> None:
    """Open a plate of 96 wells, each of four fields, and go to one of its cells."""
    from napari_octree import open_ome_zarr

    session.warm_up()
    assert session.data.address is not None
    layers = open_ome_zarr(session.data.address)

    def add() -> None:
        for layer in layers:
            session.viewer.add_layer(layer)

    session.phase("open plate", [add])
    y, x, zoom = _camera(session)
    cell = (0.6 * y, 0.7 * x, 2 / layers[0].scale[-1])
    journey = geometric((y, x, zoom), cell, ZOOM_STEPS)
    session.phase("zoom to a cell", _looks(session, journey))


def _small(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, np.uint8)


SCENARIOS = {
    "browse": Scenario(browse, ALL_2D, "plane"),
    "first": Scenario(first_layer, ("ram",), "none"),
    "small": Scenario(small, ("ram",), "none"),
    "channels": Scenario(channels, NEAR_AND_FAR, "plane"),
    "twenty": Scenario(twenty, ("ram",), "none"),
    "sliders": Scenario(sliders, NEAR_AND_FAR, "stack"),
    "volume": Scenario(volume, NEAR_AND_FAR, "volume"),
    "labels": Scenario(labels, NEAR_AND_FAR, "labels"),
    "plate": Scenario(plate, ("disk", "http-50ms"), "plate", has_stock=False),
    "browse 1080p": Scenario(browse, NEAR_AND_FAR, "plane", (1080, 1920)),
}
