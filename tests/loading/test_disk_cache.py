import subprocess
import sys

import numpy as np
import pytest

from loading.loader_bench import request
from napari_octree.loading.disk_cache import DiskCache
from napari_octree.loading.testing import SimulatedSource, VirtualExecutor

pytest.importorskip("diskcache")

REGION = ((0, 8), (8, 16))
URL = "https://example.org/a.zarr/0"


@pytest.fixture
def disk(tmp_path):
    disk = DiskCache(tmp_path / "cache", 2**24)
    yield disk
    disk.close()


def far(**options):
    return SimulatedSource((32, 40), (8, 8), key=URL, **options)


def test_a_chunk_is_read_from_its_store_once(disk, tmp_path):
    source = far()
    first = disk.wrap(source).read(REGION)
    np.testing.assert_array_equal(disk.wrap(source).read(REGION), first)
    again = DiskCache(tmp_path / "cache", 2**24)  # the next session
    np.testing.assert_array_equal(again.wrap(source).read(REGION), first)
    again.close()
    assert len(source.reads) == 1


def test_that_a_chunk_is_missing_is_kept_too(disk):
    source = far(missing=lambda region: True)
    assert disk.wrap(source).read(REGION) is None
    assert disk.wrap(source).read(REGION) is None
    assert len(source.reads) == 1


def test_another_address_is_another_array(disk):
    disk.wrap(far()).read(REGION)
    other = SimulatedSource((32, 40), (8, 8), key=URL + "1")
    disk.wrap(other).read(REGION)
    assert len(other.reads) == 1


def test_another_shape_is_another_array(disk):
    disk.wrap(far()).read(REGION)
    other = SimulatedSource((32, 48), (8, 8), key=URL)
    disk.wrap(other).read(REGION)
    assert len(other.reads) == 1


def test_other_metadata_is_another_array(disk):
    disk.wrap(far()).read(REGION)
    other = far(dtype=np.int16)  # of as many bytes
    assert disk.wrap(other).read(REGION).dtype == np.int16
    assert len(other.reads) == 1


@pytest.mark.parametrize(
    "name", ["/data/a.zarr/0", "file:///data/a.zarr", "numpy array", f"{URL} / 2×2"]
)
def test_near_arrays_are_not_kept(disk, name):
    source = SimulatedSource((32, 40), (8, 8), key=name)
    assert disk.wrap(source) is source


def test_forget_reads_again(disk):
    source = far()
    disk.wrap(source).read(REGION)
    disk.forget(URL)
    disk.wrap(source).read(REGION)
    assert len(source.reads) == 2


def test_what_was_forgotten_is_gone_in_the_next_session_too(disk, tmp_path):
    source = far()
    disk.wrap(source).read(REGION)
    disk.forget(URL)
    disk.close()
    again = DiskCache(tmp_path / "cache", 2**24)
    again.wrap(source).read(REGION)
    again.close()
    assert len(source.reads) == 2


def test_another_version_of_the_metadata_is_another_array(disk):
    old, new = far(), far()
    old.version, new.version = "one", "two"
    disk.wrap(old).read(REGION)
    disk.wrap(new).read(REGION)
    assert len(new.reads) == 1


def test_errors_are_not_kept(disk):
    broken = far(error=lambda region: TimeoutError())
    with pytest.raises(TimeoutError):
        disk.wrap(broken).read(REGION)
    assert disk.wrap(far()).read(REGION) is not None


def test_it_is_bounded(tmp_path):
    disk = DiskCache(tmp_path / "small", 200_000)
    source = SimulatedSource((64 * 100, 64), (64, 64), key=URL)
    for i in range(100):
        disk.wrap(source).read(((64 * i, 64 * (i + 1)), (0, 64)))
    assert disk.nbytes < 300_000
    disk.close()


def test_a_broken_disk_is_only_slower(disk, monkeypatch):
    def fail(*args, **options):
        raise OSError("the disk is full")

    monkeypatch.setattr(type(disk._cache), "get", fail)
    monkeypatch.setattr(type(disk._cache), "set", fail)
    assert disk.wrap(far()).read(REGION) is not None


SCRIPT = """
import sys
from pathlib import Path
from napari_octree.loading.disk_cache import DiskCache
from napari_octree.loading.testing import SimulatedSource
disk = DiskCache(Path(sys.argv[1]), 2**24)
source = SimulatedSource((800, 8), (8, 8), key="https://example.org/a.zarr/0")
for i in range(100):
    region = ((8 * i, 8 * i + 8), (0, 8))
    assert (disk.wrap(source).read(region) == source.pixels_at(region)).all()
"""


def test_two_processes_share_it(tmp_path):
    both = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "shared")])
        for _ in range(2)
    ]
    assert [process.wait(60) for process in both] == [0, 0]


def test_the_loader_uses_it(bench, tmp_path):
    reads = []
    for _ in range(2):  # two sessions
        source = far()
        b = bench(
            executor=VirtualExecutor(),
            memory_options={"disk_bytes": 2**24, "disk_path": tmp_path / "cache"},
        )
        client = b.open()
        client.replace([request(source, 0, c) for c in range(5)])
        b.run(client)
        b.loader.close()
        reads.append(len(source.reads))
    assert reads == [5, 0]


def test_reloading_a_layer_reads_its_store_again(bench, tmp_path):
    source = far()
    b = bench(memory_options={"disk_bytes": 2**24, "disk_path": tmp_path / "cache"})
    client = b.open()
    wishes = [request(source, 0, c) for c in range(5)]
    client.replace(wishes)
    b.run(client)
    client.replace([])
    b.loader.forget(source.key, URL)
    client.replace(wishes)
    b.run(client)
    assert len(source.reads) == 10
