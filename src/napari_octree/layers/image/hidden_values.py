"""Which voxels of a volume leave no trace in the picture, whatever their values are.

Invariant: a pure function of the layer's display settings; no pixel is looked at.
"""

from __future__ import annotations

import math

import numpy as np

from napari_octree.layers.image.octree_image import OctreeImage


def hidden_up_to(layer: OctreeImage) -> float:
    """Return the value up to which all voxels give the same picture, that of nothing.

    Parameters
    ----------
    layer : OctreeImage

    Returns
    -------
    float
        In units of the data; minus infinity where every value counts. In maximum projections it
        is the lower contrast limit; for surfaces all that lies below the threshold; where
        colours are added up, the lower limit if the colour there adds nothing: black where
        they are summed, transparent where they are blended. Minimum and mean projections use
        every value.
    """
    if layer.rgb:
        return -math.inf
    low = float(layer.contrast_limits[0])
    red, green, blue, alpha = np.asarray(layer.colormap.map(0.0)).reshape(-1, 4)[0]
    match str(layer.rendering):
        case "mip" | "attenuated_mip":
            return low
        case "iso":
            return math.nextafter(float(layer.iso_threshold), -math.inf)
        case "additive" if red == green == blue == 0:
            return low
        case "translucent" if alpha == 0:
            return low
    return -math.inf
