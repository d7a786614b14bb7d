"""A view of a viewer as a value: camera and sliders, as a link that can be shared.

Invariants: frozen; a link is one line of text without spaces, and holds no names or addresses.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, unquote

SCHEME = "octree-view:"


@dataclass(frozen=True)
class ViewerView:
    """Where a viewer looks.

    Attributes
    ----------
    center : tuple of 3 float
        World coordinates.
    zoom : float
        Canvas pixels per world unit.
    angles : tuple of 3 float
        Degrees.
    perspective : float
    ndisplay : int
    order : tuple of int
    point : tuple of float
        Sliders, world coordinates.
    """

    center: tuple[float, ...]
    zoom: float
    angles: tuple[float, ...] = (0.0, 0.0, 90.0)
    perspective: float = 0.0
    ndisplay: int = 2
    order: tuple[int, ...] = ()
    point: tuple[float, ...] = ()

    @classmethod
    def of(cls, viewer: Any) -> ViewerView:
        """Take the view of a viewer."""
        camera, dims = viewer.scene.camera, viewer.dims
        return cls(
            center=tuple(float(x) for x in camera.center),
            zoom=float(camera.zoom),
            angles=tuple(float(x) for x in camera.angles),
            perspective=float(camera.perspective),
            ndisplay=int(dims.ndisplay),
            order=tuple(int(axis) for axis in dims.order),
            point=tuple(float(x) for x in dims.point),
        )

    def apply(self, viewer: Any) -> None:
        """Have a viewer look there; axes that it does not have are left out."""
        dims, camera = viewer.dims, viewer.scene.camera
        if len(self.order) == dims.ndim:
            dims.order = self.order
        dims.ndisplay = self.ndisplay
        for axis, value in enumerate(reversed(self.point), 1):
            if axis <= dims.ndim:
                dims.set_point(dims.ndim - axis, value)
        camera.angles = self.angles
        camera.perspective = self.perspective
        camera.center = self.center
        camera.zoom = self.zoom

    @property
    def link(self) -> str:
        """One line of text for `from_link`."""
        return SCHEME + quote(json.dumps(asdict(self), separators=(",", ":")), safe="{}[]:,.-")

    @classmethod
    def from_link(cls, text: str) -> ViewerView:
        """Read a link.

        Raises
        ------
        ValueError
            It is none; the message says why.
        """
        text = text.strip()
        if not text.startswith(SCHEME):
            raise ValueError(f"no view link: it does not begin with {SCHEME}")
        try:
            return cls.from_dict(json.loads(unquote(text[len(SCHEME) :])))
        except ValueError as error:
            raise ValueError(f"no view link that can be read: {error}") from error

    @classmethod
    def from_dict(cls, said: Any) -> ViewerView:
        """Read what `asdict` has made.

        Raises
        ------
        ValueError
            Something is missing, unknown, or no finite number.
        """
        if not isinstance(said, dict) or not said.keys() <= set(cls.__dataclass_fields__):
            raise ValueError("unknown fields")
        try:
            fields: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in said.items()
            }
            view = cls(**fields)
            numbers = [
                *view.center, view.zoom, *view.angles, view.perspective, *view.point, *view.order,
            ]  # fmt: skip
            finite = all(math.isfinite(float(number)) for number in numbers)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if not finite or len(view.center) not in (2, 3) or len(view.angles) != 3:
            raise ValueError("numbers that are not finite, or too few")
        if view.zoom <= 0 or view.ndisplay not in (2, 3):
            raise ValueError("a zoom or a number of dimensions that cannot be")
        if sorted(view.order) != list(range(len(view.order))):
            raise ValueError("an order of axes that is none")
        return view
