"""The dialog says all that `napari-octree build` can be told, and builds in the background."""

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QDialogButtonBox

from napari_octree import open_ome_zarr
from napari_octree.plugin.commands import build_commands
from napari_octree.qt.build_dialog import BuildChoice, BuildDialog
from napari_octree.writing.build import BuildOptions

PIXELS = np.random.default_rng(0).integers(0, 4, (90, 130)).astype(np.uint16)


def test_it_says_what_is_chosen(qtbot, tmp_path):
    dialog = BuildDialog(None, str(tmp_path / "slide.svs"))
    qtbot.addWidget(dialog)
    assert dialog.choice.target == str(tmp_path / "slide-pyramid.ome.zarr")
    assert dialog.choice.image is None
    dialog.source.setText("https://host/data/image.zarr")
    assert dialog.choice.target.endswith("image-pyramid.ome.zarr")
    dialog.target.setText("mine.zarr")
    dialog.source.setText("other.tif")
    for box, value in (
        (dialog.image, 2),
        (dialog.chunk, 64),
        (dialog.shard, 128),
        (dialog.workers, 3),
    ):
        box.setValue(value)
    dialog.version.setCurrentText("0.4")
    dialog.method.setCurrentText("nearest")
    dialog.factors.setText("2,2;2,2")
    dialog.scheduler.setText("tcp://head:8786")
    for box in (dialog.sharded, dialog.labels, dialog.overwrite, dialog.verify, dialog.open):
        box.toggle()
    options = BuildOptions("0.4", "nearest", 64, 128, False, [[2, 2], [2, 2]], True, True)
    assert dialog.choice == BuildChoice(
        "other.tif", "mine.zarr", 2, options, 3, "tcp://head:8786", False, False
    )
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert ok.isEnabled()
    dialog.factors.setText("two")
    assert not ok.isEnabled()
    assert "'two' are no factors" in dialog.message.text()


@pytest.mark.parametrize("cancel", [False, True])
def test_it_builds_in_the_background(viewer, tmp_path, monkeypatch, pump_until, cancel):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    options = BuildOptions(chunk=32, shard=32, factors=[(2, 2)])
    target = str(tmp_path / "a.zarr")
    choice = BuildChoice(str(tmp_path / "a.tif"), target, None, options, 1, None, True, True)
    monkeypatch.setattr(BuildDialog, "exec_", lambda self: 1, raising=False)
    monkeypatch.setattr(BuildDialog, "choice", property(lambda self: choice))
    if cancel:
        monkeypatch.setattr(build_commands.BackgroundTask, "cancelled", lambda self: True)
    task = build_commands.build_from_file(viewer)
    pump_until(lambda: task.finished)
    if cancel:
        assert not viewer.layers
        with pytest.warns(match="not finished"):
            open_ome_zarr(target)
    else:
        (layer,) = viewer.layers
        np.testing.assert_array_equal(layer.data[0][...], PIXELS)
