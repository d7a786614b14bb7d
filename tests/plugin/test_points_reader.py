"""Points of other formats by napari's own way of opening."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from annotation_writer import make_records, write_annotations
from napari_octree import OctreePoints, open_points
from napari_octree.plugin.reader import get_reader
from napari_octree.sources.errors import SourceError

pytestmark = pytest.mark.usefixtures("octree_plugin")

COPC = Path(__file__).parents[1] / "sources" / "points" / "data" / "small.copc.laz"


def test_annotations(tmp_path):
    write_annotations(tmp_path / "spots", make_records(500), 100)
    viewer = ViewerModel()
    (layer,) = viewer.open(str(tmp_path / "spots"), plugin="napari-octree")
    assert isinstance(layer, OctreePoints)
    assert (layer.name, layer.n_points) == ("spots", 500)
    np.testing.assert_allclose(layer.scale, (4e-8, 4e-9, 4e-9))
    assert {str(unit) for unit in layer.units} == {"meter"}
    layer.face_color = "kind"
    assert layer.point_look.face.column == "feature kind"
    address = f"precomputed://{tmp_path / 'spots'}"
    read = get_reader(address)
    assert [other.name for other in read(address)] == ["spots"]


def test_copc():
    viewer = ViewerModel()
    (layer,) = viewer.open(str(COPC), plugin="napari-octree")
    assert (layer.name, layer.n_points, layer.ndim) == ("small", 1360, 3)
    layer.face_color = "intensity"
    assert layer.face_contrast_limits[1] > 1000
    assert open_points(COPC, size=3, face_color="classification").point_look.size == 3


def test_what_is_not_ours(tmp_path):
    (tmp_path / "info").write_text('{"@type": "neuroglancer_multiscale_volume"}')
    assert get_reader(str(tmp_path)) is None
    (tmp_path / "info").write_text("[[[")
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(tmp_path / "none.copc.laz")) is None


def test_without_laspy_it_says_what_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "lazrs", None)
    with pytest.raises(SourceError, match=r"napari-octree\[lidar\]"):
        open_points(COPC)
