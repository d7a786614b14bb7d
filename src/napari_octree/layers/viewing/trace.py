"""A trace: what a viewer showed over time, as a small JSON file.

Invariants: frozen; times never go back; a step holds only what has changed since the one before.
A file holds no names, paths or addresses: layers are counted from below.

A file looks like this::

    {"format": "napari-octree trace", "version": 1, "canvas": [800, 600], "steps": [
     {"t": 0, "view": {"center": [0, 50, 50], "zoom": 2, …}, "looks": {"0": {"gamma": 1, …}}},
     {"t": 0.016, "view": {"zoom": 2.1}}]}
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_octree.layers.viewing.viewer_view import ViewerView

FORMAT = "napari-octree trace"
VERSION = 1
LONGEST_FILE = 256 * 2**20

LOOKS = (
    "visible", "opacity", "blending", "contrast_limits", "gamma", "colormap", "interpolation2d",
    "interpolation3d", "rendering", "iso_threshold", "attenuation", "locked_data_level",
)  # fmt: skip
"""Properties of layers that are recorded, as far as a layer has them."""

Looks = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """What the viewer shows from a time on.

    Attributes
    ----------
    time : float
        Seconds since the begin.
    view : ViewerView
    looks : mapping of int to mapping
        By number of the layer, what of its looks has changed.
    """

    time: float
    view: ViewerView
    looks: Mapping[int, Looks] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """What a viewer showed over time.

    Attributes
    ----------
    steps : tuple of Step
        The first says all.
    canvas : (int, int) or None
        Width and height, in screen pixels.
    """

    steps: tuple[Step, ...]
    canvas: tuple[int, int] | None = None

    @property
    def duration(self) -> float:
        """Seconds from the first step to the last."""
        return self.steps[-1].time - self.steps[0].time if self.steps else 0.0

    def as_json(self) -> str:
        """Return the text of a file."""
        steps: list[dict[str, Any]] = []
        former: dict[str, Any] = {}
        for step in self.steps:
            view = asdict(step.view)
            said: dict[str, Any] = {"t": round(step.time, 4)}
            changed = {key: value for key, value in view.items() if former.get(key) != value}
            if changed:
                said["view"] = changed
            if step.looks:
                said["looks"] = {str(number): dict(own) for number, own in step.looks.items()}
            steps.append(said)
            former = view
        lines = ",\n ".join(json.dumps(step, separators=(",", ":")) for step in steps)
        canvas = json.dumps(self.canvas)
        return (
            f'{{"format": "{FORMAT}", "version": {VERSION}, "canvas": {canvas}, "steps": [\n'
            f" {lines}]}}\n"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file.

        Raises
        ------
        OSError
        """
        Path(path).write_text(self.as_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Read a file.

        Raises
        ------
        ValueError
            It cannot be read, or is no trace; the message names it and says why.
        """
        try:
            if Path(path).stat().st_size > LONGEST_FILE:
                raise ValueError("too large for a trace")
            said = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls.from_dict(said)
        except OSError as error:
            raise ValueError(f"{os.fspath(path)}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{os.fspath(path)}: no trace that can be read: {error}") from error

    @classmethod
    def from_dict(cls, said: Any) -> Trace:
        """Read what a file says.

        Raises
        ------
        ValueError
        """
        if not isinstance(said, Mapping) or said.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if said.get("version") != VERSION:
            raise ValueError(f"its version is {said.get('version')!r}, known is {VERSION}")
        steps: list[Step] = []
        view: dict[str, Any] = {}
        for number, each in enumerate(_list(said.get("steps"))):
            try:
                view |= _mapping(each.get("view", {}))
                step = Step(
                    _time(each.get("t")),
                    ViewerView.from_dict(view),
                    {int(key): _mapping(own) for key, own in each.get("looks", {}).items()},
                )
            except (AttributeError, TypeError, ValueError) as error:
                raise ValueError(f"step {number}: {error}") from error
            if steps and step.time < steps[-1].time:
                raise ValueError(f"step {number}: its time lies before the one before")
            steps.append(step)
        if not steps:
            raise ValueError("it has no steps")
        canvas = said.get("canvas")
        if canvas is not None:
            width, height = (int(n) for n in _list(canvas))
            if not (0 < width <= 20_000 and 0 < height <= 20_000):
                raise ValueError(f"a canvas of {width} × {height} pixels")
            canvas = (width, height)
        return cls(tuple(steps), canvas)


def looks_of(layer: Any) -> dict[str, Any]:
    """The looks of a layer as JSON has them."""
    looks: dict[str, Any] = {}
    for name in LOOKS:
        value = getattr(layer, name, None)
        if name == "colormap":
            value = getattr(value, "name", None)
        if name == "contrast_limits" and value is not None:
            value = [float(v) for v in value]
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, list | str | int | float | bool | None):
            looks[name] = value
    if looks.get("locked_data_level") is None and not hasattr(layer, "locked_data_level"):
        looks.pop("locked_data_level", None)
    return looks


def set_looks(layer: Any, looks: Looks) -> None:
    """Give a layer looks, as far as it can have them: another kind of layer keeps its own."""
    for name, value in looks.items():
        if name not in LOOKS or not hasattr(layer, name):
            continue
        if value is None and name != "locked_data_level":
            continue
        try:
            setattr(layer, name, value)
        except (ValueError, TypeError, KeyError, IndexError):  # a colour map of another machine
            continue


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object is missing")
    return value


def _time(value: Any) -> float:
    time = float(value)
    if not math.isfinite(time):
        raise ValueError("a time that is not finite")
    return time
