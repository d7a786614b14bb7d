"""An image is read, and a pyramid built, by processes of a dask cluster."""

import os
import pathlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.plugin.command_line import main
from napari_octree.writing import running
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.errors import CancelledError
from napari_octree.writing.image_to_write import image_to_write

PIXELS = np.random.default_rng(0).integers(0, 60000, (301, 453)).astype(np.uint16)
SMALL = {"chunk": 32, "shard": 64, "factors": [(2, 2)] * 3}


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


class ProcessIds:
    """An array of which each pixel is the process that has read it."""

    shape, dtype, chunks = (512, 512), np.dtype("u4"), (64, 64)

    def __getitem__(self, index):
        sides = [len(range(n)[part]) for n, part in zip(self.shape, index, strict=True)]
        return np.full(sides, os.getpid(), np.uint32)


def test_processes_read_what_is_shown(viewer, cluster):
    workers = set(cluster.run(os.getpid).values())
    config = OctreeConfig(loader_defaults={"executor": "dask"})
    layer = viewer.add_layer(OctreeImage(ProcessIds(), config, contrast_limits=(0, 2**22)))
    assert layer.wait_until_settled(60)
    places = [(y, x) for y in (9, 250, 500) for x in (9, 250, 500)]
    values = {int(np.ravel(layer.get_value(place))[-1]) for place in places}
    assert values <= workers
    assert os.getpid() not in values


def test_processes_show_the_same_pixels(viewer, cluster, tmp_path):
    array = zarr.create_array(str(tmp_path / "a.zarr"), data=PIXELS, chunks=(64, 64))
    pictures = []
    for executor in ("threads", "dask"):
        config = OctreeConfig(loader_defaults={"executor": executor})
        layer = viewer.add_layer(OctreeImage(array, config, contrast_limits=(0, 60000)))
        viewer.reset_view()
        assert layer.wait_until_settled(60)
        pictures.append(viewer.screenshot(flash=False))
        viewer.layers.clear()
    np.testing.assert_array_equal(*pictures)


def test_a_cluster_writes_the_same_bytes(cluster, tmp_path):
    zarr.save(str(tmp_path / "source.zarr"), PIXELS)
    image = image_to_write(zarr.open_array(str(tmp_path / "source.zarr"), mode="r"))
    threads, processes = tmp_path / "threads.zarr", tmp_path / "cluster.zarr"
    build_pyramid(image, str(threads), BuildOptions(**SMALL))
    address = cluster.scheduler.address
    build_pyramid(image, str(processes), BuildOptions(**SMALL), scheduler=address)
    assert contents(processes) == contents(threads)


def contents(folder):
    return {p.relative_to(folder): p.is_dir() or p.read_bytes() for p in folder.rglob("*")}


KILLED = """
import os, signal, sys
import zarr
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.from_files import images_in_file
source, target, address = sys.argv[1:]
(image,) = images_in_file(source)
build_pyramid(image, target, BuildOptions(chunk=32, shard=64), scheduler=address,
              progress=lambda done, total: done == 5 and os.kill(os.getpid(), signal.SIGKILL))
"""


def die_at(moment):
    """Let this process be killed when it writes for the nth time, before the file has its name."""
    write, count = os.replace, 0

    def counted(*arguments):
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*arguments)

    os.replace = counted
    pathlib.Path.replace = lambda self, target: counted(self, target)


def test_killed_workers_and_a_killed_build_change_nothing(cluster, tmp_path):
    source, killed, whole = (str(tmp_path / name) for name in ("source", "killed", "whole"))
    zarr.save(source, PIXELS.repeat(2, 0).repeat(2, 1))
    address = cluster.scheduler.address
    command = [sys.executable, "-c", KILLED, source, killed, address]
    ended = subprocess.run(command, capture_output=True, timeout=100)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    before = set(cluster.run(os.getpid).values())
    cluster.run(die_at, 4)
    small = ["--chunk", "32", "--shard", "64"]
    assert main(["build", source, killed, "--scheduler", address, *small]) == 0
    assert not before & set(cluster.run(os.getpid).values())  # both were killed, and came back
    assert main(["build", source, whole, *small]) == 0
    assert contents(Path(killed)) == contents(Path(whole))


def test_a_cancelled_build_waits_for_the_workers(cluster, tmp_path):
    zarr.save(str(tmp_path / "source.zarr"), PIXELS)
    image = image_to_write(zarr.open_array(str(tmp_path / "source.zarr"), mode="r"))
    asked = iter(range(100))
    with pytest.raises(CancelledError):
        build_pyramid(
            image,
            str(tmp_path / "a.zarr"),
            BuildOptions(**SMALL),
            scheduler=cluster.scheduler.address,
            cancelled=lambda: next(asked) > 3,
        )
    assert not any(cluster.run(lambda dask_worker: list(dask_worker.state.executing)).values())
    assert not list(tmp_path.rglob("*.partial"))


def test_an_address_where_nobody_schedules_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(running, "CONNECT_S", 0.1)
    zarr.save(str(tmp_path / "source.zarr"), PIXELS[:9, :9])
    arguments = [str(tmp_path / "source.zarr"), str(tmp_path / "a.zarr")]
    assert main(["build", *arguments, "--scheduler", "tcp://127.0.0.1:9"]) == 1
    assert "no dask scheduler answers" in capsys.readouterr().err
