"""How labels become texels: exactly, whatever their size.

Invariants: encoding is pure and runs in workers; a texel holds the label itself, so that colours,
selection and outlines are the shader's business and change without uploads. A shader reads a
label as four words, integers in float32, the lowest first; words that there are not are 0.

==============  =================  =============================================
labels          texture            words
==============  =================  =============================================
uint8, int8     r8                 one of 8 bits, the sign bit flipped
uint16, int16   r16                one of 16 bits, the sign bit flipped
32 bits         rgba8              four of 8 bits, the label's own bytes
64 bits         rgba16             four of 16 bits, the label's own bytes
==============  =================  =============================================

With the sign bit flipped texels have the labels' order. The others are not touched: that they are
views makes them cheap, and only outlines need their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_octree.rendering.gpu.texture_encoding import TextureEncoding

Words = tuple[float, float, float, float]


@dataclass(frozen=True)
class LabelEncoding(TextureEncoding):
    """From one integer type to one texture type.

    Attributes
    ----------
    label_dtype : numpy.dtype
        Of the labels, in native byte order.
    """

    label_dtype: np.dtype = np.dtype(np.uint8)  # noqa: RUF009

    @property
    def word_bits(self) -> int:
        """Bits of a texel's component."""
        return 8 * self.texel_dtype.itemsize

    @property
    def is_signed(self) -> bool:
        """Whether labels may be negative."""
        return self.label_dtype.kind == "i"

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Texels of `pixels` (…) as (…) or (…, 4): a view where that can be."""
        labels = np.ascontiguousarray(pixels, self.label_dtype)
        words = labels.view(self.texel_dtype)
        if self.channels > 1:
            return words.reshape(*labels.shape, self.channels)
        if self.is_signed:
            return words ^ self.texel_dtype.type(1 << (self.word_bits - 1))
        return words

    def words(self, label: int) -> Words:
        """One label as the shader reads it; like none of them where the type cannot hold it."""
        limits = np.iinfo(self.label_dtype)
        if not limits.min <= label <= limits.max:
            return (-1.0, -1.0, -1.0, -1.0)
        texel = self.encode(np.array([label], self.label_dtype))
        words = [float(word) for word in np.ravel(texel)] + [0.0] * 3
        return (words[0], words[1], words[2], words[3])

    def label(self, words: Words) -> int | None:
        """The label of some words; None of those that no label has."""
        if min(words) < 0:
            return None
        texel = np.array(words[: self.channels], self.texel_dtype)
        if self.channels == 1 and self.is_signed:
            texel ^= self.texel_dtype.type(1 << (self.word_bits - 1))
        return int(texel.view(self.label_dtype)[0])

    def ordered(self, pixels: np.ndarray, texels: np.ndarray) -> np.ndarray:
        """The labels: their words have no order."""
        return np.asarray(pixels, self.label_dtype)

    @property
    def ordered_unit(self) -> float:
        """Ranges are of labels."""
        return 1.0


def label_encoding(dtype: np.dtype) -> LabelEncoding:
    """The encoding of labels of `dtype`, an integer type."""
    dtype = np.dtype(dtype).newbyteorder("=")
    channels = 4 if dtype.itemsize > 2 else 1
    texel = np.dtype(f"u{dtype.itemsize // channels}")
    return LabelEncoding(texel, texel, channels, label_dtype=dtype)
