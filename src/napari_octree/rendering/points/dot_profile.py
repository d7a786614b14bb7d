"""What a dot adds to a picture on average: for an image that stands for dots that are not drawn.

Invariants: pure. Follows the fragment shader of vispy's markers for discs; other symbols are taken
for discs of their size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

STEPS = 400


class Dot(NamedTuple):
    """A dot as a whole.

    Attributes
    ----------
    cover : float
        Its opacity summed over the pixels of the framebuffer.
    colour : (float, float, float)
        The mean, by opacity.
    reach : float
        Its radius, in pixels.
    """

    cover: float
    colour: tuple[float, float, float]
    reach: float


def drawn_size(size: float, border: float, limits: tuple[float, float]) -> tuple[float, float]:
    """Return the size and the border of a point as the vertex shader bounds them, in pixels."""
    drawn = min(max(size, limits[0]), limits[1])
    if drawn == size:
        return drawn, border
    grown = border * drawn / size if size > 0 else 0.0
    return drawn, min(max(grown, limits[0] * 0.5), drawn * 0.5)


def dot_profile(
    size: float,
    border: float,
    antialias: float,
    face: tuple[float, ...],
    edge: tuple[float, ...],
) -> Dot:
    """Return what a disc covers.

    Parameters
    ----------
    size, border, antialias : float
        Pixels, as drawn.
    face, edge : four floats
        Colours.
    """
    smooth = max(antialias, 1e-6)
    reach = size / 2 + border / 2 + smooth
    radii = (np.arange(STEPS) + 0.5) / STEPS * reach
    areas = 2 * math.pi * radii * reach / STEPS
    outside = radii - size / 2
    inner, outer = np.array(face, float), np.array(edge, float)
    outer = outer * [1, 1, 1, min(border, 1.0)]
    off = np.abs(outside) - max(border / 2 - smooth, 0)
    fading = np.exp(-((off / smooth) ** 2))[:, np.newaxis]
    if border == 0:
        rim = np.where(outside > -smooth, np.exp(-((1 + outside / smooth) ** 2)), 1.0)
        colours = np.tile(inner, (STEPS, 1))
        colours[:, 3] *= rim
    else:
        faded = np.tile(outer, (STEPS, 1))
        faded[:, 3] *= fading[:, 0]
        mixed = inner * (1 - fading) + outer * fading
        colours = np.where(outside[:, np.newaxis] > 0, faded, mixed)
        colours[off < 0] = outer
    colours[outside > border / 2 + smooth, 3] = 0
    weights = areas * colours[:, 3]
    cover = float(weights.sum())
    if cover <= 0:
        return Dot(0.0, (0.0, 0.0, 0.0), reach)
    red, green, blue = (float(v) for v in weights @ colours[:, :3] / cover)
    return Dot(cover, (red, green, blue), reach)
