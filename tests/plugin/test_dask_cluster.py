"""An image is read, and a pyramid built, by processes of a dask cluster."""

import os

import numpy as np
import pytest
import zarr

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.writing.build import BuildOptions, build_pyramid
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
    files = {p.relative_to(threads) for p in threads.rglob("*")}
    assert files == {p.relative_to(processes) for p in processes.rglob("*")}
    for name in files:
        one, other = threads / name, processes / name
        assert one.is_dir() or one.read_bytes() == other.read_bytes()
