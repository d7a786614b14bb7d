"""The largest label that is known of a layer: what a new one must be above.

Invariants: main thread; nothing is read. Of an array in memory it is the largest of all. Of a
store it is the largest of what is known (overview, edits, features, colours): objects too small
for the overview may have larger ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

if TYPE_CHECKING:
    from napari_octree.layers.labels.painting.paintable import PaintableLabels


def largest_label(layer: PaintableLabels, in_memory: np.ndarray | None) -> int:
    """Return the largest label known.

    Parameters
    ----------
    layer : PaintableLabels
    in_memory : array or None
        Level 0, if it is.
    """
    painted = layer.largest_painted
    known = [0] if painted is None else [painted]
    if in_memory is not None:
        return max(*known, int(np.max(in_memory, initial=0)))
    overview = layer.overview
    if overview is not None and overview.size:
        known.append(int(overview.max()))
    if "index" in layer.features and len(layer.features):
        known.append(int(layer.features["index"].max()))
    if isinstance(layer.colormap, DirectLabelColormap):
        known += [int(label) for label in layer.colormap.color_dict if label is not None]
    limit = int(np.iinfo(layer.dtype).max)
    return max(label for label in known if label <= limit)
