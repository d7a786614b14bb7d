"""Thumbnails of labels: colours by label, of the overview in memory.

Invariant: pure. Where napari takes the largest number along a volume's depth, this takes the first
label that is not background, as one sees it from the front.
"""

from __future__ import annotations

import numpy as np

from napari_octree.layers.labels.label_colours import LabelColormap, label_colours


def label_thumbnail(
    overview: np.ndarray, colormap: LabelColormap, opacity: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Return the thumbnail of an overview.

    Parameters
    ----------
    overview : (rows, columns) or (planes, rows, columns) integer array
    colormap : CyclicLabelColormap or DirectLabelColormap
    opacity : float
    shape : (rows, columns, …)
        The largest that it may be.

    Returns
    -------
    (rows, columns, 4) float32
    """
    image = _first_along_depth(overview, colormap.background_value)
    zoom = min(most / n for most, n in zip(shape, image.shape, strict=False))
    places = [
        np.minimum((np.arange(max(int(n * zoom), 1)) + 0.5) / zoom, n - 1).astype(int)
        for n in image.shape
    ]
    colours = label_colours(image[np.ix_(*places)], colormap)
    colours[..., 3] *= opacity
    return colours


def _first_along_depth(overview: np.ndarray, background: int) -> np.ndarray:
    if overview.ndim == 2:
        return overview
    first = np.argmax(overview != background, axis=0)
    return np.take_along_axis(overview, first[np.newaxis], axis=0)[0]
