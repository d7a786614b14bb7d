"""The sliders' names tell in which anatomical direction their axes grow (RFC-4)."""

from __future__ import annotations

import numpy as np
import zarr
from napari.layers import Image
from qtpy.QtWidgets import QLineEdit

from napari_octree import open_ome_zarr

DIRECTIONS = {"z": "inferior-to-superior", "y": "posterior-to-anterior", "x": "left-to-right"}


def write(path, directions=DIRECTIONS, axes="tzyx"):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=np.ones((2,) * (len(axes) - 2) + (32, 32), np.uint8))
    named = [{"name": name, "type": "time" if name == "t" else "space"} for name in axes]
    for axis in named:
        if axis["name"] in directions:
            axis["orientation"] = {"type": "anatomical", "value": directions[axis["name"]]}
    scale = {"type": "scale", "scale": [1.0] * len(axes)}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    image = {"version": "0.4", "axes": named, "datasets": datasets}
    group.attrs["multiscales"] = [image]
    return path


def tooltips(viewer):
    labels = viewer.window._qt_viewer.window().findChildren(QLineEdit, "axis_label")
    alive = [label for label in labels if hasattr(label.parent(), "axis")]
    return {label.text(): label.toolTip() for label in alive}


def test_the_name_of_an_axis_tells_where_it_grows(viewer, tmp_path, pump_until) -> None:
    """For all layers of the viewer, also after an axis has come; until the layer goes."""
    (layer,) = open_ome_zarr(write(tmp_path / "brain.zarr", axes="zyx"))
    assert layer.metadata["ome_zarr"]["orientation"] == DIRECTIONS
    viewer.add_layer(layer)
    wanted = "z grows from inferior to superior\nEdit to change axis label"
    pump_until(lambda: tooltips(viewer).get("z") == wanted)
    assert tooltips(viewer)["x"].startswith("x grows from left to right\n")
    (other,) = open_ome_zarr(write(tmp_path / "other.zarr", {"z": "head"}))
    viewer.add_layer(other)
    both = "z grows from inferior to superior\nz grows head\nEdit to change axis label"
    pump_until(lambda: tooltips(viewer).get("z") == both)
    assert tooltips(viewer)["t"] == "Edit to change axis label"
    viewer.layers.remove(layer)
    pump_until(lambda: tooltips(viewer).get("z") == "z grows head\nEdit to change axis label")
    viewer.layers.remove(other)
    viewer.add_layer(Image(np.zeros((2, 2, 8, 8), np.uint8)))
    pump_until(lambda: not any("grows" in text for text in tooltips(viewer).values()))
