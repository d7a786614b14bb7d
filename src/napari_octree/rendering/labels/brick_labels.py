"""BrickLabels: a volume of exact labels, coloured and lit in the shader, brick by brick.

Invariants: those of `BrickVolume`. Labels are looked up nearest, and of the atlas's type: with an
atlas of another type the look is to be set anew. The loop compares labels; colour
and light are found once per ray, where it meets the first label that is shown. Another look
uploads no brick, and compiles only what another look has not needed yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vispy.gloo import Texture2D
from vispy.visuals.shaders import Function

from napari_octree.octree.octree import Octree
from napari_octree.rendering.gpu.label_encoding import LabelEncoding
from napari_octree.rendering.gpu.shader_text import shader_text
from napari_octree.rendering.labels.label_look import LabelLook
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.volume_shaders import (
    mode_sections,
    volume_fragment_shader,
)

MODES = ("iso_categorical", "translucent_categorical")


class BrickLabels(BrickVolume):
    """A volume of labels.

    Parameters
    ----------
    encoding : BrickEncoding
        Of labels.
    octree : Octree
        Of three axes.
    on_prepare : callable
    look : LabelLook
        Without outlines.
    """

    _shaders = {  # noqa: RUF012
        "vertex": shader_text("volume/brick_volume.vert"),
        "fragment": volume_fragment_shader("label_surface.glsl"),
    }
    _rendering_methods = {mode: mode_sections(mode) for mode in MODES}  # noqa: RUF012

    def __init__(
        self,
        encoding: BrickEncoding,
        octree: Octree,
        on_prepare: Callable[[Any], None],
        look: LabelLook,
        **keywords: Any,
    ) -> None:
        keywords = {"method": MODES[0], "interpolation": "nearest", **keywords}
        super().__init__(encoding, octree, on_prepare, **keywords)
        self.unfreeze()
        self._lookups: dict[str, Function] = {}
        self._source = ""
        self._colours: Any = None
        self.freeze()
        self.set_look(look)

    @property
    def labels(self) -> LabelEncoding:
        """Of the labels that are drawn."""
        texels = self.atlas.encoding.texels
        assert isinstance(texels, LabelEncoding)
        return texels

    def set_look(self, look: LabelLook) -> None:
        """Show labels like this from now on."""
        labels = self.labels
        program, source = self.shared_program, look.volume_source(labels)
        scale, words = 2.0**labels.word_bits - 1, labels.channels
        program["label_words"] = (scale,) * words + (0.0,) * (4 - words)
        if source != self._source:
            self._source = source
            if source not in self._lookups:
                self._lookups[source] = Function(source)
            program.frag["shown_colour"] = self._lookups[source]
        for name, value in look.volume_uniforms(labels).items():
            program[name] = value
        if look.colours is not self._colours:
            self._colours = look.colours
            program["u_colours"] = Texture2D(
                look.colours.texels, internalformat="rgba32f", interpolation="nearest"
            )
            if look.colours.keys is not None:
                program["u_keys"] = Texture2D(
                    look.colours.keys,
                    internalformat=f"rgba{labels.word_bits}",
                    interpolation="nearest",
                )
        self.update()

    @property
    def iso_gradient_mode(self) -> str:
        """'fast' or 'smooth': by how many neighbours surfaces are lit."""
        return self._iso_gradient_mode

    @iso_gradient_mode.setter
    def iso_gradient_mode(self, value: str) -> None:
        self._iso_gradient_mode = str(value)
        self.shared_program["label_smooth"] = float(str(value) == "smooth")
        self.update()
