"""Texels to the GPU: uploads, growth, and memory given back (vispy 0.17)."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from OpenGL import GL
from vispy.gloo import Texture2D, Texture3D, gl
from vispy.gloo.context import GLContext, get_current_canvas
from vispy.gloo.gl import gl2
from vispy.gloo.glir import GlirParser, GlirTexture2D, GlirTexture3D
from vispy.visuals._scalable_textures import GPUScaledTexture2D
from vispy.visuals._scalable_textures import GPUScaledTextured3D as GPUScaledTexture3D

from napari_octree.rendering._vispy.canvas import flush

__all__ = [
    "GPUScaledTexture2D",
    "GPUScaledTexture3D",
    "delete_texture",
    "extend",
    "open_for_uploads",
    "share_queue",
    "upload",
]


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
