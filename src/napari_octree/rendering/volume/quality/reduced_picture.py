"""ReducedPicture: what one node draws, in fewer pixels, put onto the canvas at full size.

Invariants: the node draws into textures of colour and depth that stand for the whole canvas; what
reaches the canvas has the node's own blending, and at each pixel the depth of one of the
node's rays, so that other layers lie before and behind it as if it had been drawn there. A pixel
belongs to the picture where most of its surroundings do: outlines stay sharp, nothing is
mixed with what was not hit. GUI thread with a current GL context only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from vispy import gloo

from napari_octree.rendering._vispy import (
    drawing_into,
    flush,
    make_current,
    viewport_size,
)
from napari_octree.rendering.gpu.shader_text import shader_text

PIXEL_BYTES = 4 + 4
"""Of colour and depth."""


class ReducedPicture:
    """Textures to draw into, and the program that shows them."""

    def __init__(self) -> None:
        self._program = gloo.Program(
            shader_text("volume/reduced_picture.vert"), shader_text("volume/reduced_picture.frag")
        )
        corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
        self._program["a_position"] = np.array(corners, np.float32)
        self._target: gloo.FrameBuffer | None = None

    def draw(
        self, canvas: Any, pixel_size: float, draw: Callable[[], None], gl_state: dict[str, Any]
    ) -> None:
        """Have something drawn, in the course of a frame.

        Parameters
        ----------
        canvas : SceneCanvas
        pixel_size : float
            Of the picture's pixels, in pixels of the canvas.
        draw : callable
            Draws over the whole view port, with depth, where there is something.
        gl_state : dict
            How the picture is blended with the canvas.
        """
        self.prepare(canvas, pixel_size)
        self.cast(canvas, draw)
        self.show(gl_state)

    def prepare(self, canvas: Any, pixel_size: float) -> tuple[int, int]:
        """Have textures of the right size; returns it (width, height)."""
        width, height = _size(canvas, pixel_size)
        self._of_size(canvas, width, height)
        return width, height

    def cast(self, canvas: Any, draw: Callable[[], None], clears: bool = True) -> None:
        """Have something drawn into the textures, or more of it."""
        assert self._target is not None
        with drawing_into(canvas, self._target):
            gloo.set_state(depth_test=True, blend=False, cull_face=False)
            if clears:
                gloo.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
                # Vispy's Qt canvas gives all pixels the alpha of this, and so Qt's screenshots.
                gloo.set_clear_color(canvas.bgcolor)
            draw()

    def show(self, gl_state: dict[str, Any]) -> None:
        """Put what was drawn last onto the canvas."""
        target = self._target
        if target is None:
            return
        height, width = target.shape[:2]
        gloo.set_state(**gl_state)
        self._program["u_colour"] = target.color_buffer
        self._program["u_depth"] = target.depth_buffer
        self._program["u_size"] = (width, height)
        self._program.draw("triangle_strip")

    def _of_size(self, canvas: Any, width: int, height: int) -> gloo.FrameBuffer:
        if self._target is None or self._target.shape[:2] != (height, width):
            self._drop()  # what makes a context current would undo the frame's own frame buffer
            colour = gloo.Texture2D((height, width, 4), format="rgba", interpolation="nearest")
            depth = gloo.Texture2D(
                (height, width, 1), format="depth_component", interpolation="nearest"
            )
            self._target = gloo.FrameBuffer(colour, depth)
        return self._target

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        if self._target is None:
            return 0
        height, width = self._target.shape[:2]
        return height * width * PIXEL_BYTES

    def release(self, canvas: Any) -> None:
        """Give the textures' memory back, outside of a draw."""
        self._drop()
        if canvas is not None:
            make_current(canvas)
            flush(canvas.context)

    def _drop(self) -> None:
        """Let the textures go with the next flush."""
        if self._target is not None:
            for part in (self._target.color_buffer, self._target.depth_buffer, self._target):
                part.delete()
            self._target = None


def reduced_bytes(canvas: Any, pixel_size: float) -> int:
    """Bytes on the GPU that a picture in such pixels takes."""
    width, height = _size(canvas, pixel_size)
    return width * height * PIXEL_BYTES


def _size(canvas: Any, pixel_size: float) -> tuple[int, int]:
    width, height = viewport_size(canvas)
    return max(round(width / pixel_size), 1), max(round(height / pixel_size), 1)
