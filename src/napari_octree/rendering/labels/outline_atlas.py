"""OutlineAtlas: which texels of an atlas belong to outlines, found by the GPU once for each tile.

Invariants: beside each page of an atlas of labels that is drawn with outlines lies a texture of
one byte a texel, made when outlines are first asked for, if the others leave twice its memory; it
gives way where others lack some. It is filled from the labels in the atlas, by the GPU, for those
tiles that are drawn and whose labels or outlines have changed: nothing is read and nothing
uploaded. A frame then costs one lookup more than areas, however thick outlines are. GUI thread,
within a draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from vispy.gloo import FrameBuffer, Program, Texture2D

from napari_octree.rendering._vispy import delete_texture, filling
from napari_octree.rendering.gpu.label_encoding import LabelEncoding
from napari_octree.rendering.gpu.shader_text import shader_text
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.labels.label_look import LabelLook
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.picture.quads import Quads

_CORNERS = np.array([[0, 1], [0, 3], [2, 3], [0, 1], [2, 3], [2, 1]])
"""Columns of (x0, y0, x1, y1) for the six vertices of two triangles."""


class OutlineAtlas:
    """The outlines of the labels on one page of an atlas.

    Parameters
    ----------
    encoding : LabelEncoding
    atlas : TextureAtlas2D
    wake : callable
        Called when others lack memory.
    page : int
    """

    @staticmethod
    def fits(atlas: TextureAtlas2D, limit_bytes: int) -> bool:
        """Whether there is memory for the outlines of an atlas, on all of its pages."""
        return _nbytes(atlas) * len(atlas.pages) <= VRAM.share(atlas, limit_bytes, kept=0)

    def __init__(
        self,
        encoding: LabelEncoding,
        atlas: TextureAtlas2D,
        wake: Callable[[], None],
        page: int = 0,
    ) -> None:
        self.atlas = atlas
        self._page = page
        self._per_page = atlas.slots.capacity // len(atlas.pages)
        self.texture = Texture2D(
            shape=(*atlas.extent, 1),
            format="luminance",
            internalformat="r8",
            interpolation="nearest",
            wrapping="clamp_to_edge",
        )
        self._target = FrameBuffer(color=self.texture)
        self._encoding = encoding
        self._program: Program | None = None
        self._known: tuple[int, Quads | None, int] = (0, None, -1)
        self._versions = np.full(atlas.slots.capacity, -1, np.int64)
        VRAM.take(self, _nbytes(atlas))
        VRAM.need(self, 0, wake)

    def fill(self, canvas: Any, look: LabelLook, quads: Quads) -> None:
        """Find the outlines of all tiles that some quads show, where they are not known."""
        known = (look.contour, quads, self.atlas.changes)
        if all(a is b or a == b for a, b in zip(known, self._known, strict=True)):
            return
        if look.contour != self._known[0]:
            self._versions[:] = -1
        self._known = known
        slots, edges = self._tiles_of(quads)
        stale = self._versions[slots] != self.atlas.versions[slots]
        if not stale.any():
            return
        slots, edges = slots[stale], edges[stale]
        self._versions[slots] = self.atlas.versions[slots]
        if self._program is None:
            self._program = Program(
                shader_text("labels/outlines/find.vert"), look.outline_source(self._encoding)
            )
            self._program["u_texture"] = self.atlas.pages[self._page]
        rows, columns = self.atlas.extent
        texel = np.array([1 / columns, 1 / rows])
        half = np.array([-0.5, -0.5, 0.5, 0.5]) * np.tile(texel, 2)
        corners = (edges + half)[:, _CORNERS]  # (N, 6, 2), as places in the texture
        program = self._program
        program["a_place"] = np.ascontiguousarray(corners.reshape(-1, 2), np.float32)
        program["a_edges"] = np.repeat(edges, 6, axis=0).astype(np.float32)
        program["u_texel"] = tuple(texel)
        for name, value in look.outline_uniforms(self._encoding).items():
            program[name] = value
        with filling(canvas, self._target):
            program.draw("triangles")

    def _tiles_of(self, quads: Quads) -> tuple[np.ndarray, np.ndarray]:
        """Slots (N,), and where the labels of each tile begin and end in the texture (N, 4)."""
        texcoords, edges = quads.texcoords, quads.edges[:, 0]
        if quads.under is not None:
            texcoords = np.concatenate([texcoords, quads.under.texcoords])
            edges = np.concatenate([edges, quads.under.edges[:, 0]])
        if quads.pages is not None:
            here = np.resize(quads.pages == self._page, len(texcoords))
            texcoords, edges = texcoords[here], edges[here]
        if not len(texcoords):
            return np.zeros(0, np.int64), np.zeros((0, 4), np.float32)
        # The middle of what is drawn: the first corner may be that of the slot before.
        middles = (texcoords[:, :2] + texcoords[:, 2:]) / 2 // self.atlas.slot_shape
        slots = (middles[:, 0] * self.atlas.grid[1] + middles[:, 1]).astype(np.int64)
        slots, first = np.unique(slots, return_index=True)
        inside = (slots >= 0) & (slots < self._per_page)
        return slots[inside] + self._page * self._per_page, edges[first][inside]

    def is_in_the_way(self, limit_bytes: int) -> bool:
        """Whether others lack memory that it holds."""
        return VRAM.is_short(limit_bytes)

    def close(self, canvas: Any) -> None:
        """Let go of the GPU's memory."""
        VRAM.release(self)
        delete_texture(canvas, self.texture)


def _nbytes(atlas: TextureAtlas2D) -> int:
    return atlas.extent[0] * atlas.extent[1]
