"""DensityPicture: the points of a flat set that are not drawn, as an image under those that are.

Where points are denser than pixels, or than the budget, a node's rectangle shows what is missing
of it: with the brightness that the missing points would have, drawn at random over one another. So
there is no jump where they come to be drawn themselves, and nothing where all of them are.

Invariants: GUI thread with a current GL context. Counts come from the set's `DensityGrid`, in
memory; a texture holds those of the whole set, in cells of about a point, and is made anew when
that changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from vispy.gloo import Program, Texture2D, VertexBuffer

from napari_octree.octree.points.density_grid import DensityGrid, halved
from napari_octree.rendering.gpu.shader_text import shader_text
from napari_octree.rendering.points.density_legend import DensityScale

VERTEX = np.dtype(
    [("a_place", np.float32, 4), ("a_texel", np.float32, 2), ("a_missing", np.float32)]
)

_CORNERS = np.array([(0, 0), (1, 0), (0, 1), (1, 0), (1, 1), (0, 1)], float)


@dataclass(frozen=True, eq=False)
class DensityFrame:
    """What a frame shows of a density.

    Attributes
    ----------
    key : object
        Of the set and the slab: another one is another texture.
    grid : DensityGrid
    weights : (planes,) float64
    lows, highs : (n, 2) float64
        Rectangles, (row, column) in data units.
    missing : (n,) float64
        The part of the points of each that is not drawn.
    matrix : (4, 4) float64
        From data coordinates (x, y, z) to clip space, for row vectors.
    pixels : float
        Framebuffer pixels of a square data unit.
    dot : float
        Pixels that a point covers.
    reach : float
        Radius of a point in pixels: over so much it spreads what it adds.
    colour : four floats
    mode : {"points", "linear", "log"}
    """

    key: object
    grid: DensityGrid
    weights: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    missing: np.ndarray
    matrix: np.ndarray
    pixels: float
    dot: float
    reach: float
    colour: tuple[float, ...]
    mode: str


class DensityPicture:
    """The texture and the program."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._pictures: list[np.ndarray] = []
        self._most: dict[int, float] = {}
        self._key: object = None
        self._shown = -1

    def draw(self, frame: DensityFrame) -> None:
        """Draw a frame; blending is set by the caller."""
        program = self._program
        if program is None:
            program = self._program = Program(
                shader_text("points/density.vert"), shader_text("points/density.frag")
            )
        self._keep(frame)
        level = self._level(frame)
        picture = self._pictures[level]
        if level != self._shown:
            self._shown = level
            program["u_counts"] = Texture2D(
                picture[..., np.newaxis], internalformat="r32f", interpolation="linear"
            )
        side = frame.grid.plan.side * 2.0**level
        program["u_colour"] = tuple(frame.colour)
        program["u_per_pixel"] = 1 / max(frame.pixels * side * side, 1e-30)
        program["u_dot"] = frame.dot
        program["u_mode"] = ("points", "linear", "log").index(frame.mode)
        program["u_most"] = max(self._densest(level), 1e-30)
        program.bind(VertexBuffer(self._vertices(frame, picture.shape, side)))
        program.draw("triangles")

    def scale(self, frame: DensityFrame) -> DensityScale | None:
        """Return what its brightest place stands for; None where it stands for points."""
        if frame.mode == "points":
            return None
        self._keep(frame)
        level = self._level(frame)
        return DensityScale(
            frame.mode, self._densest(level), frame.grid.plan.side * 2.0**level, frame.colour[:3]
        )

    def _keep(self, frame: DensityFrame) -> None:
        """Make the finest picture of another set or slab."""
        if frame.key != self._key:
            self._key, self._shown = frame.key, -1
            self._pictures, self._most = [frame.grid.picture(frame.weights)], {}

    def _densest(self, level: int) -> float:
        if level not in self._most:
            self._most[level] = float(self._pictures[level].max(initial=0))
        return self._most[level]

    def _level(self, frame: DensityFrame) -> int:
        """Return the coarseness at which a cell is as large as a point, and make its picture.

        Points spread what they add; a picture of sharper cells would be too dark between them.
        """
        cell = frame.grid.plan.side * math.sqrt(frame.pixels)
        least = math.sqrt(math.pi) * frame.reach if frame.mode == "points" else 1.0
        wanted = max(round(math.log2(max(least, 1.0) / max(cell, 1e-9))), 0)
        while len(self._pictures) <= wanted and min(self._pictures[-1].shape) > 1:
            self._pictures.append(halved(self._pictures[-1]))
        return min(wanted, len(self._pictures) - 1)

    @staticmethod
    def _vertices(frame: DensityFrame, shape: tuple[int, ...], side: float) -> np.ndarray:
        """Make the triangles of the rectangles."""
        sides = frame.highs - frame.lows
        corners = frame.lows[:, np.newaxis] + _CORNERS * sides[:, np.newaxis]
        points = np.zeros((*corners.shape[:2], 4))
        points[..., 0], points[..., 1] = corners[..., 1], corners[..., 0]
        points[..., 3] = 1
        vertices = np.zeros(corners.shape[0] * 6, VERTEX)
        vertices["a_place"] = (points @ frame.matrix).reshape(-1, 4)
        texels = (corners - frame.grid.low) / (np.array(shape) * side)
        vertices["a_texel"] = texels[..., ::-1].reshape(-1, 2)
        vertices["a_missing"] = np.repeat(frame.missing, 6)
        return vertices


def mean_colour(table: np.ndarray, colours: Any) -> tuple[float, ...]:
    """Return the mean colour of a sample, or the only one there is."""
    some = np.asarray(table if not len(colours) else colours, float).reshape(-1, 4)
    mean = some.mean(axis=0)
    return tuple(float(c) for c in mean)
