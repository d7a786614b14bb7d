"""With real threads: waiting is always for an event, never for a time."""

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from loading.loader_bench import expected, request, take_all
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, TileState
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.testing import SimulatedSource


class GatedSource(SimulatedSource):
    """Reads wait until the gate is open; notes which threads read."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.threads = set()

    def read(self, region):
        self.threads.add(threading.current_thread())
        self.entered.release()
        assert self.gate.wait(30)
        return super().read(region)


@pytest.fixture
def loader():
    config = OctreeConfig(octree={"loaders": {0: {"num_workers": 3, "delay_queue_ms": 1}}})
    loader = ChunkLoader(config)
    yield loader
    loader.close()


def finish(client, woken):
    """Take until nothing is pending, sleeping on `woken` in between."""
    tiles = {}
    while True:
        woken.clear()
        tiles |= {tile.key: tile for tile in take_all(client)}
        if client.pending == 0:
            return tiles | {tile.key: tile for tile in take_all(client)}
        assert woken.wait(30)


def test_everything_is_loaded_and_nothing_in_the_clients_thread(loader):
    source = GatedSource((32, 40), (8, 8))
    source.gate.set()
    woken = threading.Event()
    client = loader.open(woken.set)
    wishes = [request(source, r, c, apron=0) for r in range(4) for c in range(5)]
    client.replace(wishes)
    tiles = finish(client, woken)
    assert set(tiles) == {wish.key for wish in wishes}
    for wish in wishes:
        np.testing.assert_array_equal(tiles[wish.key].data, expected(source, wish))
    assert threading.current_thread() not in source.threads


def test_replace_and_take_do_not_wait_for_readers(loader):
    source = GatedSource((32, 40), (8, 8))
    woken = threading.Event()
    client = loader.open(woken.set)
    client.replace([request(source, 0, c, apron=0) for c in range(5)])
    for _ in range(3):
        assert source.entered.acquire(timeout=30)
    client.replace([request(source, 1, c, apron=0) for c in range(5)])
    assert client.take() is None
    source.gate.set()
    assert len(finish(client, woken)) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
def test_a_reader_that_raises_anything_stalls_nobody(loader, error):
    def fail(region):
        return error("from a reader") if region[0][0] == 0 else None

    source = SimulatedSource((32, 40), (8, 8), error=fail)
    woken = threading.Event()
    client = loader.open(woken.set)
    client.replace([request(source, r, c, apron=0) for r in range(4) for c in range(5)])
    tiles = finish(client, woken)
    assert {key for key, tile in tiles.items() if tile.state is TileState.FAILED} == {
        ("simulated", 0, c) for c in range(5)
    }
    assert len(tiles) == 20


def test_a_wake_that_raises_stalls_nobody(loader):
    source = SimulatedSource((32, 40), (8, 8))
    woken = threading.Event()

    def wake():
        woken.set()
        raise RuntimeError("from wake")

    client = loader.open(wake)
    client.replace([request(source, r, c, apron=0) for r in range(4) for c in range(5)])
    assert len(finish(client, woken)) == 20


def test_a_hung_worker_is_timed_out_and_replaced():
    config = OctreeConfig(octree={"loaders": {0: {"num_workers": 1, "delay_queue_ms": 0}}})
    loader = ChunkLoader(config, dispatcher=Dispatcher(read_limit_s=0.05))
    hung = GatedSource((8, 8), (8, 8), key="hung")
    woken = threading.Event()
    client = loader.open(woken.set)
    client.replace([request(hung, 0, 0, apron=0)])
    assert hung.entered.acquire(timeout=30)
    assert hung.entered.acquire(timeout=30)  # the retry, by another thread
    good = SimulatedSource((8, 8), (8, 8), key="good")
    client.replace([request(good, 0, 0, apron=0)])
    assert len(finish(client, woken)) == 1
    hung.gate.set()
    loader.close()


SCRIPT = """
import sys, threading
from loading.loader_bench import request
from loading.test_threads import GatedSource
from napari_octree.loading import Pace, default_loader

source = GatedSource((32, 40), (8, 8))
wait = source.gate.wait
source.gate.wait = lambda seconds: wait(3600)  # longer than the test would
loader = default_loader()
client = loader.open(lambda: None)
client.replace([request(source, r, c) for r in range(4) for c in range(5)])
client.pace = Pace.STEADY
assert source.entered.acquire(timeout=30)
{ending}
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("source.gate.set()", 0),
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise KeyboardInterrupt", -2),
    ],
)
def test_the_interpreter_ends_with_reads_in_flight(ending, code):
    tests = __file__.rsplit("loading", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT).format(ending=ending)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)]), "PATH": ""},
        check=False,
    )
    assert done.returncode in (code, 130 if code == -2 else code)
    own = [line for line in done.stderr.splitlines() if "Traceback" in line]
    assert len(own) == (1 if code == -2 else 0), done.stderr
    assert "Exception in thread" not in done.stderr
