"""Sample images, computed while you look.

Invariants: making a sample computes no pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap

from napari_octree.layers.octree_image import OctreeImage
from napari_octree.plugin.preferences import preferred_config
from napari_octree.sources.mandelbrot import mandelbrot

LayerData = tuple[Any, dict[str, Any], str]

BANDS = 8
"""How often the palette returns over all escape times."""
PALETTE = (
    (0.00, (0.01, 0.02, 0.12)),
    (0.16, (0.05, 0.20, 0.55)),
    (0.32, (0.25, 0.60, 0.90)),
    (0.48, (0.95, 0.98, 0.95)),
    (0.64, (1.00, 0.72, 0.15)),
    (0.80, (0.65, 0.20, 0.05)),
    (0.92, (0.12, 0.02, 0.10)),
    (1.00, (0.01, 0.02, 0.12)),
)
LOWEST_VALUE = 8600
"""Every point of the image that escapes has at least this value."""


def mandelbrot_sample() -> list[LayerData]:
    """The Mandelbrot set, 2^27 × 2^27 pixels, 18 levels (napari's sample data)."""
    keywords = {
        "name": "Mandelbrot set",
        "colormap": mandelbrot_colormap(),
        "contrast_limits": (0, 65535),
        "interpolation2d": "linear",
        "config": preferred_config(),
    }
    return [(mandelbrot(), keywords, "octreeimage")]


def mandelbrot_colormap() -> Colormap:
    """Night, ice, snow, fire, again and again; the set itself is black."""
    values = np.linspace(0, 65535, 1024)
    positions, colors = zip(*PALETTE, strict=True)
    phase = np.maximum(values - LOWEST_VALUE, 0) / 65535 * BANDS % 1
    rgb = np.stack(
        [np.interp(phase, positions, channel) for channel in np.transpose(colors)], axis=1
    )
    rgb *= np.minimum(values / LOWEST_VALUE, 1)[:, None]
    return Colormap(rgb, name="mandelbrot", display_name="Mandelbrot")


SAMPLES: dict[str, Callable[[], list[LayerData]]] = {"mandelbrot": mandelbrot_sample}
"""By the name that `napari-octree --demo` takes."""


def sample_layers(name: str, **keywords: Any) -> list[OctreeImage]:
    """Make the layers of a sample; `keywords` replace its own."""
    return [OctreeImage(levels, **values | keywords) for levels, values, _ in SAMPLES[name]()]
