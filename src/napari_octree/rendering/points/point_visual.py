"""PointsVisual: nodes of points, drawn with one call each.

Invariants: GUI thread. `on_prepare` is the first act of every draw and does a frame's work; what
is drawn is told by `set_nodes`; a change of the look sends uniforms and small textures only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from vispy.gloo import Texture2D, VertexBuffer, set_state
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual
from vispy.visuals.filters.clipping_planes import PlanesClipper
from vispy.visuals.shaders import Variable

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.points.point_look import PointColour, PointLook
from napari_octree.rendering import _vispy
from napari_octree.rendering.points.density_legend import DensityScale
from napari_octree.rendering.points.density_picture import DensityFrame, DensityPicture
from napari_octree.rendering.points.dot_profile import Dot, dot_profile, drawn_size
from napari_octree.rendering.points.point_shader import ShaderParts
from napari_octree.rendering.points.vertex_layout import PLACE

LARGEST_SPRITE = 24.0
"""Pixels. Larger points are quads: some drivers bound the size of sprites, and all may leave out
one whose centre is off the canvas."""

_CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]], np.float32)


@dataclass(frozen=True, eq=False)
class DrawnNode:
    """A node in a frame.

    Attributes
    ----------
    first, count : int
        Its vertices in the buffer.
    matrix : (4, 4) float32
        From its own coordinates, −1 … 1, to clip space, for row vectors.
    """

    first: int
    count: int
    matrix: np.ndarray


@dataclass(frozen=True)
class Optics:
    """What a frame knows of the canvas.

    Attributes
    ----------
    pixel : (float, float)
        A pixel of the framebuffer in clip coordinates.
    per_unit : (float, float)
        Pixels, and depth, that a data unit spans where w = 1.
    """

    pixel: tuple[float, float] = (1.0, 1.0)
    per_unit: tuple[float, float] = (1.0, 1.0)


class OctreePointsVisual(Visual):
    """Points in slots of a vertex buffer.

    Parameters
    ----------
    on_prepare : callable
        Called with the visual, first in every draw.
    look : PointLook
    """

    def __init__(self, on_prepare: Callable[[Any], None], look: PointLook) -> None:
        self._on_prepare = on_prepare
        parts = ShaderParts.of(look, (), True)
        super().__init__(vcode=parts.vertex, fcode=parts.fragment)
        self.unfreeze()
        self._clip_filter = PlanesClipper()
        self._look = look
        self._optics = Optics()
        self._nodes: Sequence[DrawnNode] = ()
        self._buffer: VertexBuffer | None = None
        self._attributes: tuple[str, ...] = ()
        self._parts: ShaderParts | None = None
        self._bound: tuple[Any, ...] = ()
        self._quad = VertexBuffer(_CORNERS)
        self._tables: dict[str, np.ndarray] = {}
        self._density: DensityFrame | None = None
        self._picture = DensityPicture()
        self._broken = False
        self._draw_mode = "points"
        self._scale = 1.0
        self.attach(self._clip_filter)
        self.set_gl_state("translucent", depth_test=True)
        self._set_uniforms()
        self.freeze()

    # -------------------------------------------------------- what is drawn, and how

    @property
    def clipping_planes(self) -> Any:
        """As of any of napari's nodes."""
        return self._clip_filter.clipping_planes

    @clipping_planes.setter
    def clipping_planes(self, value: Any) -> None:
        self._clip_filter.clipping_planes = value

    def set_look(self, look: PointLook, scale: float) -> None:
        """Draw points like this; `scale` is by what napari multiplies sizes."""
        self._look, self._scale = look, scale
        self._set_uniforms()
        self.update()

    def set_buffer(self, buffer: VertexBuffer | None, attributes: tuple[str, ...]) -> None:
        """Draw from this buffer."""
        self._buffer, self._attributes = buffer, attributes
        self._nodes = ()

    def set_density(self, frame: DensityFrame | None) -> DensityScale | None:
        """Draw this under the points; None: nothing. Returns what it means if it is an image."""
        self._density = frame
        return None if frame is None else self._picture.scale(frame)

    def set_nodes(self, nodes: Sequence[DrawnNode], optics: Optics) -> None:
        """Draw these, in this order."""
        self._nodes, self._optics = nodes, optics

    def dot(self, optics: Optics, face: tuple[float, ...], edge: tuple[float, ...]) -> Dot:
        """Return what a point of these colours adds to a picture."""
        look, pixels = self._look, optics.per_unit[0]
        size = look.size * self._scale * pixels
        width = look.border_width * (size if look.border_is_relative else self._scale * pixels)
        drawn, border = drawn_size(size, min(width, size), look.canvas_sizes)
        return dot_profile(drawn, border, look.antialiasing, face, edge)

    @property
    def largest(self) -> float:
        """Pixels of the largest point that may be drawn, if all have one size."""
        look = self._look
        size = look.size * self._scale * self._optics.per_unit[0]
        size = min(max(size, look.canvas_sizes[0]), look.canvas_sizes[1])
        border = look.border_width * (size if look.border_is_relative else 1)
        return float(size + 4 * border + 8 * look.antialiasing)

    # -------------------------------------------------------------------- the seam

    def _prepare_transforms(self, view: Any) -> None:
        """Leave the transforms to the matrices of the nodes."""

    def _prepare_draw(self, view: Any) -> bool | None:
        self._on_prepare(self)
        return None if self._density is not None or self._nodes else False

    def _compute_bounds(self, axis: int, view: Any) -> None:
        return None

    def draw(self) -> None:
        """Draw the density and the nodes. Never raises: napari would lose the canvas."""
        if self._broken or not self.visible or self._prepare_draw(self) is False:
            return
        try:
            self._draw()
        except Exception as error:  # of GL or of a shader: the draw path must not raise
            self._broken = True
            MAIN_LOOP.post(functools.partial(_raise, error))

    def _draw(self) -> None:
        if self._density is not None:
            self._configure_gl_state()
            set_state(depth_test=False)
            self._picture.draw(self._density)
        buffer = self._buffer
        if not self._nodes or buffer is None:
            return
        sprites = "a_size" not in self._attributes and self.largest <= LARGEST_SPRITE
        instanced = not sprites
        self._compile(ShaderParts.of(self._look, self._attributes, instanced))
        self._bind(buffer, instanced)
        program = self.shared_program
        program["u_pixel"] = self._optics.pixel
        program["u_per_unit"] = self._optics.per_unit
        program["u_node"] = self._nodes[0].matrix
        self._configure_gl_state()
        ranges = [(node.first, node.count, {"u_node": node.matrix}) for node in self._nodes]
        _vispy.draw_ranges(self._program, buffer, ranges, instanced)

    def _compile(self, parts: ShaderParts) -> None:
        if parts == self._parts:
            return
        program = self.shared_program
        program.vert, program.frag = parts.vertex, parts.fragment
        size, texcoord = Variable("varying float v_size"), Variable("varying vec2 v_texcoord")
        marker, place = parts.marker(), parts.set_place()
        program.vert["v_size"] = program.frag["v_size"] = marker["v_size"] = size
        program.frag["marker"] = marker
        program.frag["lighting_functions"] = parts.lighting
        program.vert["set_place"] = place
        if parts.instanced:
            place["texcoord"], place["corner"] = texcoord, self._quad
            program.frag["texcoord"] = texcoord
        self._parts, self._bound = parts, ()
        self._set_uniforms(tables_too=True)

    def _bind(self, buffer: VertexBuffer, instanced: bool) -> None:
        bound = (buffer, self._attributes, instanced)
        if bound == self._bound:
            return
        for name in (PLACE, *self._attributes):
            view = buffer[name]
            view.divisor = 1 if instanced else None
            self.shared_program[name] = view
        self._bound = bound

    def _set_uniforms(self, tables_too: bool = False) -> None:
        program, look, scale = self.shared_program, self._look, self._scale
        relative = look.border_is_relative
        program["u_point_size"] = look.size * scale
        program["u_border_width"] = (
            (look.border_width, 0.0) if relative else (0.0, look.border_width * scale)
        )
        program["u_antialias"] = look.antialiasing
        program["u_canvas_sizes"] = look.canvas_sizes
        shown = look.filter
        ends = (0.0, 0.0)
        if shown is not None:
            ends = (shown.low - shown.origin, shown.high - shown.origin)
        program["u_shown"] = ends
        program["u_spherical"] = look.spherical
        program["u_alpha"] = 1.0
        light = np.array([1.0, -1.0, 1.0])
        program["u_light_position"] = light / np.linalg.norm(light)
        program["u_light_color"] = (1.0, 1.0, 1.0)
        program["u_light_ambient"] = 0.3
        for part, colour in (("face", look.face), ("border", look.border)):
            self._set_colour(part, colour, tables_too)

    def _set_colour(self, part: str, colour: PointColour, tables_too: bool) -> None:
        program, table = self.shared_program, colour.table
        rows, columns = table.shape[:2]
        span = colour.high - colour.low
        low = colour.low - colour.origin
        program[f"u_{part}_range"] = (low, 1 / span if span else 0.0, columns, rows)
        program[f"u_{part}_unknown"] = colour.unknown
        former = self._tables.get(part)
        if tables_too or former is None or not np.array_equal(former, table):
            smooth = "nearest" if colour.nearest or columns == 1 else "linear"
            program[f"u_{part}_table"] = Texture2D(
                table, internalformat="rgba32f", interpolation=smooth
            )
            self._tables[part] = table


def _raise(error: Exception) -> None:
    """Let the user know through napari's notifications, outside of the draw."""
    raise error


OctreePoints = create_visual_node(OctreePointsVisual)
