"""Layers of another type with the same data: plain ones become octree layers, and back.

Invariants: GUI thread; nothing is read by us. A layer is replaced only after its successor has
been made, which stands in the same place of the list with the same name, looks and place in the
world. What was painted on labels comes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.plugin.preferences import preferred_config

if TYPE_CHECKING:
    import napari.viewer

PLACE = (
    *("name", "metadata", "opacity", "visible", "experimental_clipping_planes"),
    *("scale", "translate", "rotate", "shear", "affine", "axis_labels", "units"),
)
"""What an image and labels have in common."""

SLICED_BY_NAPARI = ("numpy", "zarr", "dask", "xarray", "h5py", "tensorstore")
"""Modules of arrays that are handed to plain layers as they are."""


def convert_selected(viewer: napari.viewer.Viewer) -> None:
    """Replace the selected images and labels by octree layers of the same data and looks."""
    _replace(viewer, is_plain, as_octree_layer, "Select a plain image or labels layer to convert.")


def convert_to_plain(viewer: napari.viewer.Viewer) -> None:
    """Replace the selected octree layers by napari's own of the same data and looks."""
    _replace(viewer, is_octree, as_plain_layer, "Select an octree image or labels to convert.")


def convert_to_labels(viewer: napari.viewer.Viewer) -> None:
    """Replace the selected octree images of integers by octree labels of the same data."""
    _replace(viewer, can_be_labels, as_octree_labels, "Select an OctreeImage of integers.")


def convert_to_image(viewer: napari.viewer.Viewer) -> None:
    """Replace the selected octree labels by octree images of the same data."""
    _replace(viewer, is_octree_labels, as_octree_image, "Select an OctreeLabels to convert.")


def is_plain(layer: Layer) -> bool:
    """Whether it is an image or labels of napari's own."""
    return isinstance(layer, Image | Labels) and not isinstance(layer, OctreeLayer)


def is_octree(layer: Layer) -> bool:
    """Whether it is an image or labels of ours."""
    return isinstance(layer, OctreeScalarField)


def can_be_labels(layer: Layer) -> bool:
    """Whether it is an image of ours whose values can be labels."""
    return (
        isinstance(layer, OctreeImage)
        and not layer.rgb
        and (np.issubdtype(layer.dtype, np.integer) or layer.dtype == bool)
    )


def is_octree_labels(layer: Layer) -> bool:
    """Whether it is labels of ours."""
    return isinstance(layer, OctreeLabels)


def as_octree_layer(layer: Any) -> OctreeScalarField:
    """Make an octree layer with the levels and all settings of a plain one."""
    data, state, _ = layer.as_layer_data_tuple()
    given = list(data) if layer.multiscale else data
    kind = OctreeLabels if isinstance(layer, Labels) else OctreeImage
    return kind(given, preferred_config(), **state)


def as_plain_layer(layer: Any) -> Layer:
    """Make a layer of napari's own with the levels and all settings of an octree layer."""
    _, state, kind = layer.as_layer_data_tuple()
    levels = _levels(layer)
    state |= {"multiscale": len(levels) > 1}
    plain = Labels if kind == "labels" else Image
    return plain(levels if len(levels) > 1 else levels[0], **state)


def as_octree_labels(layer: Any) -> OctreeLabels:
    """Make labels of the same levels in the same place."""
    return OctreeLabels(_given(layer), **_place(layer))


def as_octree_image(layer: Any) -> OctreeImage:
    """Make an image of the same levels in the same place."""
    return OctreeImage(_given(layer), **_place(layer))


def _place(layer: Any) -> dict[str, Any]:
    data, state, _ = layer.as_layer_data_tuple()
    place = {name: state[name] for name in PLACE if name in state}
    transforms = getattr(data, "level_transforms", None)
    return place | {"config": layer.config, "level_transforms": transforms}


def _given(layer: Any) -> Any:
    """The data that were given; as dask arrays, if anything was painted on them."""
    data = layer.as_layer_data_tuple()[0]
    return layer.as_dask() if getattr(data, "edits", None) else data


def _levels(layer: Any) -> list[Any]:
    """The levels as plain layers can slice them."""
    data = _given(layer)
    levels = [data] if isinstance(data, np.ndarray) else list(data)
    known = all(type(level).__module__.startswith(SLICED_BY_NAPARI) for level in levels)
    return levels if known else layer.as_dask()


def _replace(
    viewer: napari.viewer.Viewer,
    fits: Callable[[Layer], bool],
    convert: Callable[[Layer], Layer],
    otherwise: str,
) -> None:
    """Replace the selected layers that fit; tell what to select if there is none."""
    layers: Iterable[Layer] = [x for x in viewer.layers if x in viewer.layers.selection]
    chosen = [layer for layer in layers if fits(layer)]
    if not chosen:
        show_info(otherwise)
    for layer in chosen:
        converted, name = convert(layer), layer.name
        # Before the old one goes: an empty viewer forgets its camera and its sliders.
        viewer.layers.insert(viewer.layers.index(layer), converted)
        viewer.layers.remove(layer)
        converted.name = name
