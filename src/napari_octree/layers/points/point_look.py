"""PointLook: how points are drawn, as a value that shaders are given.

Invariants: immutable. A change of anything but `columns` changes uniforms and small textures only:
no point is sent to the GPU again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_octree.sources.points.feature import Feature, relative
from napari_octree.sources.points.points_source import POSITION, column_of

__all__ = [
    "POSITION",
    "PointColour",
    "PointFilter",
    "PointLook",
    "codes_of",
    "relative",
    "table_of",
]

SHADES = 2048
"""Colours of a continuous colour map: finer than 8 bits can show."""

WIDEST = 2048
"""Colours in a row of a table."""

RGBA = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class PointColour:
    """The colour of faces or borders.

    Attributes
    ----------
    column : str or None
        What it follows; None: all have the same.
    table : (rows, columns, 4) float32
        The colours; one if all have the same.
    low, high : float
        Values of the first and the last colour.
    nearest : bool
        Whether values are numbers of colours, and not mixed.
    origin : float
        From which values are given to the GPU: float32 tells them apart from there.
    unknown : RGBA
        Of NaN, and of what has no colour.
    """

    column: str | None
    table: np.ndarray = field(repr=False)
    low: float = 0.0
    high: float = 1.0
    nearest: bool = False
    origin: float = 0.0
    unknown: RGBA = (0.0, 0.0, 0.0, 0.0)

    @classmethod
    def uniform(cls, colour: Sequence[float]) -> PointColour:
        """One colour for all points."""
        return cls(None, np.asarray(colour, np.float32).reshape(1, 1, 4))


@dataclass(frozen=True, eq=False)
class PointFilter:
    """Which points are shown, by a feature.

    Attributes
    ----------
    feature : str
    low, high : float
        What is shown, both ends included. NaN is not.
    origin : float
        As that of colours.
    """

    feature: str
    low: float
    high: float
    origin: float = 0.0

    @property
    def column(self) -> str:
        """The feature's column."""
        return column_of(self.feature)


@dataclass(frozen=True, eq=False)
class PointLook:
    """All that decides how a point looks.

    Attributes
    ----------
    face, border : PointColour
    size : float
        In data units, of all points; a factor where they have sizes of their own.
    size_column : str or None
    symbol : str
        A name of vispy's.
    border_width : float
    border_is_relative : bool
        To the size; else in data units.
    antialiasing : float
        Pixels of the canvas.
    canvas_sizes : (float, float)
        Least and greatest size in pixels of the canvas.
    spherical : bool
        Lit as balls.
    filter : PointFilter or None
    """

    face: PointColour
    border: PointColour
    size: float
    size_column: str | None = None
    symbol: str = "disc"
    border_width: float = 0.05
    border_is_relative: bool = True
    antialiasing: float = 1.0
    canvas_sizes: tuple[float, float] = (2.0, 10000.0)
    spherical: bool = False
    filter: PointFilter | None = None

    @property
    def columns(self) -> tuple[str | None, str | None, str | None, str | None]:
        """What each point must bring: face, border, size and filter; None where it is nothing."""
        shown = None if self.filter is None else self.filter.column
        return self.face.column, self.border.column, self.size_column, shown

    @property
    def origins(self) -> tuple[float, float, float, float]:
        """From what each of `columns` is given to the GPU."""
        shown = 0.0 if self.filter is None else self.filter.origin
        return self.face.origin, self.border.origin, 0.0, shown


def table_of(colours: np.ndarray) -> np.ndarray:
    """(N, 4) colours as rows of a texture, in whose texels number i is (i // width, i % width)."""
    n = max(len(colours), 1)
    width = min(n, WIDEST)
    table = np.zeros((-(-n // width), width, 4), np.float32)
    table.reshape(-1, 4)[: len(colours)] = colours
    return table


def codes_of(feature: Feature, wanted: Sequence[str]) -> tuple[float, float]:
    """Return the range of codes of some categories that lie side by side.

    Raises
    ------
    ValueError
        One of them is unknown, or others lie between them.
    """
    names = feature.categories or ()
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"{feature.name!r} has no category {unknown[0]!r}")
    codes = sorted(names.index(name) for name in wanted)
    if codes != list(range(codes[0], codes[-1] + 1)):
        raise ValueError(f"these categories of {feature.name!r} do not lie side by side: {wanted}")
    return float(codes[0]), float(codes[-1])
