"""What the layer models need of napari's own (napari 0.9.2)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from napari.components.histogram import HistogramModel
from napari.layers import Labels
from napari.layers._scalar_field.scalar_field import ScalarFieldBase  # of Image and Labels
from napari.layers._source import Source, current_source
from napari.layers.image._image_key_bindings import image_fun_to_mode
from napari.layers.labels._labels_key_bindings import labels_fun_to_mode
from napari.layers.utils.layer_utils import calc_data_range
from napari.settings import get_settings
from napari.utils import _xarray_utils
from napari.utils._dtype import get_dtype_limits, normalize_dtype
from napari.utils.action_manager import action_manager
from napari.utils.naming import ROOT_DIR, magic_name

__all__ = [
    "OctreeHistogram",
    "ScalarFieldBase",
    "Source",
    "calc_data_range",
    "get_dtype_limits",
    "help_of_modes",
    "labels_drag_modes",
    "normalize_dtype",
    "parent_of_new_layer",
    "set_layer_source",
    "variable_name",
    "xarray_only_if_imported",
]


class OctreeHistogram(HistogramModel):
    """napari's histogram, of the overview in both of its modes."""

    def _get_full_data(self) -> np.ndarray:
        return np.asarray(self._layer._slice.image.raw)

    @staticmethod
    def _has_chunks(data: Any) -> bool:
        return False


@contextmanager
def xarray_only_if_imported() -> Iterator[None]:
    """Have napari make a layer without importing xarray to see whether its data come from it.

    It does so for every scalar field, and pandas comes with it: half a second in which the window
    stands still, and 70,000 more objects for the garbage collector. Data cannot be xarray's as
    long as nobody has imported that, which is all that is assumed, in whatever thread.
    """
    asked = getattr(_xarray_utils, "_check_xarray", None)
    if asked is None or "xarray" in sys.modules:
        yield
        return

    def check(data: Any) -> Any:
        return asked(data) if "xarray" in sys.modules else _xarray_utils._XarrayProps()

    _xarray_utils._check_xarray = check
    try:
        yield
    finally:
        _xarray_utils._check_xarray = asked


def help_of_modes(layer: Any) -> str:
    """What napari tells of the keys of a layer's other modes.

    It looks that up by the very class, and so finds nothing for a class derived from its own.
    """
    stock = labels_fun_to_mode if isinstance(layer, Labels) else image_fun_to_mode
    shortcuts = get_settings().shortcuts.shortcuts
    keys = {}
    for function, mode in stock:
        name = f"napari:{function.__name__}"
        if mode != layer.mode and shortcuts.get(name) and name in action_manager._actions:
            keys[shortcuts[name][0]] = action_manager._actions[name].description.lower()
    return ", ".join(f"use <{key}> for {what}" for key, what in keys.items())


def set_layer_source(layer: Any, path: str, reader_plugin: str) -> None:
    """Write napari's record of where a layer came from, which has no public setter."""
    layer._source = Source(path=path, reader_plugin=reader_plugin)


def parent_of_new_layer() -> Any:
    """The layer of which napari is making a copy, or None."""
    parent = current_source().parent
    return parent() if callable(parent) else None


def variable_name(value: Any) -> str | None:
    """The name of the caller's variable that holds `value`, as napari names its layers."""
    ours = str(Path(__file__).parents[2])  # all of napari_octree
    return magic_name(value, path_prefix=(ours, ROOT_DIR))  # handed on to str.startswith


def labels_drag_modes(**ours: Callable[[Any, Any], Any]) -> dict[Any, Callable[[Any, Any], Any]]:
    """What dragging does in each mode of a labels layer, with some replaced by mode name."""
    named = {Labels._modeclass(mode): drag for mode, drag in ours.items()}
    return {**Labels._drag_modes, **named}
