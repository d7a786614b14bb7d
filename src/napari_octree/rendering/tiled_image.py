"""TiledImageVisual: the quads of a cover, drawn from one atlas in one call.

Invariants: drawing reads vertex buffers, one texture and uniforms; none of them is rebuilt
unless what it depends on has changed. Vertices are float32 relative to `origin`, an integer
point near the view; the matrix that places them is composed in float64 each frame. vispy's
image visual gives contrast limits, gamma, colour maps and filters; its single quad and its
texture are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
from vispy.gloo import VertexBuffer
from vispy.scene.visuals import create_visual_node
from vispy.visuals.image import ImageVisual
from vispy.visuals.shaders import Function

from napari_octree.rendering._vispy import clamped_filters, image_templates
from napari_octree.rendering.quads import FAILED, Quads, no_quads
from napari_octree.rendering.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.texture_encoding import TextureEncoding


def _shader(name: str) -> str:
    return (files("napari_octree.rendering") / "shaders" / name).read_text(encoding="utf-8")


# vispy takes the first function definition as a snippet's entry point: the filters come after.
_FILTERED = """
varying vec4 v_tile;
vec4 {name}(sampler2D texture, vec2 shape, vec2 uv);
vec4 texture_lookup_filtered(vec2 texcoord) {{
    return {name}($texture, $shape, texcoord);
}}
"""

# A program without overlays is compiled where none is asked for: it costs less per pixel.
_OVERLAY = _shader("overlay.glsl")
_NO_OVERLAY = "vec4 overlay(vec4 color) { return color; }"

_CORNERS = np.array([[0, 1], [2, 1], [2, 3], [0, 1], [2, 3], [0, 3]])
"""Columns of (x0, y0, x1, y1) for the six vertices of two triangles."""


class TiledImageVisual(ImageVisual):
    """Tiles of an image, each pixel of it in exactly one quad.

    Parameters
    ----------
    encoding : TextureEncoding
    size : (width, height)
        Of level 0 in pixels; node coordinates are level-0 pixel areas.
    on_prepare : callable
        Called first in every draw: may upload, change the atlas and call `set_quads`.
    **keywords
        Of vispy's ImageVisual.
    """

    _shaders = {"vertex": _shader("tiled_image.vert"), "fragment": _shader("tiled_image.frag")}  # noqa: RUF012
    _func_templates = image_templates(
        texture_lookup=_shader("lookup.glsl"),
        texture_lookup_custom=_shader("custom_lookup.glsl"),
    )

    def __init__(
        self,
        encoding: TextureEncoding,
        size: tuple[int, int],
        on_prepare: Callable[[TiledImageVisual], None],
        **keywords: Any,
    ) -> None:
        self._encoding = encoding
        self._full_size = size
        self._on_prepare = on_prepare
        self._quads = no_quads()
        self._image_buffer = VertexBuffer()
        self._tile_buffer = VertexBuffer()
        self._tint_buffer = VertexBuffer()
        self._border_buffer = VertexBuffer()
        self.texture_format = "auto"  # napari asks its nodes for it
        super().__init__(None, method="subdivide", texture_format="auto", **keywords)
        self.unfreeze()
        self._bind_atlas(self._texture)
        self._placed = b""
        self._overlaid = self._marked = False
        self.shared_program.frag["overlay"] = Function(_NO_OVERLAY)
        self.shared_program["u_tint"] = 0.0
        self.shared_program["u_grid_width"] = (0.0, 0.0)
        self.shared_program["u_octree_matrix"] = np.eye(4, dtype=np.float32)
        self.freeze()

    # --------------------------------------------------------------- the seam

    def _init_texture(self, data: Any, texture_format: Any, **keywords: Any) -> TextureAtlas2D:
        # A small one: the real atlas comes with the first frame, when limits are known.
        return TextureAtlas2D(self._encoding, tile_size=1, apron=0, slots_a_side=2)

    def _init_interpolation(self, interpolation_names: Any) -> Any:
        # As ImageVisual, which makes a shader function of every filter at once (some 20 ms).
        filters = {name.lower(): f"{name}2D" for name in interpolation_names}
        names = (*sorted({*filters, "custom"}), "bilinear", "bicubic")
        return names, _Lookups(self._func_templates, filters)

    def _bind_atlas(self, atlas: TextureAtlas2D) -> None:
        self._texture = atlas
        shape: tuple[int, ...] = (atlas.side, atlas.side)
        if atlas.encoding.channels > 1:
            shape = (*shape, atlas.encoding.channels)
        # vispy asks the data for shape and rank only.
        self._data = np.broadcast_to(np.zeros((), atlas.encoding.texel_dtype), shape)
        self._need_texture_upload = False
        self._need_interpolation_update = True
        self._need_vertex_update = True

    @property
    def atlas(self) -> TextureAtlas2D:
        """The texture that is drawn from."""
        return self._texture

    @atlas.setter
    def atlas(self, atlas: TextureAtlas2D) -> None:
        atlas.set_clim(self._texture.clim)
        atlas.interpolation = self._texture.interpolation
        self._bind_atlas(atlas)
        self._need_colortransform_update = True

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0 in pixels."""
        return self._full_size

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        self._full_size = size

    def set_data(self, *args: Any, **keywords: Any) -> None:
        """Do nothing: napari hands over its slice, which is only our overview."""

    def _compute_bounds(self, axis: int, view: Any) -> tuple[float, float]:
        return (0, 0) if axis > 1 else (0, self._full_size[axis])

    # ------------------------------------------------------------------ quads

    def set_quads(self, quads: Quads) -> None:
        """Replace what is drawn."""
        self._quads = quads
        self._marked = bool((quads.tints[:, 3] >= FAILED).any())
        self._need_vertex_update = True

    def clear_quads(self) -> None:
        """Draw nothing."""
        self.set_quads(no_quads())

    @property
    def n_quads(self) -> int:
        """How many quads are drawn."""
        return len(self._quads.rectangles)

    def set_matrix(self, matrix: np.ndarray) -> None:
        """Place the quads.

        Parameters
        ----------
        matrix : (4, 4) float64
            Node to clip coordinates, row-vector convention.
        """
        y, x = self._quads.origin
        shift = np.eye(4)
        shift[3, :2] = x, y
        # vispy uploads a matrix so that `u_m * v` is the row-vector product.
        placed = (shift @ matrix).astype(np.float32)
        if placed.tobytes() != self._placed:
            self._placed = placed.tobytes()
            self.shared_program["u_octree_matrix"] = placed

    def set_overlays(self, tint: bool, grid_width: tuple[float, float]) -> None:
        """What is shown of the octree itself; `grid_width` (x, y) in level-0 pixels, 0 is off."""
        wanted = tint or self._marked or grid_width[0] > 0
        if wanted != self._overlaid:
            self._overlaid = wanted
            self.shared_program.frag["overlay"] = Function(_OVERLAY if wanted else _NO_OVERLAY)
        if wanted:
            self.shared_program["u_tint"] = 0.5 if tint else 0.0
            self.shared_program["u_grid_width"] = grid_width

    def _build_vertex_data(self) -> None:
        def per_vertex(values: np.ndarray) -> np.ndarray:
            return np.repeat(values, 6, axis=0).astype(np.float32)

        # (y, x) becomes (x, y) here: vispy and GL want x first.
        swap = [1, 0, 3, 2]
        quads, side = self._quads, self._texture.side
        y, x = quads.origin
        rectangles = quads.rectangles[:, swap] - (x, y, x, y)
        corners = rectangles[:, _CORNERS]
        texcoord = quads.texcoords[:, swap][:, _CORNERS].reshape(-1, 2) / side
        edges = quads.borders[:, swap] - (x, y, x, y)
        border = np.concatenate(
            [corners - edges[:, None, :2], edges[:, None, 2:] - corners], axis=-1
        )
        self._subdiv_position.set_data(corners.reshape(-1, 2).astype(np.float32))
        self._subdiv_texcoord.set_data(texcoord.astype(np.float32))
        self._tile_buffer.set_data(per_vertex(quads.clamps[:, swap] / side))
        self._image_buffer.set_data(per_vertex(quads.images[:, swap] / side))
        self._tint_buffer.set_data(per_vertex(quads.tints))
        self._border_buffer.set_data(border.reshape(-1, 4).astype(np.float32))
        self._need_vertex_update = False

    def _update_method(self, view: Any) -> None:
        view._method_used = "subdivide"
        program = view.view_program
        program["a_position"] = self._subdiv_position
        program["a_texcoord"] = self._subdiv_texcoord
        program["a_tile"] = self._tile_buffer
        program["a_image"] = self._image_buffer
        program["a_tint"] = self._tint_buffer
        program["a_border"] = self._border_buffer
        view._need_method_update = False

    def _prepare_transforms(self, view: Any) -> None:
        """Leave the transforms to `set_matrix`."""

    def _prepare_draw(self, view: Any) -> bool | None:
        self._on_prepare(self)
        if not self.n_quads:
            return False
        if self._need_interpolation_update:
            self._build_interpolation()
        if self._need_colortransform_update:
            self.shared_program.frag["color_transform"] = self._build_color_transform()
            self._need_colortransform_update = False
            view.view_program["texture2D_LUT"] = self.cmap.texture_lut()
        if self._need_vertex_update:
            self._build_vertex_data()
        if view._need_method_update:
            self._update_method(view)
        return None


class _Lookups(dict[str, Function]):
    """The lookup function of each interpolation, made when it is first asked for."""

    def __init__(self, templates: dict[str, str], filters: dict[str, str]) -> None:
        super().__init__()
        self._templates, self._filters = templates, filters

    def __missing__(self, name: str) -> Function:
        if name in ("nearest", "linear"):
            source = self._templates["texture_lookup"]
        elif name == "custom":
            source = self._templates["texture_lookup_custom"]
        else:
            source = _FILTERED.format(name=self._filters[name]) + clamped_filters()
        self[name] = Function(source)
        return self[name]


TiledImage = create_visual_node(TiledImageVisual)
