"""Every private name of napari's and vispy's drawing that we need (napari 0.9.2, vispy 0.17).

Invariant: each is behind a name of ours that says what it is for.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari._vispy.layers.base import VispyBaseLayer
from napari._vispy.layers.image import VispyImageLayer
from napari._vispy.layers.scalar_field import ScalarFieldLayerNode, VispyScalarFieldBaseLayer
from napari._vispy.utils.gl import fix_data_dtype, get_max_texture_sizes
from napari._vispy.utils.visual import layer_to_visual
from napari._vispy.visuals.volume import Volume
from napari.layers import Layer
from OpenGL import GL
from vispy import glsl
from vispy.geometry import Rect
from vispy.gloo import FrameBuffer, Texture2D, Texture3D, gl
from vispy.gloo.context import GLContext, get_current_canvas
from vispy.gloo.gl import gl2
from vispy.gloo.glir import GlirParser, GlirProgram, GlirTexture2D, GlirTexture3D
from vispy.scene.cameras import PanZoomCamera
from vispy.visuals import ImageVisual, MarkersVisual, markers
from vispy.visuals._scalable_textures import GPUScaledTexture2D
from vispy.visuals._scalable_textures import GPUScaledTextured3D as GPUScaledTexture3D

__all__ = [
    "GPUScaledTexture2D",
    "GPUScaledTexture3D",
    "GpuTimer",
    "ScalarFieldLayerNode",
    "VispyBaseLayer",
    "VispyImageLayer",
    "VispyScalarFieldBaseLayer",
    "Volume",
    "camera_rect",
    "clamped_filters",
    "data_to_world",
    "delete_texture",
    "displayed_axes",
    "draw_ranges",
    "drawing_into",
    "drawn_as_quads",
    "drawn_with",
    "extend",
    "filling",
    "finish",
    "fix_data_dtype",
    "flush",
    "get_max_texture_sizes",
    "hold_playback",
    "image_templates",
    "keep_programs_until_others_draw",
    "marker_fragment_template",
    "marker_lighting",
    "ndisplay_of",
    "open_for_uploads",
    "register_visual_class",
    "scissored",
    "share_queue",
    "slice_of",
    "upload",
    "viewer_of",
    "viewport_size",
    "volume_fragment_template",
    "when_idle",
]


def register_visual_class(layer_class: type[Layer], visual_class: type) -> None:
    """Have napari draw `layer_class` (and its subclasses) with `visual_class`."""
    layer_to_visual[layer_class] = visual_class


def ndisplay_of(layer: Any) -> int:
    """How many axes a layer's viewer displays: 3 for 2-D data in a 3-D view too (any thread)."""
    return int(layer._slice_input.ndisplay)


def displayed_axes(layer: Any) -> list[int]:
    """The layer's axes that are displayed, in the order (…, row, column) (any thread)."""
    return [int(axis) for axis in layer._slice_input.displayed]


def slice_of(layer: Any) -> np.ndarray:
    """What napari takes for the layer's slice, as displayed: the overview in memory."""
    return np.asarray(layer._data_view)


def data_to_world(layer: Any) -> Any:
    """Napari's transform from a layer's data coordinates, over all axes, to the world."""
    return layer._data_to_world


def hold_playback(dims: Any) -> None:
    """Keep playing sliders where they are until the next frame."""
    dims._play_ready = False


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


def delete_texture(canvas: Any, texture: Texture2D) -> None:
    """Free a texture's memory on the GPU now, outside of a draw.

    napari flushes a canvas' queue when a layer is removed, whichever GL context is current: with
    two viewers that deletes the other one's textures. So the right one is made current first.
    """
    if canvas is None:
        return
    canvas.set_current()
    texture.delete()
    flush(canvas.context)


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


def share_queue(context: GLContext, texture: Texture2D) -> None:
    """Let `flush(context)` reach a texture that has not been drawn yet, with all of its pages."""
    for page in getattr(texture, "pages", None) or (texture,):
        context.glir.associate(page.glir)


