"""Every private name of napari that the layer models need (read in napari 0.9.2).

Invariant: each is behind a name of ours that says what it is for. Others import them from here.
"""

from napari_octree.layers._napari.callers import (
    is_asked_by_action,
    is_asked_by_new_label,
    is_asked_by_tool,
    is_asked_by_window,
    writer_that_asks,
)
from napari_octree.layers._napari.layer_models import (
    OctreeHistogram,
    ScalarFieldBase,
    calc_data_range,
    get_dtype_limits,
    help_of_modes,
    labels_drag_modes,
    normalize_dtype,
    parent_of_new_layer,
    set_layer_source,
    variable_name,
    xarray_only_if_imported,
)
from napari_octree.layers._napari.layer_types import (
    LayerTypeName,
    register_add_method,
    register_layer_type,
    register_visual,
)
from napari_octree.layers._napari.levels import OctreeLevels
from napari_octree.layers._napari.menus import (
    add_context_key,
    is_registered,
    register_actions,
    set_enablement,
)
from napari_octree.layers._napari.slicing import OverviewSlicingState

__all__ = [
    "LayerTypeName",
    "OctreeHistogram",
    "OctreeLevels",
    "OverviewSlicingState",
    "ScalarFieldBase",
    "add_context_key",
    "calc_data_range",
    "get_dtype_limits",
    "help_of_modes",
    "is_asked_by_action",
    "is_asked_by_new_label",
    "is_asked_by_tool",
    "is_asked_by_window",
    "is_registered",
    "labels_drag_modes",
    "normalize_dtype",
    "parent_of_new_layer",
    "register_actions",
    "register_add_method",
    "register_layer_type",
    "register_visual",
    "set_enablement",
    "set_layer_source",
    "variable_name",
    "writer_that_asks",
    "xarray_only_if_imported",
]
