"""Every example runs, adds layers, and comes to show them whole."""

import runpy
import sys
from pathlib import Path

import pytest
from qtpy.QtWidgets import QApplication

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.qt.linked.linked_views import LinkedViews

FEWER = {"points": ("COUNT = 10_000_000", "COUNT = 300_000")}
"""What is written otherwise in the copy that is run: here nobody looks so closely."""
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def test_there_are_at_least_twelve_and_each_says_what_it_is_for():
    assert len(EXAMPLES) >= 12
    page = (EXAMPLES[0].parents[1] / "docs" / "examples.md").read_text(encoding="utf-8")
    for path in EXAMPLES:
        assert f"examples/{path.name}" in page, path.name
        assert path.read_text(encoding="utf-8").startswith('"""'), path.name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(path, shared, monkeypatch, tmp_path):
    ended = []

    def viewer_of(**keywords):
        shared.layers.clear()
        shared.dims.ndisplay = keywords.pop("ndisplay", 2)
        assert not keywords
        return shared

    def run():
        # The user looks, until all is there, and closes the window.
        layers = [x for x in shared.layers if isinstance(x, OctreeLayer) and x.visible]
        ended.append([x.wait_until_settled(100) for x in layers])

    if path.stem in FEWER:
        source, (many, few) = path.read_text(encoding="utf-8"), FEWER[path.stem]
        assert many in source
        path = tmp_path / path.name
        path.write_text(source.replace(many, few), encoding="utf-8")
    monkeypatch.setattr("napari.Viewer", viewer_of)
    monkeypatch.setattr("napari.run", run)
    monkeypatch.setattr(type(shared.window), "resize", lambda self, width, height: None)
    monkeypatch.setattr(type(shared), "close", lambda self: None)
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.chdir(tmp_path)
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        monkeypatch.undo()
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, LinkedViews):
                widget.close()
    assert len(ended) == 1
    assert all(ended[0])
    assert ended[0] or path.stem == "look_into_a_store"
    shared.window.remove_dock_widget("all")
    shared.layers.clear()
    QApplication.processEvents()
