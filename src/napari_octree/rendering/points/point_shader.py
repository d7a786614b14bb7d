"""The shaders of points: vispy's own markers with other vertices.

Invariants: a pixel of a marker is coloured by vispy's own code, taken at run time; so points look
as napari's do. A program is compiled once for each symbol, kind of colour and way of drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

from vispy.visuals.markers import symbol_aliases, symbol_shaders
from vispy.visuals.shaders import Function

from napari_octree.layers.points.point_look import PointLook
from napari_octree.rendering._vispy import marker_fragment_template, marker_lighting
from napari_octree.rendering.gpu.shader_text import shader_text

_TIGHT = {"disc", "ring", "square", "vbar", "hbar", "cross"}
"""Symbols whose borders grow by no more than their width."""


@dataclass(frozen=True)
class ShaderParts:
    """What a program is made for.

    Attributes
    ----------
    symbol : str
    face, border : str
        "one" colour for all, "between" colours, or the "number" of a colour.
    own_size, filters : bool
        Whether points have sizes of their own, and whether some may be hidden.
    spherical, instanced : bool
    """

    symbol: str
    face: str
    border: str
    own_size: bool
    filters: bool
    spherical: bool
    instanced: bool

    @classmethod
    def of(cls, look: PointLook, attributes: tuple[str, ...], instanced: bool) -> ShaderParts:
        """Return what a look needs."""
        symbol = symbol_aliases.get(look.symbol, look.symbol)
        face, border = (
            "one" if colour.column is None else ("number" if colour.nearest else "between")
            for colour in (look.face, look.border)
        )
        sizes, filters = "a_size" in attributes, "a_filter" in attributes
        return cls(symbol, face, border, sizes, filters, look.spherical, instanced)

    @property
    def vertex(self) -> str:
        """The template of the vertex shader."""
        source = shader_text("points/points.vert")
        names = {
            "$face": _colour("face", self.face),
            "$border": _colour("border", self.border),
            "$size": "a_size" if self.own_size else "1.0",
            "$shown": "a_filter >= u_shown.x && a_filter <= u_shown.y" if self.filters else "true",
            "$margin": "1.0" if self.symbol in _TIGHT else "4.0",
        }
        for name, value in names.items():
            source = source.replace(name, value)
        used = [
            ("a_face", self.face != "one"),
            ("a_border", self.border != "one"),
            ("a_size", self.own_size),
            ("a_filter", self.filters),
        ]
        declared = "".join(f"attribute float {name};\n" for name, wanted in used if wanted)
        return source.replace("attribute vec3 a_place;\n", f"attribute vec3 a_place;\n{declared}")

    @property
    def fragment(self) -> str:
        """The template of the fragment shader: vispy's.

        Where a fragment lies in its point is named here, not set as a value: vispy takes another
        value for one of the former variable.
        """
        coordinate = "$texcoord" if self.instanced else "gl_PointCoord"
        return marker_fragment_template().replace("$pointcoord", coordinate)

    @property
    def lighting(self) -> str:
        """Its functions of light."""
        return marker_lighting(self.spherical)

    def marker(self) -> Function:
        """Make the function that knows the symbol's shape."""
        return Function(
            "float symbol(vec2 pointcoord, float size, int symbol) {\n"
            f"{symbol_shaders[self.symbol]}\n}}"
        )

    def set_place(self) -> Function:
        """Make the function that places a vertex."""
        name = "place_quad" if self.instanced else "place_point"
        return Function(shader_text(f"points/{name}.vert"))


def _colour(part: str, kind: str) -> str:
    if kind == "one":
        return f"texture2D(u_{part}_table, vec2(0.5))"
    return f"colour_{kind}(a_{part}, u_{part}_range, u_{part}_unknown, u_{part}_table)"
