import heapq

from hypothesis import given
from hypothesis import strategies as st

from napari_octree.loading.concurrency import SourceConcurrency


def simulate(most, seconds_of_read, reads=2000):
    """Keep the source busy with reads that take longer the more run; return the last limit."""
    concurrency = SourceConcurrency(most)
    now = 0.0
    ends = []
    for _ in range(reads):
        while concurrency.has_room(False, 0.0):
            concurrency.started(now)
            heapq.heappush(ends, now + seconds_of_read(concurrency.running))
        now = heapq.heappop(ends)
        concurrency.succeeded(1000, now)
    return concurrency.limit


def test_a_store_that_only_waits_gets_all_workers():
    assert simulate(10, lambda n: 0.05) == 10


def test_a_store_that_is_busy_with_two_does_not():
    assert simulate(64, lambda n: 0.01 * max(n, 2)) < 16


def test_errors_halve_once_per_round():
    concurrency = SourceConcurrency(10)
    concurrency.limit = 8
    for _ in range(8):
        concurrency.started(1.0)
    for _ in range(8):
        concurrency.failed(1.0, 2.0)
    assert concurrency.limit == 4
    concurrency.started(3.0)
    concurrency.failed(3.0, 4.0)
    assert concurrency.limit == 2


@given(st.lists(st.sampled_from(["start", "good", "bad", "end"]), max_size=200))
def test_the_limit_stays_in_bounds(events):
    concurrency = SourceConcurrency(6)
    for now, event in enumerate(events):
        if event == "start":
            if concurrency.has_room(False, 0.0):
                concurrency.started(now)
        elif concurrency.running:
            if event == "good":
                concurrency.succeeded(10, now)
            elif event == "bad":
                concurrency.failed(now - 1, now)
            else:
                concurrency.ended()
        assert 1 <= concurrency.limit <= 6
        assert concurrency.running >= 0
