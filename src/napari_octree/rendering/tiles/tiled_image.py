"""TiledImageVisual: the quads of a cover, drawn from one atlas in one call.

Invariants: drawing reads vertex buffers, one texture (one after the other where the atlas has
several pages, each in a call of its own) and uniforms; none of them is rebuilt
unless what it depends on has changed. Vertices are float32 relative to `origin`, an integer
point near the view; the matrix that places them is composed in float64 each frame. vispy's
image visual gives contrast limits, gamma, colour maps and filters; its single quad and its
texture are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from vispy.gloo import IndexBuffer, VertexBuffer
from vispy.scene.visuals import create_visual_node
from vispy.visuals.image import ImageVisual
from vispy.visuals.shaders import Function

from napari_octree.rendering._vispy import (
    RepeatedDraw,
    clamped_filters,
    coloured_with_nan,
    compiled_ahead,
    drawn_as_quads,
    image_templates,
)
from napari_octree.rendering.gpu.node_matrices import TileMatrices
from napari_octree.rendering.gpu.shader_text import shader_text
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.picture.quad_vertices import (
    BUFFERS,
    FADE_BUFFERS,
    OVERLAY_BUFFERS,
    quad_vertices,
    vertices_by_page,
)
from napari_octree.rendering.tiles.picture.quads import Quads, no_quads

# vispy takes the first function definition as a snippet's entry point: the filters come after.
_FILTERED = """
vec4 tile_edges;
vec4 image_edges;
vec4 {name}(sampler2D texture, vec2 shape, vec2 uv);
vec4 texture_lookup_filtered(vec2 texcoord) {{
    return {name}($texture, $shape, texcoord);
}}
"""

# Where no overlay is asked for, and nothing fades, programs are compiled without: it costs less
# per pixel and per vertex.
_OVERLAY, _MARK = shader_text("tiles/overlay.glsl"), shader_text("tiles/mark.vert")
_FADE, _FADE_VERTEX = shader_text("tiles/fade.glsl"), shader_text("tiles/fade.vert")
_AS_IT_IS = "vec4 as_it_is(vec4 color) { return color; }"
_NOTHING = "void nothing() {}"


class TiledImageVisual(ImageVisual):
    """Tiles of an image, each pixel of it in exactly one quad.

    Parameters
    ----------
    encoding : TextureEncoding
    size : (width, height)
        Of level 0 in pixels; node coordinates are level-0 pixel areas.
    on_prepare : callable
        Called first in every draw: may upload, change the atlas and call `set_quads`.
    fades : bool
        Whether quads may have something under them.
    **keywords
        Of vispy's ImageVisual.
    """

    canvas: Any

    _shaders = {  # noqa: RUF012
        "vertex": shader_text("tiles/tiled_image.vert"),
        "fragment": shader_text("tiles/tiled_image.frag"),
    }
    _func_templates = image_templates(
        texture_lookup=shader_text("tiles/lookup.glsl"),
        texture_lookup_custom=shader_text("tiles/custom_lookup.glsl"),
    )

    def __init__(
        self,
        encoding: TextureEncoding,
        size: tuple[int, int],
        on_prepare: Callable[[TiledImageVisual], None],
        fades: bool = False,
        **keywords: Any,
    ) -> None:
        self._encoding = encoding
        self._full_size = size
        self._on_prepare = on_prepare
        self._quads = no_quads()
        self._buffers = {name: VertexBuffer() for name in (*BUFFERS, *OVERLAY_BUFFERS)}
        self.texture_format = "auto"  # napari asks its nodes for it
        super().__init__(None, method="subdivide", texture_format="auto", **keywords)
        self.unfreeze()
        self._bind_atlas(self._texture)
        self._repeated = RepeatedDraw(self)
        self._placed = b""
        self._drawn = False
        self._page_indices: list[tuple[int, IndexBuffer | None]] = [(0, None)]
        self._marked = False
        self._set_fades(fades)
        self._overlay(False)
        self.shared_program["u_ring"] = 0.0
        self.shared_program["u_rings"] = 0.0
        self.shared_program["u_pixel"] = (1.0, 1.0)
        self.shared_program["u_failed"] = 0.0
        self.shared_program["u_grid_width"] = (0.0, 0.0)
        self.shared_program["u_octree_matrix"] = np.eye(4, dtype=np.float32)
        self.freeze()

    @property
    def fades(self) -> bool:
        """Whether quads may have something under them."""
        return self._fade is not None

    @fades.setter
    def fades(self, fades: bool) -> None:
        if fades != self.fades:
            self._set_fades(fades)

    def _set_fades(self, fades: bool) -> None:
        for name in FADE_BUFFERS:
            self._buffers.pop(name, None)
            if fades:
                self._buffers[name] = VertexBuffer()
        self._fade = Function(_FADE) if fades else None
        self.shared_program.vert["fade"] = Function(_FADE_VERTEX if fades else _NOTHING)
        self.shared_program.frag["fade"] = self._fade or Function(_AS_IT_IS)
        self._need_interpolation_update = self._need_colortransform_update = True
        self._need_vertex_update = self._need_method_update = True

    # --------------------------------------------------------------- the seam

    def _init_texture(self, data: Any, texture_format: Any, **keywords: Any) -> TextureAtlas2D:
        # A small one: the real atlas comes with the first frame, when limits are known.
        return TextureAtlas2D(self._encoding, (1, 1), 0, (2, 2))

    def _init_interpolation(self, interpolation_names: Any) -> Any:
        # As ImageVisual, which makes a shader function of every filter at once (some 20 ms).
        filters = {name.lower(): f"{name}2D" for name in interpolation_names}
        names = (*sorted({*filters, "custom"}), "bilinear", "bicubic")
        return names, _Lookups(self._func_templates, filters)

    def _bind_atlas(self, atlas: TextureAtlas2D) -> None:
        self._texture = atlas
        shape: tuple[int, ...] = atlas.extent
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
        former = self._texture
        atlas.set_clim(former.clim)
        atlas.interpolation = former.interpolation
        self._bind_atlas(atlas)
        if atlas.encoding.channels != former.encoding.channels:
            self._need_colortransform_update = True  # a program of its own
        else:
            self._update_colortransform_clim()

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
        self._page_indices = [
            (page, None if vertices is None else IndexBuffer(vertices))
            for page, vertices in vertices_by_page(quads)
        ]
        self._marked = quads.marks is not None and quads.marks.any_failed
        self._need_vertex_update = True

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
        shifted = matrix.copy()
        shifted[3] += x * matrix[0] + y * matrix[1]
        # vispy uploads a matrix so that `u_m * v` is the row-vector product.
        placed = shifted.astype(np.float32)
        if placed.tobytes() != self._placed:
            self._placed = placed.tobytes()
            self.shared_program["u_octree_matrix"] = placed

    def set_overlays(
        self, ring: tuple[int, int], grid: bool, matrices: TileMatrices, failed: bool = True
    ) -> None:
        """What is shown of the octree itself.

        Parameters
        ----------
        ring : (int, int)
            Outlines of tiles in the colour of their level: which one of how many, 1 at the border,
            the next within it and so on; (0, 0) is off.
        grid : bool
            Lines at the borders of tiles.
        matrices : TileMatrices
            Of the node: how large a pixel is.
        failed : bool
            Lines through tiles that could not be read.
        """
        wanted = bool(ring[0]) or self._marked or grid
        if wanted != self._overlaid:
            self._overlay(wanted)
        if wanted:
            pixel = matrices.pixel_size
            self.shared_program["u_ring"] = float(ring[0])
            self.shared_program["u_rings"] = float(ring[1])
            self.shared_program["u_pixel"] = pixel
            self.shared_program["u_failed"] = 0.6 if failed else 0.0
            self.shared_program["u_grid_width"] = pixel if grid else (0.0, 0.0)

    def _overlay(self, wanted: bool) -> None:
        self._overlaid = wanted
        self.shared_program.frag["overlay"] = Function(_OVERLAY if wanted else _AS_IT_IS)
        self.shared_program.vert["mark"] = Function(_MARK if wanted else _NOTHING)
        self._need_vertex_update = True
        self._need_method_update = True  # vispy forgets buffers that a program has no use for

    def _build_vertex_data(self) -> None:
        extent, fades = self._texture.extent, self._fade is not None
        for name, data in quad_vertices(self._quads, extent, self._overlaid, fades):
            self._buffers[name].set_data(data)
        self._need_vertex_update = False

    def _update_method(self, view: Any) -> None:
        drawn_as_quads(view)
        for name, buffer in self._buffers.items():
            view.view_program[name] = buffer
        view._need_method_update = False

    def _prepare_transforms(self, view: Any) -> None:
        """Leave the transforms to `set_matrix`."""

    def draw(self) -> None:
        """Draw the quads of all pages, after the work of the frame (vispy calls this)."""
        if self.visible and self._prepare_draw(self) is not False:
            self._repeated.draw(self, 6 * self.n_quads)

    def _prepare_draw(self, view: Any) -> bool | None:
        self._drawn = False
        self._on_prepare(self)
        if self._drawn or not self.n_quads:
            return False
        self._make_ready(view)
        self._draw_pages()
        return None

    def draw_part(self) -> None:
        """Draw the quads of now inside of `on_prepare`: vispy draws none after it."""
        self._drawn = True
        if self.n_quads:
            self._make_ready(self)
            self._draw_pages()
            self._configure_gl_state()
            self._program.draw(self._draw_mode, self._index_buffer)

    def _draw_pages(self) -> None:
        """Draw the quads of all pages but the last, and have those of the last drawn next."""
        *others, last = self._page_indices
        for page, indices in others:
            self._take_page(page, indices)
            self._configure_gl_state()
            self._program.draw(self._draw_mode, self._index_buffer)
        self._take_page(*last)

    def _take_page(self, page: int, indices: IndexBuffer | None) -> None:
        """Have the next draw show the quads of a page."""
        self._index_buffer = indices
        if len(self._texture.pages) > 1:
            self._data_lookup_fn["texture"] = self._texture.pages[page]

    def compile_ahead(self) -> bool:
        """Have GL make the program outside of a draw, before there is anything to draw with it.

        Returns
        -------
        bool
            Whether there was anything to be made.
        """
        self._make_shaders(self)
        return compiled_ahead(self.canvas, self._program)

    def _make_ready(self, view: Any) -> None:
        self._make_shaders(view)
        if self._need_vertex_update:
            self._build_vertex_data()
        if view._need_method_update:
            self._update_method(view)

    def _make_shaders(self, view: Any) -> None:
        if self._need_interpolation_update:
            self._build_interpolation()
            self._fade_with("get_data")
        if self._need_colortransform_update:
            self.shared_program.frag["color_transform"] = self._build_color_transform()
            self._need_colortransform_update = False
            view.view_program["texture2D_LUT"] = self.cmap.texture_lut()
            self._fade_with("color_transform")

    def _build_color_transform(self) -> Function:
        return coloured_with_nan(super()._build_color_transform())

    def _fade_with(self, name: str) -> None:
        """Let what was there before be looked up, and coloured, as the tile is."""
        if self._fade is not None:
            self._fade[name] = self.shared_program.frag[name]


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
