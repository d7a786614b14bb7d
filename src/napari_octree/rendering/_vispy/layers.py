"""What of napari's drawing and slicing of a layer is private (napari 0.9.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari._vispy.layers.base import VispyBaseLayer
from napari._vispy.layers.image import VispyImageLayer
from napari._vispy.layers.scalar_field import ScalarFieldLayerNode, VispyScalarFieldBaseLayer
from napari._vispy.utils.gl import fix_data_dtype, get_max_texture_sizes
from napari._vispy.utils.visual import layer_to_visual
from napari._vispy.visuals.volume import Volume
from napari.layers import Layer

__all__ = [
    "ScalarFieldLayerNode",
    "VispyBaseLayer",
    "VispyImageLayer",
    "VispyScalarFieldBaseLayer",
    "Volume",
    "data_to_world",
    "displayed_axes",
    "fix_data_dtype",
    "get_max_texture_sizes",
    "ndisplay_of",
    "register_visual_class",
    "slice_of",
]


def register_visual_class(layer_class: type[Layer], visual_class: type) -> None:
    """Have napari draw `layer_class` (and its subclasses) with `visual_class`."""
    layer_to_visual[layer_class] = visual_class


def ndisplay_of(layer: Any) -> int:
    """How many axes a layer's viewer displays: 3 for 2-D data in a 3-D view too (any thread)."""
    return int(layer._slice_input.ndisplay)


def displayed_axes(layer: Any) -> list[int]:
    """The layer's axes that are displayed, in the order (…, row, column) (any thread)."""
    return [int(axis) for axis in layer._slice_input.displayed]


def slice_of(layer: Any) -> np.ndarray:
    """What napari takes for the layer's slice, as displayed: the overview in memory."""
    return np.asarray(layer._data_view)


def data_to_world(layer: Any) -> Any:
    """Napari's transform from a layer's data coordinates, over all axes, to the world."""
    return layer._data_to_world
