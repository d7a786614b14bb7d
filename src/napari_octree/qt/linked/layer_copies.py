"""Copies of layers for a further view: the same data, looks that follow the original's.

Invariants: GUI thread; no pixels are copied, and chunks are shared with the original, as both
read the same arrays. Looks go one way, from the original; `close` ends that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.viewing.trace import LOOKS, looks_of, set_looks

PLACES = ("scale", "translate", "rotate", "shear", "affine", "units")


class LayerCopy:
    """A layer of the same data.

    Parameters
    ----------
    original : Layer
    """

    def __init__(self, original: Layer) -> None:
        self._original = original
        self.layer = copy_of(original)
        self._listening: list[tuple[Any, Callable[[Any], None]]] = []
        for name in LOOKS:
            self._follow(name, self._set_look(name))
        for name in PLACES:
            self._follow(name, self._set_place(name))

    def _follow(self, name: str, slot: Callable[[Any], None]) -> None:
        emitter = getattr(self._original.events, name, None)
        if emitter is not None and name != "locked_data_level":
            emitter.connect(slot)
            self._listening.append((emitter, slot))

    def _set_look(self, name: str) -> Callable[[Any], None]:
        def set_look(event: Any) -> None:
            looks = looks_of(self._original)
            if name == "colormap":  # one without a name of napari's
                self.layer.colormap = self._original.colormap
            elif name in looks:
                set_looks(self.layer, {name: looks[name]})

        return set_look

    def _set_place(self, name: str) -> Callable[[Any], None]:
        def set_place(event: Any) -> None:
            setattr(self.layer, name, getattr(self._original, name))

        return set_place

    def close(self) -> None:
        """Follow no more."""
        for emitter, slot in self._listening:
            emitter.disconnect(slot)
        self._listening = []


def copy_of(layer: Layer) -> Layer:
    """A layer with the data and looks of another; what was painted on labels is in it."""
    if isinstance(layer, OctreeScalarField):
        if getattr(layer, "has_edits", False):
            shape = [int(n) for n in layer.level_shapes[0]][: layer.ndim]
            return layer.crop([(0, n) for n in shape], name=layer.name)
        data, state, _ = layer.as_layer_data_tuple()
        return type(layer)(data, **state)
    return Layer.create(*layer.as_layer_data_tuple())
