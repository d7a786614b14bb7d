"""Sample images, computed while you look.

Invariants: making a sample computes no pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any

import numpy as np
from napari import current_viewer
from napari.utils.colormaps import Colormap

from napari_octree.config import OctreeConfig
from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.plugin.preferences import preferred_config
from napari_octree.samples import (
    checkerboard,
    julia,
    labels,
    mandelbrot,
    mandelbulb,
    plate,
    points,
    series,
)
from napari_octree.sources.errors import SourceError
from napari_octree.sources.samples.plate import row_name

SCHEME = "octree://"

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
MANDELBULB_SURFACE = 130
"""One to two voxels from the set, whatever the level."""
MANDELBULB_LIGHT = (0, 370)
"""Contrast limits: values are at most 255, but napari's light adds to them."""
EMBER = (
    (0.00, (0.01, 0.01, 0.05)),
    (0.12, (0.06, 0.05, 0.22)),
    (0.27, (0.22, 0.10, 0.40)),
    (0.42, (0.55, 0.18, 0.38)),
    (0.58, (0.88, 0.38, 0.22)),
    (0.74, (0.99, 0.72, 0.30)),
    (0.90, (1.00, 0.95, 0.78)),
    (1.00, (1.00, 1.00, 1.00)),
)


def mandelbrot_layer(config: OctreeConfig | None = None) -> OctreeImage:
    """The Mandelbrot set, 2^27 × 2^27 pixels, 18 levels."""
    return OctreeImage(
        mandelbrot(),
        config,
        name="Mandelbrot set",
        colormap=mandelbrot_colormap(),
        contrast_limits=(0, 65535),
        interpolation2d="linear",
    )


def mandelbulb_layer(config: OctreeConfig | None = None) -> OctreeImage:
    """The Mandelbulb, 2^20 voxels a side, 15 levels: look at it in 3-D."""
    return OctreeImage(
        mandelbulb(),
        config,
        name="Mandelbulb",
        colormap=ember(),
        contrast_limits=MANDELBULB_LIGHT,
        rendering="iso",
        iso_threshold=MANDELBULB_SURFACE,
    )


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


def ember() -> Colormap:
    """From night through violet and embers to white."""
    controls, colors = zip(*EMBER, strict=True)
    return Colormap(np.array(colors), controls=controls, name="ember", display_name="Ember")


def julia_layer(config: OctreeConfig | None = None) -> OctreeImage:
    """A Julia set, 2^27 × 2^27 pixels."""
    return OctreeImage(
        julia(),
        config,
        name="Julia set",
        colormap=mandelbrot_colormap(),
        contrast_limits=(0, 65535),
        interpolation2d="linear",
    )


def checkerboard_layer(config: OctreeConfig | None = None) -> OctreeImage:
    """A checkerboard whose squares say their level, row and column."""
    return OctreeImage(checkerboard(), config, name="Checkerboard", contrast_limits=(0, 255))


def series_layer(config: OctreeConfig | None = None) -> OctreeImage:
    """A time series, one layer with a slider for each further axis."""
    return OctreeImage(
        series(),
        config,
        name="Time series",
        axis_labels=("t", "c", "z", "y", "x"),
        contrast_limits=(0, 32767),
        colormap="magma",
    )


def plate_layer(config: OctreeConfig | None = None) -> OctreeImage:
    """A plate of 384 wells with 4 fields each; a dose that kills grows from left to right."""
    levels = plate()
    pitch = levels[0].pitch[-1]
    rows, columns = (n // pitch for n in levels[0].shape)
    facts = {
        "name": "plate",
        "rows": [row_name(n) for n in range(rows)],
        "columns": [f"{n + 1:02}" for n in range(columns)],
        "pitch": (pitch, pitch),
    }
    return OctreeImage(
        list(levels),
        config,
        name="Plate",
        contrast_limits=(100, 1200),  # of the wells as a whole: single cells are brighter
        axis_labels=("y", "x"),
        metadata={"ome_zarr": {"plate": facts}},
    )


def labels_layer(config: OctreeConfig | None = None) -> OctreeLabels:
    """Cells on a lattice, each with a label of its own."""
    return OctreeLabels(labels(), config, name="Labels")


def points_layer(config: OctreeConfig | None = None) -> OctreePoints:
    """A billion points, in clusters of clusters of clusters."""
    return OctreePoints(
        points(),
        config,
        name="Points",
        size=30,
        border_color="transparent",
        face_color="kind",
        face_color_cycle=["#ffb454", "#ff7a59", "#ffe9c9"],
        opacity=0.4,
        blending="translucent_no_depth",
    )


SAMPLES: dict[str, Callable[[OctreeConfig | None], OctreeLayer]] = {
    "mandelbrot": mandelbrot_layer,
    "julia": julia_layer,
    "mandelbulb": mandelbulb_layer,
    "checkerboard": checkerboard_layer,
    "series": series_layer,
    "plate": plate_layer,
    "labels": labels_layer,
    "points": points_layer,
}
"""By the name that ``napari-octree --demo`` takes and that follows ``octree://``."""
FIRST_SAMPLE = "mandelbrot"


SHOWN_IN_3D = frozenset({"mandelbulb"})
"""Samples that are worth looking at in 3-D only."""


def read_sample(address: str | Sequence[str]) -> list[OctreeLayer]:
    """Make the layers of a sample's address, ``octree://NAME``.

    Raises
    ------
    SourceError
        There is no such sample.
    """
    name = str(address).removeprefix(SCHEME).rstrip("/")
    if name not in SAMPLES:
        raise SourceError(f"{address}: there is no such sample; there is {', '.join(SAMPLES)}")
    viewer = current_viewer()
    if viewer is not None and name in SHOWN_IN_3D:
        viewer.dims.ndisplay = 3
    # In a context of its own the layer notes no source: napari writes the address there, and
    # would not where it already says that the layer is a sample.
    return [Context().run(SAMPLES[name], preferred_config())]


def sample_data(name: str) -> list[tuple[Any, dict[str, Any], str]]:
    """Return a sample as napari wants it from the command of a sample: layer data."""
    return [Context().run(SAMPLES[name], preferred_config()).as_layer_data_tuple()]
