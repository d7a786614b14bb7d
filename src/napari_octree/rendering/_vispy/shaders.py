"""Shaders of vispy's visuals that ours are derived from (vispy 0.17).

Invariant: where vispy has changed them so that ours would no longer fit, it is said loudly.
"""

from __future__ import annotations

import re
from typing import Any

from napari._vispy.visuals.volume import Volume
from vispy import glsl
from vispy.visuals import ImageVisual, MarkersVisual, markers
from vispy.visuals.shaders import Function, FunctionChain

# How vispy asks whether a value is NaN.
_NEITHER = re.compile(r"!\(([\w.]+) <= 0\.0 \|\| 0\.0 <= \1\)")


def image_templates(**ours: str) -> dict[str, str]:
    """The shader templates of vispy's image visual, with some replaced; all of them know NaN."""
    templates = ImageVisual._func_templates.items()
    return {name: knowing_nan(template) for name, template in templates} | ours


def knowing_nan(shader: str) -> str:
    """Have a shader of vispy's know NaN with every compiler.

    vispy asks whether a value is neither below nor above 0. Mesa 26 takes that for true of no
    value and leaves it out. Others are known to do so with the usual test, a value that is not
    equal to itself. So either will do.
    """
    return _NEITHER.sub(r"(\1 != \1 || \g<0>)", shader)


def coloured_with_nan(chain: FunctionChain) -> FunctionChain:
    """Have the colours that vispy's image visual gives to values know NaN (`knowing_nan`)."""
    *others, last = chain.functions
    code = knowing_nan(last._code)
    if code != last._code:  # else its variables, such as gamma of colours, are kept
        chain.functions = [*others, Function(code)]
    return chain


def drawn_as_quads(view: Any) -> None:
    """Tell an image visual's view that it has its method: vertices are given, not made."""
    view._method_used = "subdivide"


def volume_fragment_template() -> str:
    """The template of the fragment shader of vispy's volume visual, as napari has it."""
    return str(Volume._shaders["fragment"])


def clamped_filters() -> str:
    """Vispy's spatial filters with every fetch of the image clamped to the tile.

    Derived at run time, so that our filters are vispy's own, to the bit. `tile_edges` must be
    declared before.
    """
    source = str(glsl.get("misc/spatial-filters.frag"))
    fetch = "texture2D(texture,"
    if fetch not in source:
        raise RuntimeError("vispy's spatial filters have changed: cannot clamp them to tiles")
    define = "#define tile_fetch(t, uv) texture2D(t, clamp(uv, tile_edges.xy, tile_edges.zw))\n"
    return define + source.replace(fetch, "tile_fetch(texture,")


def marker_fragment_template() -> str:
    """The template of the fragment shader of vispy's markers, as napari draws points with it."""
    source = str(MarkersVisual._shaders["fragment"])
    for name in ("$v_size", "$pointcoord", "$marker", "$lighting_functions"):
        if name not in source:
            raise RuntimeError(f"vispy's markers have changed: {name} is not in their shader")
    return source


def marker_lighting(spherical: bool) -> str:
    """The functions of that shader which light a marker as a ball, or leave it flat."""
    return str(markers._SPHERICAL_LIGHTING if spherical else markers._FLAT_LIGHTING)
