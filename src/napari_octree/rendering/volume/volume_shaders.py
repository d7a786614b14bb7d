"""The ray caster's shaders, put together from their files.

Invariants: contrast, colour maps and lighting are vispy's own functions, to the bit, taken from
its volume at run time; a mode is a file of five named sections. Pure: strings in, strings out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from napari_octree.rendering._vispy import volume_fragment_template
from napari_octree.rendering.gpu.shader_text import shader_text

MODES = ("mip", "minip", "attenuated_mip", "translucent", "additive", "average", "iso")

_CLIP_PLANE = """
    approach = dot($plane{n}.xyz, direction);
    inside = dot($plane{n}.xyz, origin) + $plane{n}.w;
    if (approach > 0.0) interval.x = max(interval.x, -inside / approach);
    else if (approach < 0.0) interval.y = min(interval.y, -inside / approach);
    else if (inside < 0.0) interval.y = -1e30;
"""
_CLIP = """
vec2 clip_ray(vec3 origin, vec3 direction) {{
    vec2 interval = vec2(-1e30, 1e30);
    float approach;
    float inside;
    {planes}
    return interval;
}}
"""


@cache
def volume_fragment_shader(*more: str) -> str:
    """Return the template of the fragment shader, with the functions that are vispy's own.

    Parameters
    ----------
    *more : str
        Files with functions that the modes need.
    """
    prelude, main, _ = volume_fragment_template().partition("void main()")
    if not main or "applyColormap" not in prelude or "calculateColor" not in prelude:
        raise RuntimeError("vispy's volume shader has changed: cannot take its functions")
    names = ("bricks.glsl", *more, "brick_overlay.glsl", "brick_volume.frag")
    own = "".join(shader_text(f"volume/{name}") for name in names)
    return f"varying vec2 v_clip;\n{prelude}{own}"


@cache
def mode_sections(mode: str) -> Mapping[str, str]:
    """Return the sections of a mode's file.

    before_loop, in_loop and after_loop as vispy's; skip_test tells from a range of values whether
    its place can be passed by, cell_test whether cells of the brick may be where the brick is not.
    `//: include NAME` takes those of another file.
    """
    sections: dict[str, str] = {}
    for part in shader_text(f"volume/modes/{mode}.glsl").split("//: ")[1:]:
        title, _, code = part.partition("\n")
        what, _, name = title.strip().partition(" ")
        if what == "include":
            sections |= mode_sections(name)
        else:
            sections[what] = code
    return sections


def clipping_function(planes: int) -> str:
    """Return the function that cuts a ray by so many planes, each a `$plane` of its own."""
    return _CLIP.format(planes="".join(_CLIP_PLANE.format(n=n) for n in range(planes)))
