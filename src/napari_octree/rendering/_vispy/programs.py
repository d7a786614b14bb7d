"""GL's programs: what they draw with, parts of buffers, when they end (vispy 0.17)."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from vispy.gloo.context import get_current_canvas
from vispy.gloo.glir import GlirProgram


def keep_programs_until_others_draw() -> None:
    """Have vispy (0.17) delete a program only after another one has drawn, whoever's it was.

    It deletes the one that was drawn with last as it is. GL's state goes on to hold that until the
    next draw, and Mesa (22.3) then reads what it has freed, which ends the process; to use no
    program in between does not help.
    """
    delete, draw = GlirProgram.delete, GlirProgram.draw
    if delete.__module__ == __name__:
        return

    @functools.wraps(delete, assigned=())
    def delete_later(program: Any) -> None:
        program._parser.env.setdefault("octree_deleted", []).append(program)

    @functools.wraps(draw, assigned=())
    def draw_and_delete(program: Any, mode: Any, selection: Any, instances: int = 1) -> None:
        draw(program, mode, selection, instances)
        count = selection[-1]  # vispy draws nothing, and changes no state, where it is 0
        if count and (deleted := program._parser.env.get("octree_deleted")):
            for former in deleted:
                delete(former)
            deleted.clear()

    GlirProgram.delete, GlirProgram.draw = delete_later, draw_and_delete


def compiled_ahead(canvas: Any, program: Any) -> bool:
    """Have a canvas' GL compile and link a visual's program, outside of a draw.

    Its variables are left to the first draw, which has nothing but them to tell then.

    Parameters
    ----------
    canvas : vispy canvas
    program : ModularProgram

    Returns
    -------
    bool
        Whether it was not compiled as it is now.
    """
    if not program._need_build:
        return False
    canvas.set_current()
    canvas.context.glir.associate(program.glir)
    program.build_if_needed()
    canvas.context.flush_commands()
    return True


def drawn_with(program: Any, without: Collection[str] = ()) -> tuple[Any, ...]:
    """All that a visual's program would draw with now: its text, uniforms, textures and buffers.

    Equal only if they are; what textures and buffers hold is not looked at.

    Parameters
    ----------
    program : ModularProgram
    without : collection of str
        Uniforms that do not count.
    """
    program.build_if_needed()
    program.update_variables()
    texts = tuple(part.code for part in program.shaders)
    return texts, tuple(
        (name, value.tobytes() if isinstance(value, np.ndarray) else value)
        for name, value in program._user_variables.items()
        if name not in without
    )


def draw_ranges(
    program: Any,
    buffer: Any,
    ranges: Iterable[tuple[int, int, dict[str, np.ndarray]]],
    instanced: bool,
) -> None:
    """Draw parts of a vertex buffer, each with uniforms of its own, in the current canvas.

    vispy draws all of a buffer, or what an index buffer lists. What it does before that
    (`ModularProgram.draw`) is done once; then go the uniforms and a draw for each part.

    Parameters
    ----------
    program : ModularProgram
        Of a visual; its attributes are fields of `buffer`, but for the corners of a quad.
    buffer : VertexBuffer
        Of a structured type.
    ranges : iterable of (first, count, uniforms)
        In vertices; uniforms are (4, 4) matrices by name.
    instanced : bool
        Whether a vertex stands for a quad of four corners. GL has no first instance, so the
        attributes begin elsewhere each time.
    """
    program.build_if_needed()
    program.update_variables()
    context = get_current_canvas().context
    context.glir.associate(program.glir)
    fields = [
        (name, program._user_variables[name].offset, "vec3" if kind.shape else "float")
        for name, (kind, _) in (buffer.dtype.fields or {}).items()
        if name in program._user_variables
    ]
    stride = buffer.dtype.itemsize
    for first, count, uniforms in ranges:
        for name, value in uniforms.items():
            context.glir.command("UNIFORM", program.id, name, "mat4", value)
        if not instanced:
            context.glir.command("DRAW", program.id, "points", (first, count), 1)
            continue
        for name, offset, kind in fields:
            place = (buffer.id, stride, first * stride + offset)
            context.glir.command("ATTRIBUTE", program.id, name, kind, place, 1)
        # vispy draws one instance as none at all.
        context.glir.command("DRAW", program.id, "triangle_strip", (0, 4), max(count, 2))
