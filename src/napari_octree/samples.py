"""Images of any size without a download: for trying things out, for tests and for bug reports.

Each function gives the levels of an image, finest first, computed while they are read: pass them
to `OctreeImage` (or `OctreeLabels`); `points` gives what `OctreePoints` takes. Sizes, levels and
types are arguments. Neither napari nor a window is needed.
"""

from __future__ import annotations

from napari_octree.sources.samples.cell_labels import labels
from napari_octree.sources.samples.checkerboard import checkerboard
from napari_octree.sources.samples.julia import julia
from napari_octree.sources.samples.mandelbrot import mandelbrot
from napari_octree.sources.samples.mandelbulb import mandelbulb
from napari_octree.sources.samples.plate import plate
from napari_octree.sources.samples.points import points
from napari_octree.sources.samples.series import series

__all__ = [
    "checkerboard",
    "julia",
    "labels",
    "mandelbrot",
    "mandelbulb",
    "plate",
    "points",
    "series",
]
