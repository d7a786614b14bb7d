"""How pixels become texels.

Invariants: encoding is pure, runs in workers, and keeps order and NaN; what a texture holds
maps back to the data's own values by `clim_dtype` alone, so that contrast limits stay in data
units and changing them uploads nothing.

==================================  =======================  ==========================
data                                texture                  exact
==================================  =======================  ==========================
bool, uint8                         r8                       yes
int8                                r8, sign bit flipped     yes
uint16                              r16                      yes
int16                               r16, sign bit flipped    yes
float16, float32                    r32f                     yes
float64, (u)int32, (u)int64         r32f                     to 24 bits
RGB(A) of uint8, uint16             rgb(a)8, rgb(a)16        yes
RGB(A) of others                    rgb(a)32f                to 24 bits
==================================  =======================  ==========================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TextureEncoding:
    """From one data type to one texture type.

    Attributes
    ----------
    texel_dtype : numpy.dtype
        What is uploaded.
    clim_dtype : numpy.dtype
        The integer type whose range normalised textures stand for (float: not normalised).
    channels : int
        1, 3 or 4.
    """

    texel_dtype: np.dtype
    clim_dtype: np.dtype
    channels: int

    @property
    def texel_bytes(self) -> int:
        """Bytes of one texel."""
        return self.texel_dtype.itemsize * self.channels

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Texels of `pixels` (rows, columns[, channels]); a view where nothing changes."""
        if self.clim_dtype.kind == "i" and pixels.dtype == self.clim_dtype:
            flip = self.texel_dtype.type(1 << (8 * self.texel_dtype.itemsize - 1))
            return pixels.view(self.texel_dtype) ^ flip
        return pixels.astype(self.texel_dtype, copy=False)


def texture_encoding(dtype: np.dtype, channels: int = 1) -> TextureEncoding:
    """The encoding of data of `dtype`.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the data, in native byte order.
    channels : int
        1 for luminance; 3 or 4 for RGB(A).
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        texel = np.dtype(f"u{dtype.itemsize}")
        return TextureEncoding(texel, dtype, channels)
    return TextureEncoding(np.dtype(np.float32), np.dtype(np.float32), channels)
