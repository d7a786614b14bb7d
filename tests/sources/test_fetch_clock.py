"""Fetching told from decoding, in reads by zarr-python."""

import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_octree.sources.arrays.zarr_arrays import timed_store
from napari_octree.sources.arrays.zarr_arrays.fetch_clock import FetchClock
from napari_octree.sources.arrays.zarr_arrays.zarr_array import wrap_zarr

FETCH_S = 20.0


class SlowStore(MemoryStore):
    """Whatever is fetched takes 20 s to come, by the clock of the thread that fetches."""

    now = threading.local()
    fetches = 0

    async def get(self, key, prototype, byte_range=None):
        self.fetch()
        return await super().get(key, prototype, byte_range)

    def get_sync(self, key, **options):
        self.fetch()
        return super().get_sync(key, **options)

    def fetch(self):
        self.now.seconds = self.time() + FETCH_S
        self.fetches += 1

    @classmethod
    def time(cls):
        return getattr(cls.now, "seconds", 0.0)


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch):
    monkeypatch.setattr(timed_store, "time", SimpleNamespace(perf_counter=SlowStore.time))


PIPELINES = ["BatchedCodecPipeline"]
if hasattr(zarr.core.codec_pipeline, "FusedCodecPipeline"):
    PIPELINES.append("FusedCodecPipeline")  # asks stores without an event loop


@pytest.fixture(params=PIPELINES)
def pipeline(request):
    with zarr.config.set({"codec_pipeline.path": f"zarr.core.codec_pipeline.{request.param}"}):
        yield


@pytest.fixture(params=[(2, None), (3, None), (3, (16, 16))], ids=["v2", "v3", "sharded"])
def array(request, pipeline):
    zarr_format, shards = request.param
    array = zarr.create_array(
        SlowStore(),
        shape=(16, 16),
        chunks=(8, 8),
        shards=shards,
        dtype="u2",
        zarr_format=zarr_format,
    )
    array[:] = np.arange(256).reshape(16, 16)
    return array


def test_only_fetching_is_counted(array):
    storage = wrap_zarr(array)
    storage.read(((0, 8), (0, 8)))
    before = array.store.fetches
    with FetchClock() as clock:
        pixels = storage.read(((8, 16), (0, 8)))
    fetches = array.store.fetches - before  # of a shard, also where its chunks are
    assert fetches == (2 if array.shards else 1)
    assert clock.seconds == FETCH_S * fetches
    np.testing.assert_array_equal(pixels, array[8:, :8])
    assert clock.rest_of(clock.seconds + 0.5) == pytest.approx(0.5)


def test_reads_at_once_are_told_apart(array):
    storage = wrap_zarr(array)
    clocks = []

    def read():
        with FetchClock() as clock:
            storage.read(((0, 8), (0, 8)))
        clocks.append(clock)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with FetchClock() as idle:
        pass
    assert idle.seconds is None
    assert idle.rest_of(1.0) is None
    assert len(clocks) == 3
    assert all(clock.seconds >= FETCH_S for clock in clocks)


def test_outside_of_a_clock_nothing_is_counted(array):
    assert FetchClock.current() is None
    assert wrap_zarr(array).read(((0, 8), (0, 8))) is not None


def test_another_version_tells_that_an_array_was_written_anew(tmp_path):
    def version(**options):
        array = zarr.create_array(
            tmp_path / "a.zarr", shape=(8, 8), dtype="u2", overwrite=True, **options
        )
        return wrap_zarr(array).version

    assert version(attributes={"n": 1}) == version(attributes={"n": 1})
    assert version(attributes={"n": 1}) != version(attributes={"n": 2})


def test_an_array_that_was_read_can_go_to_another_process(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(8, 8), chunks=(8, 8), dtype="u2")
    array[:] = 5
    storage = wrap_zarr(array)
    vars(storage)["_fast"] = None  # so that zarr-python reads
    storage.read(((0, 8), (0, 8)))
    assert (pickle.loads(pickle.dumps(storage)).read(((0, 8), (0, 8))) == 5).all()
