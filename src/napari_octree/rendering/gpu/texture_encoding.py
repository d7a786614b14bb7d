"""How pixels become texels.

Invariants: encoding is pure, runs in workers, and keeps order and NaN; what a texture holds
maps back to the data's own values by `clim_dtype`, `origin` and `scale` alone, so that changing
contrast limits uploads nothing. The exception are limits that float32 cannot tell apart or hold
(as 2^30 and 2^30 + 100, or 1e300): the shader calculates in float32, so these need texels
that are scaled to them, 0 to 1, and serve all limits of about their size.

==================================  =======================  ==========================
data                                texture                  exact
==================================  =======================  ==========================
bool, uint8                         r8                       yes
int8                                r8, sign bit flipped     yes
uint16                              r16                      yes
int16                               r16, sign bit flipped    yes
float16, float32                    r32f                     yes
float64, (u)int32, (u)int64         r32f                     to 24 bits
RGB(A) of bool, uint8, uint16       rgb(a)8, rgb(a)16        yes
RGB(A) of others                    rgb(a)32f                to 24 bits
any, with limits beyond float32     r32f, scaled             to 24 bits of the limits
==================================  =======================  ==========================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

SHADES = 1024
"""Steps of float32 that contrast limits must be apart: four to a shade (napari: one)."""

LIT_SHADES = 2**16
"""The same where surfaces are lit: by what differs between one voxel and the next."""

LARGEST = 1e38
"""Of scaled texels: to the filters of the GPU 0 times infinity is no number."""

Limits = tuple[float, float]


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
    origin, scale : float
        A texel is ``(value - origin) * scale``.
    """

    texel_dtype: np.dtype
    clim_dtype: np.dtype
    channels: int
    origin: float = 0.0
    scale: float = 1.0

    @property
    def is_scaled(self) -> bool:
        """Whether texels are other numbers than the pixels' values."""
        return (self.origin, self.scale) != (0.0, 1.0)

    @property
    def texel_bytes(self) -> int:
        """Bytes of one texel."""
        return self.texel_dtype.itemsize * self.channels

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Texels of `pixels` (rows, columns[, channels]); a view where nothing changes.

        Values that the texels cannot hold become the largest or least that they can.
        """
        if self.is_scaled:
            return self._scaled(pixels).astype(self.texel_dtype)
        if self.clim_dtype.kind == "i" and pixels.dtype == self.clim_dtype:
            flip = self.texel_dtype.type(1 << (8 * self.texel_dtype.itemsize - 1))
            return pixels.view(self.texel_dtype) ^ flip
        if self.texel_dtype.kind == "u" and pixels.dtype.itemsize > self.texel_dtype.itemsize:
            limits = np.iinfo(self.clim_dtype)
            pixels = np.clip(pixels, limits.min, limits.max).astype(self.clim_dtype)
            return self.encode(pixels)
        with np.errstate(over="ignore"):
            return pixels.astype(self.texel_dtype, copy=False)

    def ordered(self, pixels: np.ndarray, texels: np.ndarray) -> np.ndarray | None:
        """What ranges of values are made of, for shaders that pass by what lies outside of them.

        Parameters
        ----------
        pixels, texels : array
            The same, before and after `encode`.

        Returns
        -------
        array or None
            Of the same shape; in units of `ordered_unit` it is what the shader compares with.
            None: there is no order, as of colours.
        """
        return texels if self.channels == 1 else None

    @property
    def ordered_unit(self) -> float:
        """Textures of integers are normalised."""
        kind = self.texel_dtype
        return np.iinfo(kind).max if kind.kind == "u" else 1.0

    def _scaled(self, pixels: np.ndarray) -> np.ndarray:
        origin = self.origin
        if pixels.dtype.kind in "iu" and pixels.dtype.itemsize == 8:
            # Beyond 2^53 float64 would not tell neighbours apart: their distances it does.
            pixels, near = _distances(pixels, origin)
            origin -= near
        # The distance may be more than float64 holds, half of it is not.
        half = pixels.astype(np.float64) / 2 - origin / 2
        with np.errstate(over="ignore"):
            return np.clip(half * self.scale * 2, -LARGEST, LARGEST)

    def texel_value(self, value: float) -> float:
        """What a texel holds for a value of the data, where textures are not normalised."""
        half = float(value) / 2 - self.origin / 2
        return half * self.scale * 2

    def texel_limits(self, limits: Limits) -> Limits:
        """Contrast limits for the texture, from those for the data."""
        low, high = map(self.texel_value, limits)
        return low, high

    def suits(self, limits: Limits, margin: float = 1.0, shades: int = SHADES) -> bool:
        """Whether float32 can hold these contrast limits, and tell values between them apart.

        Textures of integers hold all values that there are: they need no more than `SHADES`.
        """
        if self.texel_dtype.kind == "u":
            shades = SHADES
        largest = float(np.finfo(np.float32).max) / 10
        low, high = self.texel_limits(limits)
        if not max(abs(low), abs(high)) <= largest / margin:
            return False
        step = max(float(np.spacing(np.float32(abs(value)))) for value in (low, high))
        return high - low >= shades * step * margin


def encoding_for_limits(
    plain: TextureEncoding,
    limits: Limits,
    former: TextureEncoding | None = None,
    shades: int = SHADES,
) -> TextureEncoding:
    """The encoding that shows data between `limits` (in data units).

    Parameters
    ----------
    plain : TextureEncoding
        Of the data's type.
    limits : (low, high)
    former : TextureEncoding, optional
        What is in use: kept as long as it suits, so that limits can be moved without uploads.
    shades : int
        Steps of float32 that the limits must be apart.

    Returns
    -------
    TextureEncoding
        `plain`, `former` or a new one.
    """
    margin = 1 if former in (None, plain) else 16
    if plain.channels > 1 or plain.suits(limits, margin, shades):
        return plain
    if former is not None and former.is_scaled and former.suits(limits, shades=shades):
        return former
    low, high = (float(value) for value in limits)
    half = high / 2 - low / 2  # the whole may be more than float64 holds
    if not half > 0 or math.isinf(0.5 / half):
        return plain
    return replace(
        plain,
        texel_dtype=np.dtype(np.float32),
        clim_dtype=np.dtype(np.float32),
        origin=low,
        scale=0.5 / half,
    )


def _distances(pixels: np.ndarray, origin: float) -> tuple[np.ndarray, float]:
    """64-bit integers less one of their type that is next to `origin`, and that one.

    What is further from it than 2^62 is taken for as far: only beyond all limits.
    """
    kind = np.iinfo(pixels.dtype)
    near = int(min(max(origin, float(kind.min)), float(kind.max)))
    near = min(max(near, kind.min), kind.max)
    low, high = max(near - 2**62, kind.min), min(near + 2**62, kind.max)
    distances = np.clip(pixels, low, high) - pixels.dtype.type(near)
    return distances.view(np.int64), float(near)


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
    # Signed colours are not normalised by napari: their alpha would be another.
    if dtype.itemsize <= 2 and (dtype.kind == "u" or (dtype.kind == "i" and channels == 1)):
        texel = np.dtype(f"u{dtype.itemsize}")
        return TextureEncoding(texel, dtype, channels)
    return TextureEncoding(np.dtype(np.float32), np.dtype(np.float32), channels)
