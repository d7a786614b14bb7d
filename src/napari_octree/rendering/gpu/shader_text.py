"""The texts of the GLSL files in `shaders/`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_SHADERS = files("napari_octree.rendering") / "shaders"


@cache
def shader_text(name: str) -> str:
    """Return the text of a file, named with its folder as in "tiles/overlay.glsl"."""
    return (_SHADERS / name).read_text(encoding="utf-8")
