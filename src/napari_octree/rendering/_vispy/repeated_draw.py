"""A visual that is drawn by the commands of its last draw, past vispy's search for changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from vispy.gloo.context import get_current_canvas


class RepeatedDraw:
    """Draws a visual as it was drawn last, as long as nothing but uniforms has changed.

    Before each draw vispy copies the visual's GL state, asks every variable of its program whether
    it is another, and compares the sizes of its buffers, which takes longer than to draw. What it
    tells GL then is noted and told again. Uniforms, textures and buffers that are set go the usual
    way: what is queued by then comes before the draw.

    Parameters
    ----------
    visual : vispy Visual
        Drawn as triangles, without views of its own.
    """

    def __init__(self, visual: Any) -> None:
        self._changed = True
        self._context: Callable[[], Any] = lambda: None
        self._state: dict[str, Any] = {}
        self._commands: list[tuple[Any, ...]] = []
        visual._program.changed.connect(self._on_changed)  # vispy holds methods weakly

    def _on_changed(self, event: Any = None) -> None:
        self._changed = True

    def draw(self, visual: Any, count: int) -> None:
        """Draw all of its `count` vertices, or those that its index buffer names."""
        program, context = visual._program, get_current_canvas().context
        state, queue = visual._vshare.gl_state, context.glir
        draw = ("DRAW", program.id, "triangles", (0, count), 1)
        if (
            self._changed
            or self._context() is not context
            or state != self._state
            or program._pending_variables
            or visual._index_buffer is not None
        ):
            context.flush_commands()
            visual._configure_gl_state()
            self._commands = [*queue._shared._commands]
            program.draw(visual._draw_mode, visual._index_buffer)
            self._context, self._state = weakref.ref(context), state.copy()
            self._changed = False
            return
        for command in self._commands:
            queue.command(*command)
        queue.command(*draw)
        context.flush_commands()
