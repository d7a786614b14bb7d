"""What a canvas draws to: its size, its queue of GL commands, other targets (vispy 0.17)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from OpenGL import GL
from vispy.geometry import Rect
from vispy.gloo import FrameBuffer, gl
from vispy.gloo.context import GLContext
from vispy.scene.cameras import PanZoomCamera


def camera_rect(camera: PanZoomCamera) -> Rect:
    """What a 2-D camera shows, in scene coordinates: widened to the canvas' proportions."""
    return camera._real_rect


def flush(context: GLContext) -> None:
    """Send everything that vispy has queued to GL now: only then it costs time."""
    context.flush_commands()


def make_current(canvas: Any) -> None:
    """Have GL commands reach this canvas, outside of a draw."""
    canvas.set_current()


def finish(canvas: Any) -> None:
    """Wait until GL has done all that it was told to, outside of a draw."""
    canvas.set_current()
    canvas.context.finish()


def viewport_size(canvas: Any) -> tuple[int, int]:
    """(width, height) of what is drawn to right now, in framebuffer pixels."""
    if canvas._vp_stack:
        return tuple(canvas._vp_stack[-1][2:])
    width, height = canvas.physical_size
    return int(width), int(height)


@contextmanager
def drawing_into(canvas: Any, framebuffer: FrameBuffer) -> Iterator[None]:
    """Draw into `framebuffer`, of any size, as if it were the whole of what is drawn to now.

    As `SceneCanvas.push_fbo`, which takes a frame buffer's pixels for the canvas' own: the
    clippers of view boxes go by the pixel. A canvas that draws into a frame buffer already (for a
    screenshot) goes on with it afterwards.
    """
    height, width = framebuffer.color_buffer.shape[:2]
    viewport = (0, 0, *viewport_size(canvas))
    framebuffer.activate()
    canvas.context.set_viewport(0, 0, width, height)
    canvas.transforms.configure(
        viewport=(0, 0, width, height),
        fbo_size=(width, height),
        fbo_rect=(0, 0, *canvas.physical_size),
    )
    try:
        yield
    finally:
        framebuffer.deactivate()
        canvas.context.set_viewport(*(canvas._vp_stack[-1] if canvas._vp_stack else viewport))
        canvas._update_transforms()


@contextmanager
def filling(canvas: Any, framebuffer: FrameBuffer) -> Iterator[None]:
    """Write texels of `framebuffer`, in the midst of a draw of something else.

    Neither blended nor clipped. The draw goes on with what it draws into; its visual sets its own
    state of GL afterwards.
    """
    height, width = framebuffer.color_buffer.shape[:2]
    viewport = canvas._vp_stack[-1] if canvas._vp_stack else (0, 0, *viewport_size(canvas))
    context = canvas.context
    context.flush_commands()
    clips = bool(GL.glIsEnabled(GL.GL_SCISSOR_TEST))
    gl.glDisable(gl.GL_SCISSOR_TEST)
    framebuffer.activate()
    context.set_viewport(0, 0, width, height)
    context.set_state(blend=False, depth_test=False, cull_face=False)
    try:
        yield
    finally:
        framebuffer.deactivate()
        context.set_viewport(*viewport)
        context.flush_commands()
        if clips:
            gl.glEnable(gl.GL_SCISSOR_TEST)


@contextmanager
def scissored(canvas: Any, rectangle: tuple[int, int, int, int]) -> Iterator[None]:
    """Draw into a (x, y, width, height) of the framebuffer only, y upwards, inside a draw."""
    canvas.context.flush_commands()
    gl.glEnable(gl.GL_SCISSOR_TEST)
    gl.glScissor(*rectangle)
    try:
        yield
    finally:
        canvas.context.flush_commands()
        gl.glDisable(gl.GL_SCISSOR_TEST)
