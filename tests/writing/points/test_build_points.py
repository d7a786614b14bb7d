"""Points written out of core: the trees of all at once, however they came and were interrupted."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from full_disk import FullDisk
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import hashes_of
from napari_octree.plugin.command_line import main
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.memory_points import index_points
from napari_octree.sources.points.point_blocks import ArrayBlocks
from napari_octree.sources.points.points_source import PointsSource
from napari_octree.sources.points.zarr_points import open_zarr_points
from napari_octree.writing.errors import WritingError
from napari_octree.writing.points.buckets import choose_buckets, count_depth
from napari_octree.writing.points.build import PointsOptions, build_points

RNG = np.random.default_rng(0)
N = 4000
POINTS = (RNG.random((8, 2)) * 100)[RNG.integers(0, 8, N)] + RNG.normal(size=(N, 2)) * 4
POINTS[17] = np.nan
FEATURES = {
    "score": RNG.random(N).astype(np.float32),
    "a gene": np.array(["Actb", "Gapdh", "Sox2"])[RNG.integers(0, 3, N)],
    "cluster": RNG.integers(0, 5, N),
}
OPTIONS = PointsOptions(quota=150, bucket=1000)


def blocks(size: int = 1000) -> ArrayBlocks:
    return ArrayBlocks("points", POINTS, FEATURES, size)


def records(source: PointsSource) -> list[np.ndarray]:
    storage = source.level(source.columns).storage
    return [storage.read(source.region(i)) for i in range(len(source.table))]


def check(built: PointsSource, truth: PointsSource) -> None:
    for name in ("depths", "cells", "counts", "subtrees", "lows", "highs", "parents"):
        np.testing.assert_array_equal(getattr(built.table, name), getattr(truth.table, name))
    for own, other in zip(records(built), records(truth), strict=True):
        for name in own.dtype.names:
            np.testing.assert_array_equal(own[name], other[name])
    assert built.total == truth.total
    assert [f.name for f in built.features] == [f.name for f in truth.features]


def digest(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if ".partial" not in str(file) and file.is_file()
    }


@pytest.fixture(scope="module")
def truth() -> PointsSource:
    return index_points(POINTS, FEATURES, quota=OPTIONS.quota)


def test_as_all_points_at_once(tmp_path, truth):
    built = build_points(blocks(), tmp_path / "a.zarr", OPTIONS)
    check(built, truth)
    assert repr(built.features) == repr(truth.features)  # NaN is not equal to NaN
    np.testing.assert_array_equal(built.sample["index"], truth.sample["index"])
    assert not (tmp_path / "a.zarr.building").exists()
    # Plain zarr reads a node: a cell holds the bytes of its points.
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    attributes = dict(group.attrs)["zarr_vectors"]
    assert attributes["required_capabilities"] == ["additive_levels"]
    deepest = int(truth.table.depths.max())
    array = group[f"{deepest}/vertices"]
    origin = array.attrs["zarr_vectors"]["chunk_grid_origin"]
    # Not by numbers: zarr 3.4 then gives bytes of numpy's own kind, which end before zeros.
    place = tuple(
        slice(int(c - o), None) for c, o in zip(truth.table.cells[0], origin, strict=True)
    )
    root = np.frombuffer(array[place].flat[0], "<f8").reshape(-1, 2)
    np.testing.assert_array_equal(root, records(truth)[0]["position"])


def test_blocks_of_other_sizes_and_workers_write_the_same(tmp_path):
    first = build_points(blocks(), tmp_path / "a.zarr", OPTIONS)
    other = build_points(blocks(1700), tmp_path / "b.zarr", OPTIONS, workers=1)
    assert first.table.count == other.table.count == N - 1
    assert digest(tmp_path / "a.zarr") == digest(tmp_path / "b.zarr")


class Killed(BaseException):
    """As a process that ends."""


def test_killed_ten_times_and_resumed_it_writes_the_same(tmp_path):
    build_points(blocks(), tmp_path / "a.zarr", OPTIONS, workers=1)
    times = 0
    seen: set[int] = set()

    def kill(done: int, total: int) -> None:
        nonlocal times
        if times < 10 and done not in seen:
            seen.add(done)
            times += 1
            raise Killed

    while True:
        try:
            build_points(blocks(), tmp_path / "b.zarr", OPTIONS, workers=1, progress=kill)
            break
        except Killed:
            assert not (tmp_path / "b.zarr").exists()
    assert times >= 5
    assert digest(tmp_path / "a.zarr") == digest(tmp_path / "b.zarr")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_gets_full_again_and_again_delays_a_build(tmp_path, monkeypatch, workers):
    points, options = RNG.random((200, 3)), PointsOptions(quota=50, bucket=100)
    source = ArrayBlocks("points", points, {}, 100)
    build_points(source, tmp_path / "whole.zarr", options)
    disk, path = FullDisk(tmp_path, monkeypatch), tmp_path / "a.zarr"
    for error in disk.attempts(lambda: build_points(source, path, options, workers=workers)):
        assert str(error).startswith(str(path))
        assert str(error).endswith(f": cannot be written: {os.strerror(errno.ENOSPC)}")
        assert not path.exists()
    assert digest(path) == digest(tmp_path / "whole.zarr")


def test_what_is_left_of_a_build_that_has_ended_is_not_taken_for_one(tmp_path, monkeypatch):
    source, path = ArrayBlocks("points", RNG.random((200, 3)), {}, 100), tmp_path / "a.zarr"
    options = PointsOptions(quota=50, bucket=100, overwrite=True)
    left, remove = tmp_path / "a.zarr.building", shutil.rmtree
    with monkeypatch.context() as patch:  # as if it was killed before it removes its files
        patch.setattr(shutil, "rmtree", lambda p, *a, **k: p == left or remove(p, *a, **k))
        build_points(source, path, options)
    written = digest(path)
    assert (left / "build.json").exists()
    build_points(source, path, options)
    assert digest(path) == written
    assert not left.exists()


def test_a_process_killed_ten_times_ends_with_the_same_bytes(tmp_path):
    """A million points; each process is killed in the middle of what it does next."""
    command = [sys.executable, str(Path(__file__).with_name("killed_build.py"))]

    def run(target: Path, batches: int | None) -> bool:
        """Build until so many batches of tasks were done anew; return whether it ended."""
        with subprocess.Popen([*command, str(target)], stdout=subprocess.PIPE) as process:
            for _ in range(batches or 0):
                if not process.stdout.readline():
                    break
            else:
                if batches is not None:
                    process.kill()
            process.stdout.read()
        return process.returncode == 0

    assert run(tmp_path / "a.zarr", None)
    # Tasks that are done already are told again, at once: so each process is let get further.
    ended = [run(tmp_path / "b.zarr", batches) for batches in range(1, 11)]
    assert not any(ended)
    assert not (tmp_path / "b.zarr").exists()
    assert run(tmp_path / "b.zarr", None)
    assert digest(tmp_path / "a.zarr") == digest(tmp_path / "b.zarr")
    assert open_zarr_points(str(tmp_path / "b.zarr")).total == 1_000_000


@pytest.mark.parametrize("kind", ["numpy", "columns", "dask", "zarr", "frame", "parquet", "csv"])
def test_every_kind_of_input(tmp_path, kind):
    points = np.round(POINTS[100:2100], 6)
    values = {name: column[100:2100] for name, column in FEATURES.items()}
    frame = pd.DataFrame({"y": points[:, 0], "x": points[:, 1], **values})
    source, features, axes = points, values, None
    if kind == "columns":
        source = [points[:, 0], points[:, 1]]
    elif kind == "dask":
        source = da.from_array(points, chunks=(300, 2))
    elif kind == "zarr":
        source = zarr.create_array({}, data=points, chunks=(300, 2))
    elif kind == "frame":
        source, features = frame, None
    elif kind == "parquet":
        source, features, axes = tmp_path / "p.parquet", list(values), ("y", "x")
        frame.to_parquet(source, row_group_size=300)
    elif kind == "csv":
        source, features = tmp_path / "p.csv", None
        frame.to_csv(source, index=False, float_format="%.9g")
    built = build_points(source, tmp_path / "a.zarr", OPTIONS, features=features, axes=axes)
    truth = index_points(points, values, quota=OPTIONS.quota)
    assert len(built.table) == len(truth.table)
    for own, other in zip(records(built), records(truth), strict=True):
        np.testing.assert_allclose(own["position"], other["position"], rtol=1e-8)
        np.testing.assert_array_equal(own["index"], other["index"])
        np.testing.assert_array_equal(own["feature a gene"], other["feature a gene"])
        np.testing.assert_allclose(own["feature score"], other["feature score"], rtol=1e-6)


def test_planes(tmp_path):
    points = np.c_[RNG.integers(0, 3, 4000), RNG.random((4000, 2)) * 50]
    built = build_points(ArrayBlocks("p", points, {}, 900), tmp_path / "a.zarr", OPTIONS)
    check(built, index_points(points, {}, quota=OPTIONS.quota))
    assert built.table.roots >= 3


def test_odd_sets(tmp_path):
    for i, points in enumerate((np.zeros((3000, 2)), np.array([[1.0, 2.0, 3.0]]))):
        built = build_points(points, tmp_path / f"{i}.zarr", OPTIONS)
        check(built, index_points(points, {}, quota=OPTIONS.quota))
    empty = build_points(np.full((3, 2), np.nan), tmp_path / "empty.zarr", OPTIONS)
    assert empty.table.count == 0
    with pytest.raises(SourceError, match="no points"):
        build_points(np.zeros((0, 2)), tmp_path / "none.zarr", OPTIONS)


def test_what_is_there_is_not_overwritten(tmp_path):
    build_points(POINTS[:50], tmp_path / "a.zarr")
    with pytest.raises(WritingError, match="is there already"):
        build_points(POINTS[:50], tmp_path / "a.zarr")
    built = build_points(POINTS[100:130], tmp_path / "a.zarr", PointsOptions(overwrite=True))
    assert built.table.count == 30


def test_another_build_that_was_interrupted_is_not_taken_for_this_one(tmp_path):
    def kill(done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        build_points(blocks(), tmp_path / "a.zarr", OPTIONS, progress=kill)
    with pytest.raises(WritingError, match="other options"):
        build_points(blocks(), tmp_path / "a.zarr", PointsOptions(quota=50))


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63)), min_size=1), st.integers(1, 50))
@settings(max_examples=50)
def test_buckets_divide_all_cells(cells, most):
    grid = PointGrid((64.0, 64.0), (True, True), 40)
    counts: dict[tuple[int, ...], int] = {}
    for cell in cells:
        counts[cell] = counts.get(cell, 0) + 1
    buckets = choose_buckets(grid, counts, 6, most)
    assert sum(bucket.count for bucket in buckets) == len(cells)
    inside = [
        cell
        for bucket in buckets
        for cell in counts
        if tuple(c >> (6 - bucket.depth) for c in cell) == bucket.cell
    ]
    assert sorted(inside) == sorted(counts)
    assert all(b.count <= most or b.depth == 6 for b in buckets)
    assert count_depth(grid, 1, 100, 700) == 4
    assert len(np.unique(hashes_of(np.arange(10)))) == 10


def test_the_command(tmp_path, capsys):
    source = tmp_path / "spots.csv"
    pd.DataFrame({"x": POINTS[:, 1], "y": POINTS[:, 0], **FEATURES}).to_csv(source, index=False)
    target = tmp_path / "spots.points.zarr"
    assert main(["build", str(source), str(target), "--features", "score"]) == 0
    assert main(["build", str(source), str(target)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["build", str(source), str(tmp_path / "b.zarr"), "--axes", "q"]) == 1
    assert "there is no column 'q'" in capsys.readouterr().err
    from napari_octree import open_image, open_points

    (layer,) = open_image(target)
    assert (layer.name, layer.n_points) == ("spots", N - 1)
    assert [f.name for f in layer.points_source.features] == ["score"]
    assert open_points(target, size=3).point_look.size == 3
