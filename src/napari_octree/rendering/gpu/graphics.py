"""What draws: the name of the GPU, for reports.

Invariants: GUI thread; no context is made for it.
"""

from __future__ import annotations

from vispy.gloo import gl
from vispy.gloo.context import get_current_canvas

SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software")


def draws_in_software() -> bool:
    """Whether the processor draws, as far as GL's name of the renderer tells."""
    name = graphics_name().lower()
    return any(word in name for word in SOFTWARE)


def graphics_name() -> str:
    """Return GL's name and version of the renderer; "unknown" before anything was drawn."""
    if get_current_canvas() is None:
        return "unknown"
    names = [str(gl.glGetParameter(key)) for key in (gl.GL_RENDERER, gl.GL_VERSION)]
    return ", ".join(name for name in names if name) or "unknown"
