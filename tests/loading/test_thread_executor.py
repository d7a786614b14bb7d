"""Which thread does what: with real threads, waited for by events."""

import threading

import numpy as np
import pytest

from napari_octree.loading import thread_executor
from napari_octree.loading.testing import SimulatedSource
from napari_octree.loading.thread_executor import ThreadExecutor

REGION = ((0, 8), (0, 8))


@pytest.fixture
def executor():
    executor = ThreadExecutor(2)
    yield executor
    executor.close(1)


def run_a_read(executor, then):
    """Read; in the thread that has read, call `then`."""
    source = SimulatedSource((8, 8), (8, 8))
    executor.read(source, REGION, lambda *outcome: then())


def test_what_follows_a_read_is_done_by_its_thread(executor):
    threads = []
    done = threading.Event()

    def note():
        threads.append(threading.current_thread())

    def follow():
        note()
        executor.run(note)
        run_a_read(executor, lambda: (note(), done.set()))

    run_a_read(executor, follow)
    assert done.wait(30)
    assert len(threads) == 3
    assert len(set(threads)) == 1


def test_the_next_read_of_a_slow_source_does_not_wait(executor, monkeypatch):
    monkeypatch.setattr(thread_executor, "HAND_OVER_S", -1.0)  # all are slow
    gate, done = threading.Event(), threading.Event()

    def follow():
        executor.run(lambda: gate.wait(30))  # an assembly that takes its time
        run_a_read(executor, done.set)

    run_a_read(executor, follow)
    assert done.wait(30)
    gate.set()


def test_what_is_submitted_in_the_middle_of_a_read_does_not_wait_for_it(executor):
    gate, done = threading.Event(), threading.Event()

    class Nested(SimulatedSource):
        def read(self, region):
            executor.run(done.set)
            assert gate.wait(30)
            return np.zeros((8, 8), self.dtype)

    executor.read(Nested((8, 8), (8, 8)), REGION, lambda *outcome: None)
    assert done.wait(30)
    gate.set()
