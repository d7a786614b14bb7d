"""COPC read node by node as laspy reads it; LAS and LAZ indexed.

small.copc.laz was written by copclib 2.6.3: 1,360 points of format 7 in seven nodes, two of them
in a hierarchy page of their own.
"""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import laspy
import numpy as np
import pytest

from napari_octree import build_points
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.opening import holds_points, open_points_source
from napari_octree.sources.points.region import PointRegion, count_points

SMALL = Path(__file__).parent / "data" / "small.copc.laz"


@pytest.fixture(scope="module")
def truth() -> laspy.LasData:
    return laspy.read(SMALL)


def in_order(source):
    storage = source.level(source.columns).storage
    parts = [storage.read(source.region(i)) for i in range(len(source.table))]
    found = np.concatenate(parts)
    return found[np.argsort(found["index"])]


def test_nodes_are_those_of_laspy(truth):
    source = pickle.loads(pickle.dumps(open_points_source(str(SMALL))))
    assert source.total == 1360
    found = in_order(source)
    np.testing.assert_array_equal(found["index"], np.arange(1360))
    np.testing.assert_array_equal(found["position"], np.stack([truth.z, truth.y, truth.x], 1))
    for name in ("intensity", "gps_time", "red", "number_of_returns"):
        np.testing.assert_array_equal(found[f"feature {name}"], truth[name])
    classes = source.feature("classification")
    names = classes.values(found["feature classification"])
    known = {2: "ground", 5: "high vegetation", 6: "building"}
    assert names.tolist() == [known[code] for code in np.asarray(truth.classification).tolist()]
    table = source.table
    with laspy.CopcReader.open(str(SMALL)) as reader:
        for level in range(4):
            points = reader.query(level=level)
            assert table.counts[table.depths == level].sum() == len(points)
    storage = source.level(("position",)).storage
    for node in range(len(table)):
        positions = storage.read(source.region(node))["position"]
        assert ((positions >= table.lows[node]) & (positions <= table.highs[node])).all()


def test_a_region_is_counted_exactly(truth):
    source = open_points_source(str(SMALL))
    low, high = np.array([2, 4000010, 500020.0]), np.array([9, 4000050, 500060.0])
    places = np.stack([truth.z, truth.y, truth.x], 1)
    inside = ((places >= low) & (places <= high)).all(axis=1).sum()
    assert 0 < inside == count_points(source, PointRegion(low, high))


@pytest.mark.parametrize("ending", ["las", "laz"])
def test_other_files_are_indexed(tmp_path, truth, ending):
    file = tmp_path / f"trees.{ending}"
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.scales, header.offsets = truth.header.scales, truth.header.offsets
    plain = laspy.LasData(header, truth.points)
    plain.write(file, do_compress=ending == "laz")
    assert holds_points(str(file))
    if ending == "las":
        with pytest.raises(SourceError, match="napari-octree build"):
            open_points_source(str(file))
    built = build_points(file, tmp_path / "a.zarr", features=["classification", "intensity"])
    found = in_order(built)
    np.testing.assert_array_equal(found["position"], np.stack([truth.z, truth.y, truth.x], 1))
    np.testing.assert_array_equal(found["feature classification"], truth.classification)
    np.testing.assert_array_equal(found["feature intensity"], truth.intensity)
    with pytest.raises(SourceError, match="no dimension 'height'"):
        build_points(file, tmp_path / "b.zarr", features=["height"])


def test_broken_files_are_said(tmp_path):
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_points_source(str(tmp_path / "none.copc.laz"))
    data = SMALL.read_bytes()
    short = tmp_path / "short.copc.laz"
    short.write_bytes(data[:3000])
    with pytest.raises(SourceError, match="not COPC that can be read"):
        open_points_source(str(short))
    (tmp_path / "text.laz").write_text("no points")
    with pytest.raises(SourceError, match="not COPC that can be read"):
        open_points_source(str(tmp_path / "text.laz"))
    replaced = tmp_path / "replaced.copc.laz"
    shutil.copy(SMALL, replaced)
    source = open_points_source(str(replaced))
    replaced.write_bytes(data[:20_000] + bytes(len(data) - 20_000))
    with pytest.raises(SourceError, match="cannot be decoded"):
        in_order(source)