def upload(texture: Texture2D | Texture3D, data: np.ndarray, offset: tuple[int, ...]) -> None:
    """Have the current canvas' GL copy `data` to ([plane,] row, column) `offset` now.

    Parameters
    ----------
    texture : Texture2D or Texture3D
    data : contiguous array
        Of the texture's own type and channels; the last axis may be left out if it is 1.
    offset : tuple of int
    """
    # A part, not the whole as the scaled texture's own `set_data` has it: that recomputes the
    # contrast limits and the format.
    base = Texture3D if isinstance(texture, Texture3D) else Texture2D
    base._set_data(texture, data, offset=offset, copy=False)
    context = get_current_canvas().context
    share_queue(context, texture)
    context.flush_commands()


def extend(texture: Texture3D, resize: Callable[[], None]) -> bool:
    """Give a 3-D texture of the current canvas more planes, within the GPU.

    GL has no such thing: its texels go to a spare texture and come back to new storage, plane by
    plane through a frame buffer, which OpenGL 2.1 can do with its extensions too. The texture's
    own name has to last: programs go by the name that it had when they were told of it.

    Parameters
    ----------
    texture : Texture3D
    resize : callable
        Gives the texture its new shape, through vispy.

    Returns
    -------
    bool
        Whether it holds what it held. If not (GL is not in this process, or cannot read such
        texels from a frame buffer), its texels are undefined.
    """
    context = get_current_canvas().context
    share_queue(context, texture)
    context.flush_commands()
    parser = context.shared.parser
    on_gpu = parser.get_object(texture.id) if isinstance(parser, GlirParser) else None
    if not isinstance(on_gpu, GlirTexture3D) or not GL.glFramebufferTexture3D:
        resize()
        return False
    _, layout, stored_as = on_gpu._shape_formats
    depth, height, width = size = texture.shape[:3]
    spare = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_3D, spare)
    GL.glTexImage3D(
        GL.GL_TEXTURE_3D, 0, stored_as, width, height, depth, 0, layout, GL.GL_UNSIGNED_BYTE, None
    )
    kept = _copy_planes(on_gpu.handle, spare, size)
    resize()
    context.flush_commands()
    kept = kept and _copy_planes(spare, on_gpu.handle, size)
    GL.glDeleteTextures([spare])
    return kept


def _copy_planes(source: int, target: int, size: tuple[int, ...]) -> bool:
    """Copy a box of texels (z, y, x) from one 3-D texture to another; False if GL cannot."""
    depth, height, width = size
    GL.glBindTexture(GL.GL_TEXTURE_3D, target)
    bound = GL.glGetIntegerv(GL.GL_READ_FRAMEBUFFER_BINDING)
    reader = GL.glGenFramebuffers(1)
    GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, reader)
    try:
        for plane in range(depth):
            GL.glFramebufferTexture3D(
                GL.GL_READ_FRAMEBUFFER,
                GL.GL_COLOR_ATTACHMENT0,
                GL.GL_TEXTURE_3D,
                source,
                0,
                plane,
            )
            state = GL.glCheckFramebufferStatus(GL.GL_READ_FRAMEBUFFER) if plane == 0 else None
            if state not in (None, GL.GL_FRAMEBUFFER_COMPLETE):
                return False
            GL.glCopyTexSubImage3D(GL.GL_TEXTURE_3D, 0, 0, 0, plane, 0, 0, width, height)
        return True
    finally:
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, bound)
        GL.glDeleteFramebuffers(1, [reader])


