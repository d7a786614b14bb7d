"""Subject: a layer as the dock shows it, whatever kind of layer it is.

Invariants: GUI thread; nothing is read: all comes from metadata, from what is in RAM, and from
what the views say. Coordinates are those of the layer's view, along the displayed axes: octree
coordinates of pixels, data coordinates of points.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from qtpy.QtGui import QImage

PLANES = ((1, 2), (0, 2), (1, 0))
"""Axes (down, right) of the three pictures of a volume: xy, xz, and yz turned on its side."""

MOST_PLACES = 4000
"""On the map, of each kind: of the finest levels first."""


@dataclass(frozen=True)
class LevelRow:
    """One level, as text."""

    shape: str
    factor: str
    chunk: str
    tiles: str
    size: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of the map.

    Attributes
    ----------
    axes : tuple of int
        Displayed axes that go down and right.
    image : QImage
    extent : tuple of float
        How long the picture is, down and right.
    origin : tuple of float
        Coordinates of its upper left corner.
    """

    axes: tuple[int, int]
    image: QImage
    extent: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)


class Loaded(Enum):
    """Where something is, or why it is nowhere."""

    ON_GPU = "on the GPU"
    IN_RAM = "in memory, and not on the GPU"
    FAILED = "could not be read"


@dataclass(frozen=True)
class Place:
    """A tile, a brick, a node, or a chunk in memory.

    Attributes
    ----------
    level : int
    box : tuple of (float, float)
        From where to where it lies, per displayed axis.
    state : Loaded
    """

    level: int
    box: tuple[tuple[float, float], ...]
    state: Loaded = Loaded.ON_GPU


class Subject(Protocol):
    """What the dock asks of a layer."""

    @property
    def word(self) -> str:
        """What its parts are called: tiles, bricks, nodes."""
        ...

    @property
    def displayed(self) -> tuple[int, ...]:
        """Axes of the data that are displayed; none where the sliders are outside the data."""
        ...

    @property
    def rank(self) -> int:
        """How many."""
        return len(self.displayed)

    @property
    def described(self) -> object:
        """While it is the same object, so are the `rows`."""
        ...

    def rows(self) -> list[LevelRow]:
        """Describe the levels, finest first."""
        ...

    def counts(self) -> list[tuple[str, str, str]]:
        """By level: what is on the GPU, has failed, and is in RAM (of all slices), as text."""
        ...

    def panels(self) -> list[Panel]:
        """Make the pictures of the map; none while there is nothing to show."""
        ...

    @property
    def loaded(self) -> Hashable:
        """While it is equal, so are the `places`."""
        ...

    def places(self, resident: bool) -> list[Place]:
        """Where parts could not be read, and, if asked for, where they are `resident` or in RAM.

        In the order in which they are to be drawn.
        """
        ...

    def to_data(self, data: np.ndarray, place: Mapping[int, float]) -> None:
        """Set a point in data coordinates to where the map says: by displayed axis."""
        ...


def human_size(nbytes: float) -> str:
    """Bytes in units of 1024, three digits."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if nbytes < 1024 or unit == "PiB":
            return f"{nbytes:.3g} {unit}" if nbytes < 1000 else f"{nbytes:.0f} {unit}"
        nbytes /= 1024
    raise AssertionError("unreachable")


def times(numbers: object) -> str:
    """Numbers as a shape is written."""
    return " × ".join(str(n) for n in numbers)  # type: ignore[attr-defined]


def texts(resident: int, failed: int, cached: float, everything: bool) -> tuple[str, str, str]:
    """One of `Subject.counts`: nothing where there is none; `everything` is in RAM."""
    in_ram = "all" if everything else human_size(cached) if cached else ""
    return (f"{resident:,}" if resident else "", f"{failed:,}" if failed else "", in_ram)


def image_of(rgb: np.ndarray) -> QImage:
    """(rows, columns, 3) uint8 as Qt's picture, which owns its pixels."""
    rgb = np.ascontiguousarray(rgb)
    height, width = rgb.shape[:2]
    return QImage(rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def indexed_image_of(shades: np.ndarray, colours: np.ndarray) -> QImage:
    """(rows, columns) uint8, and the (256, 3) colours from 0 to 1 that they stand for."""
    shades = np.ascontiguousarray(shades)
    height, width = shades.shape
    image = QImage(shades.tobytes(), width, height, width, QImage.Format.Format_Indexed8).copy()
    parts = (np.clip(colours, 0, 1) * 255).astype(np.uint32)
    table = (0xFF << 24) | (parts[:, 0] << 16) | (parts[:, 1] << 8) | parts[:, 2]
    image.setColorTable(table.tolist())
    return image


def finest(places: Sequence[Any]) -> list[Any]:
    """The finest of some places, coarse ones first, so that fine ones are drawn above them."""
    return sorted(places, key=lambda place: -place.level)[-MOST_PLACES:]
