"""The overview of labels as napari's own volume node shows it: indices into a table of colours.

Invariants: pure; index 0 is the background, or what is not shown. In 3-D napari takes light from
differences between indices, so they are made as napari makes them.
"""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap
from vispy.color import Colormap

from napari_octree.layers.labels.label_colours import LabelColormap, direct_colours

SIDE = 256
"""Of the table of colours."""


class TableColormap(Colormap):
    """As vispy's volumes ask for colours: by an index, of 16 bits, that is looked up exactly."""

    def __init__(self) -> None:
        super().__init__(["w", "w"], controls=None, interpolation="zero")
        self.glsl_map = """
uniform sampler2D texture2D_values;

vec4 sample_label_color(float t) {
    float index = floor(t * 65535.0 + 0.5);
    float row = floor((index + 0.5) / 256.0);
    return texture2D(texture2D_values, vec2(index - row * 256.0 + 0.5, row + 0.5) / 256.0);
}
"""


def indexed(labels: np.ndarray, colormap: LabelColormap) -> tuple[np.ndarray, np.ndarray]:
    """Indices and their colours.

    Parameters
    ----------
    labels : integer array
    colormap : CyclicLabelColormap or DirectLabelColormap
        With what is selected.

    Returns
    -------
    indices : uint16 array
        Of the labels' shape.
    table : (256, 256, 4) float32
    """
    table = np.zeros((SIDE**2, 4), np.float32)
    if isinstance(colormap, CyclicLabelColormap):
        colours = np.asarray(colormap.colors, np.float32)[: SIDE**2]
        table[: len(colours)] = colours
        one, n = labels.dtype.type(1), max(len(colours) - 1, 1)
        few = n <= np.iinfo(labels.dtype).max
        turns = (labels - one) % labels.dtype.type(n) + one if few else labels
        indices = turns.astype(np.uint16)
    else:
        keys, colours = direct_colours(colormap, labels.dtype)
        distinct, number = np.unique(colours, axis=0, return_inverse=True)
        numbers = number.ravel() % (SIDE**2 - 2) + 2
        table[1] = colormap.default_color
        table[2 : len(distinct) + 2] = distinct[: SIDE**2 - 2]
        at = np.searchsorted(keys, labels).clip(0, max(len(keys) - 1, 0))
        indices = np.ones(labels.shape, np.uint16)
        if len(keys):
            indices[...] = np.where(keys[at] == labels, numbers[at], 1)
    indices[labels == colormap.background_value] = 0
    if colormap.use_selection:
        indices[labels != colormap.selection] = 0
    table[0] = 0
    return indices, table.reshape(SIDE, SIDE, 4)
