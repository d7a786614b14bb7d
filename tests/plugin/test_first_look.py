"""What a viewer shows first of what was opened in it."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_octree import open_ome_zarr
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.plugin.commands.plates import with_plate_names
from napari_octree.plugin.opening.first_look import arrange_first_look
from plate_writer import PlateWriter


def write_image(path, looks):
    group = zarr.create_group(path, zarr_format=2)
    group.create_array("0", data=np.zeros((5, 9, 8, 8), "u1"))
    axes = [{"name": n, "type": "time" if n == "t" else "space"} for n in "tzyx"]
    scale = {"type": "scale", "scale": [2, 0.5, 1, 1]}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    group.attrs["omero"] = {"channels": [], "rdefs": looks}
    return path


def add(viewer, layers):
    arrange_first_look(layers, viewer)
    for layer in layers:
        viewer.add_layer(layer)


@pytest.mark.parametrize(
    ("looks", "steps"),
    [
        ({"defaultT": 1, "defaultZ": 7}, (1, 7)),
        ({"defaultT": 0, "defaultZ": 10**9}, (0, 8)),
        ({"defaultT": -1, "defaultZ": "7"}, (2, 4)),
        ({"defaultT": 10**400, "defaultZ": None}, (2, 4)),
    ],
)
def test_sliders_start_where_the_file_says(tmp_path, looks, steps):
    viewer = ViewerModel()
    add(viewer, open_ome_zarr(write_image(tmp_path / "a.zarr", looks)))
    MAIN_LOOP.drain()
    assert viewer.dims.current_step[:2] == steps


def test_sliders_that_somebody_moved_or_of_a_filled_viewer_stay(tmp_path):
    path = write_image(tmp_path / "a.zarr", {"defaultT": 1, "defaultZ": 7})
    viewer = ViewerModel()
    add(viewer, open_ome_zarr(path))
    viewer.dims.set_current_step(1, 3)
    MAIN_LOOP.drain()
    assert viewer.dims.current_step[:2] == (1, 3)
    viewer.dims.set_current_step(0, 2)
    add(viewer, open_ome_zarr(path))
    MAIN_LOOP.drain()
    assert viewer.dims.current_step[:2] == (2, 3)


def test_a_plate_is_selected_and_seen_with_its_names(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    writer.plate(["A/1", "B/2"])
    for well in ("A/1", "B/2"):
        writer.well(well, ["0"])
        writer.field(well, "0", np.ones((16, 96), "u1"))
    viewer = ViewerModel()
    image, names = with_plate_names(open_ome_zarr(tmp_path / "p.zarr"))
    add(viewer, [image, names])
    MAIN_LOOP.drain()
    assert viewer.layers.selection == {image}  # whose well the status bar tells
    camera = viewer.scene.camera
    shown = viewer.canvas.size[1] / camera.zoom / 2
    assert camera.center[2] - shown < names.extent.world[0][1]
    camera.center = (0, 5, 5)
    more = with_plate_names(open_ome_zarr(tmp_path / "p.zarr"))
    add(viewer, more)
    MAIN_LOOP.drain()
    assert viewer.layers.selection == {more[0]}
    assert tuple(camera.center) == (0, 5, 5)


def test_a_viewer_does_not_wait_for_layers_that_never_come(tmp_path):
    viewer = ViewerModel()
    connected = len(viewer.layers.events.inserted.callbacks)
    arrange_first_look(open_ome_zarr(write_image(tmp_path / "a.zarr", {})), viewer)
    gc.collect()
    viewer.add_image(np.zeros((4, 4)))
    MAIN_LOOP.drain()
    assert len(viewer.layers.events.inserted.callbacks) == connected
