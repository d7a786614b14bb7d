"""Which thread does what: with real threads, waited for by events."""

import threading

import numpy as np
import pytest

from napari_octree.loading.executors import threads as thread_executor
from napari_octree.loading.executors.threads import ThreadExecutor
from napari_octree.loading.testing import SimulatedSource

REGION = ((0, 8), (0, 8))


class Gated(SimulatedSource):
    """Reads end when the gate opens."""

    def __init__(self):
        super().__init__((8, 8), (8, 8))
        self.entered, self.gate = threading.Event(), threading.Event()

    def read(self, region):
        self.entered.set()
        assert self.gate.wait(30)
        return super().read(region)


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


def test_one_thread_does_all_brief_tasks_that_follow_a_read():
    worker = thread_executor._Worker()
    worker.at_its_end = True
    brief = [(None, lambda: None) for _ in range(3)]
    read = (object(), lambda: None)
    assert worker.keep(read, brief=False)
    assert all(worker.keep(task, brief=True) for task in brief)
    assert [worker.next() for _ in range(5)] == [*brief, read, None]


def test_tasks_that_take_long_do_not_wait_for_each_other(executor, monkeypatch):
    monkeypatch.setattr(thread_executor, "BRIEF_S", -1.0)  # all do
    second, done = threading.Event(), threading.Event()

    def first():
        if second.wait(30):
            done.set()

    def follow():
        executor.run(first)
        executor.run(second.set)

    run_a_read(executor, follow)
    assert done.wait(60)


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


def test_another_thread_takes_the_place_of_one_that_is_set_apart(executor):
    sources = [Gated(), Gated()]
    ends = [threading.Event(), threading.Event()]
    threads = set()

    def note(end):
        threads.add(threading.current_thread())
        end.set()

    for source, end in zip(sources, ends, strict=True):
        handle = executor.read(source, REGION, lambda outcome, end=end: note(end))
        assert source.entered.wait(30)
        executor.set_apart(handle)
        executor.set_apart(handle)  # is nothing more
    done = threading.Event()
    run_a_read(executor, done.set)
    assert done.wait(30)
    for source, end in zip(sources, ends, strict=True):
        assert not end.is_set()
        source.gate.set()
        assert end.wait(30)  # the end of its read is told all the same
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_threads_that_hang_are_bounded(monkeypatch):
    monkeypatch.setattr(thread_executor, "APART", 1)
    executor = ThreadExecutor(1)
    sources = [Gated(), Gated()]
    for source in sources:
        handle = executor.read(source, REGION, lambda outcome: None)
        assert source.entered.wait(30)
        executor.set_apart(handle)
    done = threading.Event()
    run_a_read(executor, done.set)  # waits for the second one, as none is to come in its place
    assert not done.is_set()
    sources[1].gate.set()
    assert done.wait(30)
    sources[0].gate.set()
    executor.close(30)


@pytest.fixture
def no_more_threads(monkeypatch):
    """Let the system start no thread from when it is called."""

    def start(thread):
        raise RuntimeError("can't start new thread")

    return lambda: monkeypatch.setattr(threading.Thread, "start", start)


def test_the_threads_there_are_do_the_work_where_no_other_can_be_started(
    executor, no_more_threads
):
    held, done = Gated(), threading.Event()
    executor.read(held, REGION, lambda outcome: None)
    assert held.entered.wait(30)
    no_more_threads()
    run_a_read(executor, done.set)
    assert not done.is_set()
    held.gate.set()
    assert done.wait(30)


def test_without_any_thread_it_says_so(executor, no_more_threads, monkeypatch):
    no_more_threads()
    with pytest.raises(OSError, match="no thread"):
        run_a_read(executor, lambda: None)
    monkeypatch.undo()
    done = threading.Event()
    run_a_read(executor, done.set)  # nothing is left behind of the attempt
    assert done.wait(30)


def test_a_thread_that_may_hang_is_kept_where_none_can_take_its_place(executor, no_more_threads):
    held, done = Gated(), threading.Event()
    handle = executor.read(held, REGION, lambda outcome: None)
    assert held.entered.wait(30)
    no_more_threads()
    executor.set_apart(handle)
    run_a_read(executor, done.set)
    held.gate.set()
    assert done.wait(30)
