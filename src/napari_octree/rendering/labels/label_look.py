"""LabelLook: how labels are coloured, as the programs, uniforms and textures that do it.

Invariants: a pure function of the layer's settings; no label is looked at, so that another look
uploads no tile. What a program can do costs in every pixel, so each does what its look needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_octree.layers.labels.label_colours import (
    LabelColormap,
    direct_colours,
    label_colours,
)
from napari_octree.rendering.gpu.label_encoding import LabelEncoding, Words
from napari_octree.rendering.gpu.shader_text import shader_text
from napari_octree.rendering.labels.hash_table import COLUMNS, hash_table

NEVER = 1e9
"""Above every word."""

EVERY = 3e38
"""Above every label."""

EXACT = 2**24
"""Integers below are exact in float32."""


@dataclass(frozen=True, eq=False)
class LabelColours:
    """The colours of a colour map, for labels of one type, whatever is selected.

    Attributes
    ----------
    parts : tuple of str
        Shader files that look up colours.
    texels : (rows, columns, 4) float32
        As napari has them: not rounded to 8 bits.
    keys : array or None
        See `HashTable`.
    uniforms : dict
    """

    parts: tuple[str, ...]
    texels: np.ndarray
    keys: np.ndarray | None = None
    uniforms: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelLook:
    """What of the labels is drawn, and in which colours.

    Attributes
    ----------
    colours : LabelColours
    background : four words
    selected : four words or None
        The only label that is shown; None: all are.
    contour : int
        Thickness of outlines in texels; 0: areas.
    """

    colours: LabelColours
    background: Words
    selected: Words | None = None
    contour: int = 0

    def source(self, encoding: LabelEncoding, has_outlines: bool = True) -> str:
        """The shader's source, from which a program is made once.

        Parameters
        ----------
        encoding : LabelEncoding
        has_outlines : bool
            There is an `OutlineAtlas`; else each pixel of each frame looks at those around it.
        """
        drawn = ["outlines/kept"] if has_outlines else ["outlines/rule", "outlines/found_here"]
        parts = [
            "four_words" if encoding.channels > 1 else "one_word",
            *(drawn if self.contour else ["area"]),
            "all" if self.selected is None else "only_selected",
            "colours",
            *self.colours.parts,
        ]
        return "\n".join([_part("lookup"), _defines(encoding), *map(_part, parts)])

    def outline_source(self, encoding: LabelEncoding) -> str:
        """The shader that finds the outlines of tiles: see `OutlineAtlas`."""
        words = _part("four_words" if encoding.channels > 1 else "one_word")
        words = words.replace("$texture", "u_texture")
        declared, rule = _part("outlines/lookup"), _part("outlines/rule")
        main = shader_text("labels/outlines/find.frag")
        return "\n".join([_defines(encoding), declared, words, rule, main])

    def outline_uniforms(self, encoding: LabelEncoding) -> dict[str, Any]:
        """All that it reads, but the atlas."""
        return {
            "u_contour": float(self.contour),
            "u_negative_from": self.uniforms(encoding)["u_negative_from"],
        }

    def volume_source(self, encoding: LabelEncoding) -> str:
        """The same for volumes: a function from a label to its colour."""
        parts = ["all" if self.selected is None else "only_selected", "colours"]
        parts += self.colours.parts
        return "\n".join([_part("shown"), _defines(encoding), *map(_part, parts)])

    def volume_uniforms(self, encoding: LabelEncoding) -> dict[str, Any]:
        """All that a volume of this look reads, but textures.

        Which labels a ray looks for, and which ranges of them it may pass by, as float32.
        """
        wanted = self.selected
        one = encoding.label(self.background if wanted is None else wanted)
        # Where float32 holds the background exactly no other label becomes the same number.
        number = None if one is None else float(one)
        hollow = wanted is None and number is not None and abs(number) < EXACT
        return {
            **self.uniforms(encoding),
            "label_key": self.background if wanted is None else wanted,
            "label_is_wanted": float(wanted is not None),
            "label_range": (-EVERY, EVERY) if wanted is None or number is None else (number,) * 2,
            "label_hollow": (number,) * 2 if hollow else (EVERY, -EVERY),
        }

    def uniforms(self, encoding: LabelEncoding) -> dict[str, Any]:
        """All that a program of this look reads, but textures."""
        flips = encoding.channels > 1 and encoding.is_signed
        rows, columns = self.colours.texels.shape[:2]
        return {
            **self.colours.uniforms,
            "u_background": self.background,
            "u_negative_from": 2.0 ** (encoding.word_bits - 1) if flips else NEVER,
            "u_colours_shape": (float(columns), float(rows)),
            **({"u_selected": self.selected} if self.selected is not None else {}),
        }


def label_look(
    colours: LabelColours,
    colormap: LabelColormap,
    encoding: LabelEncoding,
    contour: int,
) -> LabelLook:
    """The look of a layer.

    Parameters
    ----------
    colours : LabelColours
        Of the colour map.
    colormap : CyclicLabelColormap or DirectLabelColormap
        With what is selected.
    encoding : LabelEncoding
    contour : int
    """
    selected = encoding.words(int(colormap.selection)) if colormap.use_selection else None
    return LabelLook(colours, encoding.words(int(colormap.background_value)), selected, contour)


def colours_of(colormap: LabelColormap, encoding: LabelEncoding) -> LabelColours:
    """The colours of a colour map, made anew: to be kept as long as it does not change."""
    if encoding.channels == 1:
        return _table(colormap, encoding)
    if isinstance(colormap, CyclicLabelColormap):
        return _cyclic(colormap, encoding)
    return _direct(colormap, encoding)


def _table(colormap: LabelColormap, encoding: LabelEncoding) -> LabelColours:
    limits = np.iinfo(encoding.label_dtype)
    labels = np.arange(limits.min, limits.max + 1).astype(encoding.label_dtype)
    plain = colormap.model_copy(update={"use_selection": False})
    return LabelColours(("table",), label_colours(labels, plain).reshape(-1, 256, 4))


def _cyclic(colormap: CyclicLabelColormap, encoding: LabelEncoding) -> LabelColours:
    table = np.array(colormap.colors, np.float32)
    table[0] = 0
    n, bits = len(table) - 1, encoding.word_bits
    limits = np.iinfo(encoding.label_dtype)
    is_short = 4 * 2**bits * n < EXACT
    uniforms: dict[str, Any] = {
        "u_count": float(n),
        "u_sign": float(n - 2 ** (4 * bits) % n),
        # numpy, and so napari, wraps around in v - 1.
        "u_least": encoding.words(limits.min),
        "u_least_colour": float(int(limits.max) % n + 1),
    }
    if is_short:
        uniforms["u_powers"] = tuple(float(2 ** (bits * i) % n) for i in range(4))
    part = "few_colours" if is_short else "many_colours"
    return LabelColours(("cyclic", part), _rows(table), uniforms=uniforms)


def _direct(colormap: DirectLabelColormap, encoding: LabelEncoding) -> LabelColours:
    labels, colours = direct_colours(colormap, encoding.label_dtype)
    table = hash_table(labels, colours, encoding)
    uniforms = {
        "u_hash": tuple(table.factors),
        "u_homes": table.homes,
        "u_probes": table.probes,
        "u_other": tuple(float(c) for c in colormap.default_color),
    }
    return LabelColours(("direct",), table.colours, table.keys, uniforms)


def _rows(table: np.ndarray) -> np.ndarray:
    """(N, 4) colours as rows of a texture."""
    rows = -(-len(table) // COLUMNS)
    texels = np.zeros((rows, min(len(table), COLUMNS), 4), np.float32)
    texels.reshape(-1, 4)[: len(table)] = table
    return texels


def _defines(encoding: LabelEncoding) -> str:
    bits = encoding.word_bits
    return f"#define LARGEST_WORD {2**bits - 1}.0\n" + "#define WIDE_WORDS\n" * (bits > 8)


def _part(name: str) -> str:
    return shader_text(f"labels/{name}.glsl")


class ShowsLabels(Protocol):
    """A node that labels are drawn with."""

    def set_look(self, look: LabelLook) -> None:
        """Draw with these colours, selection and outlines."""
        ...
