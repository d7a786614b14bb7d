"""Showing layers in another coordinate system, by the command of the menu."""

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from qtpy.QtWidgets import QInputDialog

from napari_octree import open_ome_zarr
from napari_octree.plugin.commands.coordinate_system import choose_coordinate_system
from ome_zarr_documents import image_06, translation


@pytest.fixture
def viewer(tmp_path, qapp):
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    for k in range(3):
        group.create_array(str(k), data=np.zeros((2, 64 >> k, 64 >> k), "u1"))
    group.attrs.update(image_06(translation(0, 7, 9)))
    viewer = ViewerModel()
    for layer in open_ome_zarr(path):
        viewer.add_layer(layer)
    viewer.add_image(np.zeros((4, 4)), name="other")
    return viewer


def answer(monkeypatch, name, chosen=True):
    asked = []

    def ask(parent, title, text, items, current, editable):
        asked.append((items, current))
        return name, chosen

    monkeypatch.setattr(QInputDialog, "getItem", ask)
    return asked


def test_the_chosen_system_is_shown(viewer, monkeypatch):
    asked = answer(monkeypatch, "world")
    first = viewer.layers[0]
    first.gamma = 0.5
    viewer.layers.selection.active = first
    choose_coordinate_system(viewer)
    assert asked == [(["world", "physical"], 1)]
    assert [layer.name for layer in viewer.layers] == ["cells: DAPI", "cells: GFP", "other"]
    assert [tuple(layer.translate) for layer in viewer.layers][:2] == [(7, 9)] * 2
    assert viewer.layers[0].gamma == 0.5
    assert viewer.layers[0].source.path == first.source.path
    assert first not in viewer.layers


def test_nothing_changes_if_it_cannot_be_shown(viewer, monkeypatch):
    former = list(viewer.layers)
    viewer.layers.selection.active = viewer.layers[0]
    answer(monkeypatch, "world", chosen=False)
    choose_coordinate_system(viewer)
    answer(monkeypatch, "elsewhere")
    told = []
    monkeypatch.setattr("napari_octree.plugin.commands.coordinate_system.show_error", told.append)
    choose_coordinate_system(viewer)
    assert "has no coordinate system 'elsewhere'" in told[0]
    assert list(viewer.layers) == former


def test_layers_without_systems_are_told_of(viewer, monkeypatch):
    asked = answer(monkeypatch, "world")
    viewer.layers.selection.active = viewer.layers["other"]
    told = []
    monkeypatch.setattr("napari_octree.plugin.commands.coordinate_system.show_info", told.append)
    choose_coordinate_system(viewer)
    assert not asked
    assert told
