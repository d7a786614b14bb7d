import logging
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest

from loading.loader_bench import request
from napari_octree.loading.cache.disk_cache import DiskCache
from napari_octree.loading.testing import SimulatedSource, VirtualExecutor

diskcache = pytest.importorskip("diskcache")

REGION = ((0, 8), (8, 16))
URL = "https://example.org/a.zarr/0"


@pytest.fixture
def disk(tmp_path):
    disk = DiskCache(tmp_path / "cache", 2**24)
    yield disk
    disk.close()


def far(**options):
    return SimulatedSource((32, 40), (8, 8), key=URL, is_remote=True, **options)


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
    other = SimulatedSource((32, 40), (8, 8), key=URL + "1", is_remote=True)
    disk.wrap(other).read(REGION)
    assert len(other.reads) == 1


def test_another_shape_is_another_array(disk):
    disk.wrap(far()).read(REGION)
    other = SimulatedSource((32, 48), (8, 8), key=URL, is_remote=True)
    disk.wrap(other).read(REGION)
    assert len(other.reads) == 1


def test_other_metadata_is_another_array(disk):
    disk.wrap(far()).read(REGION)
    other = far(dtype=np.int16)  # of as many bytes
    assert disk.wrap(other).read(REGION).dtype == np.int16
    assert len(other.reads) == 1


def test_near_arrays_are_not_kept(disk):
    source = SimulatedSource((32, 40), (8, 8), key=URL)
    assert disk.wrap(source) is source


def test_what_is_computed_of_a_far_array_is_not_kept(disk):
    source = far(is_computed=True)
    assert disk.wrap(source) is source


def test_what_has_no_version_is_not_kept(disk):
    """An array that is written anew might be taken for the old one."""
    source = far()
    del source.version
    assert disk.wrap(source) is source


def test_pixels_come_back_as_they_were(disk):
    class Transposed(SimulatedSource):
        def read(self, region):
            self.reads.append(region)
            return np.asfortranarray(self.pixels_at(region))

    source = Transposed((32, 40), (8, 8), key=URL, is_remote=True, dtype=np.dtype(">i4"))
    first, again = (disk.wrap(source).read(REGION) for _ in range(2))
    assert len(source.reads) == 1
    assert again.dtype == first.dtype == source.dtype
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(again, source.pixels_at(REGION))


def test_forget_reads_again_and_keeps_that(disk):
    source = far()
    for reads in (1, 2, 3):
        for _ in range(2):
            disk.wrap(source).read(REGION)
        assert len(source.reads) == reads
        disk.forget(URL)


def test_what_was_being_read_when_its_array_was_forgotten_is_not_kept(disk):
    """It may have come before the change of data that made somebody forget it."""

    def changes(region):
        disk.forget(URL)
        disk.wrap(far()).read(((0, 8), (0, 8)))  # by somebody else: now all of it is gone

    disk.wrap(far(error=changes)).read(REGION)
    source = far()
    disk.wrap(source).read(REGION)
    assert len(source.reads) == 1


def test_readers_wait_until_a_forgotten_array_has_gone_and_forget_does_not(disk, monkeypatch):
    evictions, entered, gate = [], threading.Event(), threading.Event()
    evict = disk._cache.evict

    def slow_evict(tag):
        evictions.append(tag)
        entered.set()
        assert gate.wait(30)
        return evict(tag)

    monkeypatch.setattr(disk._cache, "evict", slow_evict)
    disk.wrap(far()).read(REGION)
    disk.forget(URL)
    new = far(missing=lambda region: True)
    read = []
    readers = [
        threading.Thread(target=lambda: read.append(disk.wrap(new).read(REGION))) for _ in range(2)
    ]
    readers[0].start()
    assert entered.wait(30)
    readers[1].start()
    disk.forget("https://example.org/b.zarr/0")
    gate.set()
    for reader in readers:
        reader.join(30)
    assert read == [None, None]
    assert evictions == [URL]


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
    source = SimulatedSource((64 * 100, 64), (64, 64), key=URL, is_remote=True)
    for i in range(100):
        disk.wrap(source).read(((64 * i, 64 * (i + 1)), (0, 64)))
    assert disk.nbytes < 300_000
    disk.close()


ERRORS = [OSError("the disk is full"), sqlite3.OperationalError("readonly"), diskcache.Timeout()]


