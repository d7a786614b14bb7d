"""How napari learns of a type of layer, by name and by class (napari 0.9.2)."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NewType

import napari.layers
import napari.types
from napari.layers import Layer


class LayerTypeName(str):
    """The name of a stock layer's type, which `Layer.create` takes for one of ours.

    A layer data tuple names one type, and napari asks it two things. Writers, menus and other
    plugins compare it with "image"; `Layer.create` and `ViewerModel`, which make layers, take it
    in lower case. So this is equal to the stock name, and its lower case is our class's name.

    Parameters
    ----------
    stock : str
        "image" or "labels".
    ours : str
        The name of our class, in lower case.
    """

    _ours: str

    def __new__(cls, stock: str, ours: str) -> LayerTypeName:
        name = super().__new__(cls, stock)
        name._ours = ours
        return name

    def lower(self) -> str:
        """The name under which our class is registered."""
        return self._ours

    def __reduce__(self) -> tuple[Any, ...]:
        return LayerTypeName, (str(self), self._ours)


def register_layer_type(cls: type[Layer]) -> None:
    """Let LayerData tuples (samples, Duplicate) name `cls` by its lower-case name."""
    name = cls.__name__
    napari.layers.NAMES.add(name.lower())
    setattr(napari.layers, name.title(), cls)
    # napari's thread workers expect a data type per name.
    setattr(napari.types, f"{name.title()}Data", NewType(f"{name.title()}Data", object))


def register_add_method(viewer_model: type, name: str, add: Callable[..., Any]) -> None:
    """Give `ViewerModel` the `add_…` method that LayerData tuples of a type look for."""
    if not hasattr(viewer_model, name):
        setattr(viewer_model, name, add)


_IMPORTS = threading.RLock()
"""Layers are made in threads too, and the second one must not take the first one's thresholds."""


@contextmanager
def _no_collections() -> Iterator[None]:
    """Import without Python's garbage collector: nothing becomes garbage, but it would look.

    By its thresholds: dask asks, when it is imported, whether the collector is enabled, and where
    it is not, each slice of an array disables it for good.
    """
    with _IMPORTS:
        thresholds = gc.get_threshold()
        gc.set_threshold(0)
        try:
            yield
        finally:
            gc.set_threshold(*thresholds)


def register_visual(
    modules: Iterable[str] = (
        "napari_octree.rendering.register",
        "napari_octree.plugin.commands.layer_actions",
    ),
) -> bool:
    """Have `napari_octree.rendering` tell napari how the layer is drawn, where there is Qt.

    The layer is found by its name only: models know no drawing, and must import without Qt.

    Returns
    -------
    bool
        False where no Qt binding is installed: the layer then works as a model only.
    """
    try:
        with _no_collections():
            for module in modules:
                importlib.import_module(module).install()
    except ImportError as error:  # qtpy raises a subclass where it finds no binding
        if "napari_octree" in str(getattr(error, "name", "") or ""):
            raise
        return False
    return True
