"""Neuroglancer's annotations: each point once, as it was written, from files and from shards."""

from __future__ import annotations

import functools
import http.server
import json
import pickle
import threading

import neuroglancer
import numpy as np
import pytest
from neuroglancer.write_annotations import AnnotationWriter

from annotation_writer import make_records, write_annotations
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.opening import holds_points, open_points_source
from napari_octree.sources.points.points_source import PointsSource

RECORDS = make_records(3000)


def all_points(source: PointsSource) -> np.ndarray:
    storage = source.level(source.columns).storage
    parts = [storage.read(source.region(i)) for i in range(len(source.table))]
    found = np.concatenate(parts)
    return found[np.argsort(found["index"])]


def check(source: PointsSource, records: np.ndarray = RECORDS) -> None:
    found = all_points(source)
    np.testing.assert_array_equal(found["index"], np.arange(len(records)) * 3 + 5)
    np.testing.assert_array_equal(found["position"], records["xyz"][:, ::-1])
    np.testing.assert_array_equal(found["feature score"], records["score"])
    np.testing.assert_array_equal(found["feature rgb.g"], records["rgb"][:, 1])
    kind = source.feature("kind")
    assert kind is not None
    names = np.where(records["kind"] == 7, "seven", "three")
    np.testing.assert_array_equal(kind.values(found["feature kind"]), names)
    table, storage = source.table, source.level(("position",)).storage
    for i in range(len(table)):
        positions = storage.read(source.region(i))["position"]
        assert (positions >= table.lows[i]).all()
        assert (positions <= table.highs[i]).all()
    inner = np.flatnonzero(table.child_counts)
    for i in inner:
        children = table.children(np.array([i]))[1]
        assert table.subtrees[i] == table.counts[i] + table.subtrees[children].sum()


@pytest.mark.parametrize(
    "sharding",
    [
        None,
        {"preshift_bits": 0, "hash": "identity", "minishard_bits": 0, "shard_bits": 0},
        {
            "preshift_bits": 1,
            "hash": "murmurhash3_x86_128",
            "minishard_bits": 2,
            "shard_bits": 3,
            "minishard_index_encoding": "gzip",
        },
        {
            "preshift_bits": 0,
            "hash": "identity",
            "minishard_bits": 1,
            "shard_bits": 5,
            "minishard_index_encoding": "gzip",
            "data_encoding": "gzip",
        },
    ],
    ids=["files", "one shard", "shards", "gzip"],
)
def test_levels(tmp_path, sharding):
    sizes = write_annotations(tmp_path / "spots", RECORDS, 100, sharding)
    assert len(sizes) > 3
    source = open_points_source(str(tmp_path / "spots"))
    assert source.total == 3000
    assert source.table.depths.max() == len(sizes) - 1
    check(source)
    check(pickle.loads(pickle.dumps(source)))
    placed = source.placement
    assert placed is not None
    assert (placed.axes, placed.units) == (("z", "y", "x"), ("meter",) * 3)
    assert placed.scale == (4e-8, 4e-9, 4e-9)
    assert holds_points(str(tmp_path / "spots"))


def test_what_neuroglancer_itself_writes(tmp_path):
    space = neuroglancer.CoordinateSpace(names=["x", "y"], units="nm", scales=[1, 2])
    writer = AnnotationWriter(
        space,
        "point",
        properties=[neuroglancer.AnnotationPropertySpec(id="size", type="float32")],
    )
    rng = np.random.default_rng(0)
    points = rng.random((50, 2)).astype(np.float32) * 1000
    for i, point in enumerate(points):
        writer.add_point(point, id=i, size=i / 2)
    writer.write(tmp_path)
    source = open_points_source(f"precomputed://{tmp_path}")
    found = all_points(source)
    np.testing.assert_array_equal(found["index"], np.arange(50))
    np.testing.assert_array_equal(found["position"], points[:, ::-1])
    np.testing.assert_array_equal(found["feature size"], np.arange(50) / 2)
    assert source.feature("size").high == 24.5


def test_a_cell_of_many_points_becomes_nodes_that_are_samples_of_it(tmp_path):
    records = make_records(40_000)
    records = records[np.argsort(records["xyz"][:, 0])]  # as no writer should, and many do
    write_annotations(tmp_path, records, 10**6)
    source = open_points_source(str(tmp_path))
    table = source.table
    assert table.counts.tolist() == [13_333, 13_333, 13_334]
    assert table.parents.tolist() == [-1, 0, 1]
    check(source, records)
    truth = np.histogram(records["xyz"][:, 0], bins=8, range=(0, 100))[0] / 3
    for i in range(3):
        part = source.level(("position",)).storage.read(source.region(i))["position"][:, 2]
        own = np.histogram(part, bins=8, range=(0, 100))[0]
        assert ((own - truth) ** 2 / truth).sum() < 7 + 5 * np.sqrt(14)
    # What is drawn of a place counts the parts above it, too.
    np.testing.assert_array_equal(table.drawn_within, np.cumsum(table.counts))


@pytest.fixture
def served(tmp_path):
    """The address of a folder on a plain server, which cannot be listed and knows ranges."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("packed", ["raw", "gzip", None])
def test_on_a_server(tmp_path, served, packed):
    sharding = {
        "preshift_bits": 0,
        "hash": "identity",
        "minishard_bits": 1,
        "shard_bits": 1,
        "data_encoding": packed,
    }
    write_annotations(tmp_path / "spots", RECORDS[:300], 100, sharding if packed else None)
    source = open_points_source(f"{served}/spots")
    assert source.is_remote
    check(source, RECORDS[:300])


def edit(change):
    def broken(folder):
        document = json.loads((folder / "info").read_text())
        change(document)
        (folder / "info").write_text(json.dumps(document))

    return broken


@pytest.mark.parametrize(
    ("breaks", "problem"),
    [
        (edit(lambda d: d.update(annotation_type="line")), "only points"),
        (edit(lambda d: d.update({"@type": "neuroglancer_multiscale_volume"})), "only points"),
        (edit(lambda d: d.pop("spatial")), "spatial"),
        (edit(lambda d: d.update(spatial=[])), "spatial index"),
        (edit(lambda d: d.update(spatial=[{"key": "a"}])), "grid_shape"),
        (edit(lambda d: d.update(lower_bound=[0, 1])), "bounds"),
        (edit(lambda d: d.update(upper_bound=[-1, -1, -1])), "bounds"),
        (edit(lambda d: d.update(properties=[{"id": "a", "type": "complex"}])), "complex"),
        (edit(lambda d: d["spatial"][0].update(sharding={"@type": "x"})), "shards"),
        (lambda folder: (folder / "info").write_text("[]"), "JSON object"),
        (lambda folder: (folder / "spatial0" / "0_0_0").write_bytes(b"12345"), "5 bytes"),
    ],
)
def test_what_is_broken_is_said(tmp_path, breaks, problem):
    write_annotations(tmp_path, RECORDS[:50], 100)
    breaks(tmp_path)
    with pytest.raises(SourceError, match=problem):
        open_points_source(str(tmp_path))


def test_a_cell_that_has_changed_is_an_error(tmp_path):
    write_annotations(tmp_path, RECORDS[:50], 100)
    source = open_points_source(str(tmp_path))
    cell = tmp_path / "spatial0" / "0_0_0"
    cell.write_bytes(cell.read_bytes()[:-8])
    with pytest.raises(SourceError, match="bytes for 50 points"):
        all_points(source)
    cell.unlink()
    with pytest.raises(SourceError, match="no longer there"):
        all_points(source)
