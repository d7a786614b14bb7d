"""TiledLabelsVisual: tiles of exact labels, coloured in the shader.

Invariants: those of `TiledImageVisual`. Labels are looked up nearest, and never mixed: where a
tile fades in, colours are. A program is compiled only when a look needs another than before.
Outlines are kept where there is memory for them, else found anew in each frame. The labels' type
is that of the atlas: with an atlas of another type the look is to be set anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vispy.gloo import Texture2D
from vispy.scene.visuals import create_visual_node
from vispy.visuals.shaders import Function

from napari_octree.rendering.gpu.label_encoding import LabelEncoding
from napari_octree.rendering.labels.label_look import LabelLook
from napari_octree.rendering.labels.outline_atlas import OutlineAtlas
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.tiled_image import TiledImageVisual

_AS_LOOKED_UP = "vec4 as_looked_up(vec4 colour) { return colour; }"


class TiledLabelsVisual(TiledImageVisual):
    """Tiles of a label image, each pixel of it in exactly one quad.

    Parameters
    ----------
    encoding : LabelEncoding
    size : (width, height)
        Of level 0 in pixels.
    on_prepare : callable
    look : LabelLook
    vram_bytes : int
        The limit of the GPU's memory.
    fades : bool
    """

    canvas: Any

    def __init__(
        self,
        encoding: LabelEncoding,
        size: tuple[int, int],
        on_prepare: Callable[[TiledImageVisual], None],
        look: LabelLook,
        vram_bytes: int,
        fades: bool = False,
    ) -> None:
        self._vram_bytes = vram_bytes
        self._labels = encoding
        self._lookups: dict[str, Function] = {}
        self._look = look
        self._outlines: list[OutlineAtlas] = []
        super().__init__(encoding, size, on_prepare, fades, interpolation="nearest")
        self._show(look, colours_too=True)

    def set_look(self, look: LabelLook) -> None:
        """Show labels like this from now on."""
        former, self._look = self._look, look
        self._show(look, colours_too=look.colours is not former.colours)
        self.update()

    def _show(self, look: LabelLook, colours_too: bool) -> None:
        program = self.shared_program
        for name, value in look.uniforms(self._labels).items():
            program[name] = value
        if colours_too:
            program["u_colours"] = Texture2D(
                look.colours.texels, internalformat="rgba32f", interpolation="nearest"
            )
            if look.colours.keys is not None:
                bits = self._labels.word_bits
                program["u_keys"] = Texture2D(
                    look.colours.keys, internalformat=f"rgba{bits}", interpolation="nearest"
                )
        self._need_interpolation_update = True

    # --------------------------------------------------------------- the seam

    def _init_interpolation(self, interpolation_names: Any) -> Any:
        return ("nearest",), {"nearest": self._lookup()}

    def _lookup(self) -> Function:
        source = self._look.source(self._labels, bool(self._outlines))
        if source not in self._lookups:
            self._lookups[source] = Function(source)
        return self._lookups[source]

    def _build_interpolation(self) -> None:
        lookup = self._interpolation_fun["nearest"] = self._lookup()
        if self._data_lookup_fn is not lookup:
            self._need_method_update = True  # vispy forgets buffers that a program has no use for
        super()._build_interpolation()

    @property
    def labels(self) -> LabelEncoding:
        """Of the labels that are drawn."""
        return self._labels

    def _bind_atlas(self, atlas: TextureAtlas2D) -> None:
        super()._bind_atlas(atlas)
        assert isinstance(atlas.encoding, LabelEncoding)
        self._labels = atlas.encoding
        if self._outlines and self._outlines[0].atlas is not atlas:
            self._drop_outlines()

    def _drop_outlines(self) -> None:
        for outlines in self._outlines:
            outlines.close(self.canvas)
        self._outlines = []

    def _make_ready(self, view: Any) -> None:
        if self._look.contour:
            self._find_outlines()
        elif self._outlines and self._outlines[0].is_in_the_way(self._vram_bytes):
            self._drop_outlines()
        super()._make_ready(view)

    def _take_page(self, page: int, indices: Any) -> None:
        super()._take_page(page, indices)
        if self._outlines and self._look.contour:
            self.shared_program["u_outlines"] = self._outlines[page].texture

    def _find_outlines(self) -> None:
        """Have the outlines of all that is drawn, if there is memory for that."""
        had, limit = bool(self._outlines), self._vram_bytes
        if self._outlines and self._outlines[0].is_in_the_way(limit):
            self._drop_outlines()
        elif not self._outlines and OutlineAtlas.fits(self.atlas, limit):
            self._outlines = [
                OutlineAtlas(self._labels, self.atlas, self.update, page)
                for page in range(len(self.atlas.pages))
            ]
        for outlines in self._outlines:
            outlines.fill(self.canvas, self._look, self._quads)
        if not self._outlines:
            rows, columns = self.atlas.extent
            self.shared_program["u_contour"] = float(self._look.contour)
            self.shared_program["u_texel"] = (1 / columns, 1 / rows)
        if had != bool(self._outlines):
            self._need_interpolation_update = True

    def _build_color_transform(self) -> Function:
        return Function(_AS_LOOKED_UP)


TiledLabels = create_visual_node(TiledLabelsVisual)
