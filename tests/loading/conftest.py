import pytest

from loading.loader_bench import Bench
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.testing import SimulatedSource, VirtualClock, VirtualExecutor
from napari_octree.sources.kept_bytes import KeptBytes


@pytest.fixture(autouse=True)
def _nothing_kept_by_sources(monkeypatch):
    """Limits of memory are whole: pictures that former tests had sources keep do not count."""
    monkeypatch.setattr("napari_octree.loading.dispatcher.KEPT", KeptBytes())


@pytest.fixture
def bench():
    benches = []

    def make(ram_bytes=2**22, executor=None, memory_options=None, processors=8, **sections):
        sections.setdefault("loader_defaults", {})
        sections.setdefault("octree", {"loaders": {0: {"delay_queue_ms": 0}}})
        memory = {"ram_bytes": max(ram_bytes, 2**20), **(memory_options or {})}
        config = OctreeConfig(memory=memory, **sections)
        clock = VirtualClock()
        executor = VirtualExecutor() if executor is None else executor
        dispatcher = Dispatcher(clock, seed=0, processors=processors)
        loader = ChunkLoader(config, dispatcher=dispatcher, executor=executor)
        loader._settings.ram_bytes = ram_bytes  # tests want less than a user may configure
        benches.append(Bench(loader, clock, executor))
        return benches[-1]

    yield make
    for each in benches:
        each.loader.close()


@pytest.fixture
def source():
    return SimulatedSource((32, 40), (8, 8))