@pytest.mark.parametrize("error", ERRORS)
def test_a_broken_disk_is_only_slower(disk, monkeypatch, caplog, error):
    def fail(*args, **options):
        raise error

    for verb in ("get", "set"):
        monkeypatch.setattr(disk._cache, verb, fail)
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        assert disk.wrap(far()).read(REGION) is not None
    assert [record.message for record in caplog.records] == [
        f"the disk cache cannot be read: {error}",
        f"the disk cache cannot be written: {error}",
    ]


@pytest.mark.parametrize("error", ERRORS)
def test_what_cannot_be_dropped_is_not_served(disk, monkeypatch, error):
    def fail(*args, **options):
        raise error

    source = far()
    disk.wrap(source).read(REGION)
    disk.forget(URL)
    monkeypatch.setattr(disk._cache, "evict", fail)
    for reads in (2, 3):
        disk.wrap(source).read(REGION)
        assert len(source.reads) == reads
    disk.close()  # says so, and nothing more


@pytest.mark.parametrize("broken", ["no folder", "no data base"])
def test_a_folder_that_cannot_be_used_is_told_and_done_without(bench, tmp_path, caplog, broken):
    path = tmp_path / "cache"
    if broken == "no folder":
        path.write_text("a file")
    else:
        path.mkdir()
        (path / "cache.db").write_bytes(bytes(range(256)) * 16)
    source = far()
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        b = bench(memory_options={"disk_bytes": 2**24, "disk_path": path})
    assert str(path) in caplog.text
    client = b.open()
    client.replace([request(source, 0, c) for c in range(5)])
    assert {tile.key[2] for tile in b.run(client)} == set(range(5))
    b.loader.forget(source.key, URL)
    b.loader.close()


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_chunk_is_read_again(disk, tmp_path, damage):
    # Large: a file of its own.
    source = SimulatedSource((256, 256), (256, 256), key=URL, is_remote=True)
    region = ((0, 256), (0, 256))
    disk.wrap(source).read(region)
    (file,) = (tmp_path / "cache").rglob("*.val")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file.unlink()
    for _ in range(2):
        np.testing.assert_array_equal(disk.wrap(source).read(region), source.pixels_at(region))
    assert len(source.reads) == 2


def test_it_lies_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    disk = DiskCache(None, 2**24)
    disk.wrap(far()).read(REGION)
    assert (tmp_path / "napari-octree" / "chunks" / "cache.db").exists()
    opened = [file.path for file in psutil.Process().open_files()]
    assert any(path.startswith(str(tmp_path)) for path in opened)
    disk.close()
    opened = [file.path for file in psutil.Process().open_files()]
    assert not any(path.startswith(str(tmp_path)) for path in opened)


SCRIPT = """
import sys
from pathlib import Path
from napari_octree.loading.cache.disk_cache import DiskCache
from napari_octree.loading.testing import SimulatedSource
disk = DiskCache(Path(sys.argv[1]), int(sys.argv[2]))
source = SimulatedSource((6400, 64), (64, 64), key="https://example.org/a.zarr/0", is_remote=True)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(2):
    for i in range(100):
        region = ((64 * i, 64 * i + 64), (0, 64))
        assert (disk.wrap(source).read(region) == source.pixels_at(region)).all()
"""


@pytest.mark.parametrize("limit_bytes", [2**24, 200_000])
def test_two_processes_share_it(tmp_path, limit_bytes):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "shared"), str(limit_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout.readline()  # both at the same time
    for process in both:
        process.communicate(b"go\n", timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    disk = DiskCache(tmp_path / "shared", limit_bytes)
    assert disk.nbytes < limit_bytes * 1.5
    source = SimulatedSource((6400, 64), (64, 64), key=URL, is_remote=True)
    for i in range(100):
        region = ((64 * i, 64 * i + 64), (0, 64))
        np.testing.assert_array_equal(disk.wrap(source).read(region), source.pixels_at(region))
    assert bool(source.reads) == (limit_bytes < 100 * 64 * 64 * 2)
    disk.close()


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


def test_the_data_base_is_not_mapped_into_memory(tmp_path) -> None:
    """Else a file that somebody cuts short ends the process."""
    cache = DiskCache(tmp_path, 2**20)
    assert cache._cache._sql("PRAGMA mmap_size").fetchall() == [(0,)]
    cache.close()