def open_for_uploads(
    texture: Texture2D, dtype: np.dtype
) -> Callable[[np.ndarray, tuple[int, int]], None]:
    """Return `upload` for a 2-D texture: good until something else is drawn or uploaded.

    Past vispy's queue, whose way through its parser costs more than a small tile's copy; the
    texture is bound once. What is queued goes first: it may be what makes the texture. Where
    GL is not in this process, there is only the queue. Other Python threads do not run during a
    copy: see `_sub_image`.

    Parameters
    ----------
    texture : Texture2D
    dtype : numpy.dtype
        Of the texels.
    """
    context = get_current_canvas().context
    share_queue(context, texture)
    context.flush_commands()
    parser = context.shared.parser
    on_gpu = parser.get_object(texture.id) if isinstance(parser, GlirParser) else None
    if not isinstance(on_gpu, GlirTexture2D):
        return functools.partial(upload, texture)
    on_gpu.activate()
    target, kind = on_gpu._target, on_gpu._types[dtype]
    _, layout, _ = on_gpu._shape_formats
    send = _sub_image()

    def write(data: np.ndarray, offset: tuple[int, int]) -> None:
        row, column = offset
        height, width = data.shape[:2]
        at = data.__array_interface__["data"][0]
        if data.strides[0] % 4 == 0:
            send(target, 0, column, row, width, height, layout, kind, at)
        else:  # GL takes rows for padded to 4 bytes
            gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
            send(target, 0, column, row, width, height, layout, kind, at)
            gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 4)

    return write


@functools.cache
def _sub_image() -> Callable[..., None]:
    """GL's glTexSubImage2D, which keeps the interpreter's lock during the call.

    ctypes lets go of it in each call of vispy's, and gets it back only when the thread that has it
    meanwhile gives way: after 5 ms, in the midst of a frame, for a copy of a few microseconds.
    """
    types = (ctypes.c_uint, *[ctypes.c_int] * 5, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)
    found = gl2._get_gl_func("glTexSubImage2D", None, types)
    address = ctypes.cast(found, ctypes.c_void_p).value or 0
    return ctypes.PYFUNCTYPE(None, *types)(address)


def finish_all() -> None:
    """Wait until the current context has done all that it was asked for."""
    gl.glFinish()


class GpuTimer:
    """GL's own clock of what is done from now on until `stop`."""

    def __init__(self) -> None:
        self._query: int | None = None
        if bool(GL.glQueryCounter):  # with OpenGL 3.3 came the timers
            self._query = int(np.ravel(GL.glGenQueries(1))[0])
            GL.glBeginQuery(GL.GL_TIME_ELAPSED, self._query)

    def stop(self) -> None:
        """End what is timed."""
        if self._query is not None:
            GL.glEndQuery(GL.GL_TIME_ELAPSED)

    def ms(self) -> float | None:
        """Milliseconds, once GL has done it (else this waits); None where GL has no clock."""
        if self._query is None:
            return None
        # PyOpenGL cannot make room for 64 bits; these last for four seconds.
        nanoseconds = np.zeros(1, np.uint32)
        GL.glGetQueryObjectuiv(self._query, GL.GL_QUERY_RESULT, nanoseconds)
        GL.glDeleteQueries(1, [self._query])
        self._query = None
        return float(nanoseconds[0]) / 1e6


def viewer_of(canvas: Any) -> Any:
    """Return the viewer that a scene canvas belongs to, or None."""
    widget = canvas.native if canvas is not None else None
    while widget is not None:
        viewer = getattr(widget, "viewer", None)
        if viewer is not None:
            return viewer
        widget = widget.parent()
    return None


def what_a_person_closes(event: Any) -> str | None:
    """Tell who closes a window, by its close event: a person the "window", or "all"; None: code.

    A person uses the window's button, or napari's menus and keys, whose `close(confirm_need=True)`
    ends in an event that looks like one of code (`_QtMainWindow`, read in 0.9.2).
    """
    if event.spontaneous():
        return "window"
    frame = sys._getframe(1)
    while frame is not None:
        is_window = frame.f_globals.get("__name__") == "napari._qt.qt_main_window"
        if is_window and frame.f_code.co_name == "close":
            if not frame.f_locals.get("confirm_need"):
                return None
            return "all" if frame.f_locals.get("quit_app") else "window"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def when_idle(canvas: Any, callback: Callable[[], None]) -> None:
    """Call `callback` after the current draw: `update()` inside of one is dropped by vispy."""
    from qtpy.QtCore import QTimer

    QTimer.singleShot(0, callback)


def image_templates(**ours: str) -> dict[str, str]:
    """The shader templates of vispy's image visual, with some replaced."""
    return {**ImageVisual._func_templates, **ours}


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
