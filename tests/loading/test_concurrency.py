import heapq
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loading.loader_bench import request
from napari_octree.loading import Pace
from napari_octree.loading.scheduling.source_record import (
    FIRST_FAR_LIMIT,
    FIRST_LIMIT,
    Processors,
    SourceConcurrency,
    processors_to_spare,
)
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier

MANY = Processors(1000)


def simulate(
    most, seconds_of_read, reads=2000, processors=MANY, busy_s=0.0, concurrency=None, now=0.0
):
    """Keep the source busy with reads that take longer the more run.

    Returns
    -------
    list of int
        How many ran after each read that ended and those that then began.
    """
    if concurrency is None:
        concurrency = SourceConcurrency(most, processors)
    ends = []
    running = []
    for _ in range(reads):
        while concurrency.has_room(False, 0.0):
            concurrency.started(now)
            heapq.heappush(ends, (now + seconds_of_read(concurrency.running), now))
        running.append(concurrency.running)
        now, started = heapq.heappop(ends)
        concurrency.succeeded(1000, now - started, busy_s, now)
    return running


def test_a_store_that_only_waits_gets_all_workers():
    assert simulate(10, lambda n: 0.05)[-1] == 10


def test_a_store_that_only_waits_gets_twice_as_many_readers_each_round():
    running = simulate(64, lambda n: 0.05, reads=200)
    assert running[FIRST_LIMIT] >= 2 * FIRST_LIMIT
    assert running[3 * FIRST_LIMIT] >= 4 * FIRST_LIMIT
    assert running[7 * FIRST_LIMIT] == 64


def begin(concurrency, now=0.0):
    """Start as many reads as may; return how many are under way."""
    while concurrency.has_room(False, 0.0):
        concurrency.started(now)
    return concurrency.running


@pytest.mark.parametrize(
    ("seconds", "busy_s", "readers"),
    [(0.05, 0.001, 2 * FIRST_LIMIT), (0.005, 0.001, FIRST_LIMIT), (0.05, None, FIRST_LIMIT)],
)
def test_only_a_far_store_gets_twice_as_many_readers_after_its_first_read(
    seconds, busy_s, readers
):
    concurrency = SourceConcurrency(64, MANY)
    assert begin(concurrency) == FIRST_LIMIT
    for more in (1, 2):  # the second one tells nothing new
        concurrency.succeeded(1000, seconds, busy_s, seconds)
        assert begin(concurrency, seconds) == readers + more


def test_a_first_view_of_a_store_on_a_network_is_read_at_once(bench):
    far = SimulatedSource((8, 800), (8, 8), key="far", is_remote=True)
    b = bench(processors=1)
    client = b.open()
    client.pace = Pace.STEADY
    overview = request(far, 0, 99, tier=Tier.COVERAGE, relative_level=4)
    client.replace([overview, *(request(far, 0, column) for column in range(15))])
    assert len(b.executor.reads) == 16, "before the first one has ended"


@pytest.mark.parametrize("made", ["is_computed", "is_mosaic"])
def test_of_what_is_made_from_a_store_on_a_network_few_are_read_at_first(bench, made):
    far = SimulatedSource((8, 800), (8, 8), is_remote=True)
    setattr(far, made, True)
    b = bench(processors=1)
    client = b.open()
    client.pace = Pace.STEADY
    client.replace([request(far, 0, column) for column in range(16)])
    assert len(b.executor.reads) == 4


@pytest.mark.parametrize("at_once", [FIRST_LIMIT, 64])
def test_over_a_narrow_line_a_large_first_round_is_taken_back(at_once):
    assert begin(SourceConcurrency(64, MANY, far=True)) == FIRST_FAR_LIMIT
    concurrency = SourceConcurrency(64, MANY, far=True)
    running = simulate(64, lambda n: 0.03 * max(n / at_once, 1), 400, concurrency=concurrency)
    narrow = at_once == FIRST_LIMIT
    assert max(running[200:]) < 2 * FIRST_LIMIT if narrow else min(running[200:]) == 64


@pytest.mark.parametrize("number", [1, 2])
def test_of_reads_that_nobody_knows_four_share_a_processor(number):
    assert begin(SourceConcurrency(64, Processors(number))) == 4 * number


@pytest.mark.parametrize(
    ("latency_s", "readers"), [(0.0, 2), (0.005, 2), (0.035, 4), (0.2, FIRST_LIMIT)]
)
def test_while_the_view_rushes_one_reader_for_ten_milliseconds_of_latency(latency_s, readers):
    concurrency = SourceConcurrency(64, MANY)
    assert concurrency.allowed(True, latency_s) == readers
    assert concurrency.allowed(False, latency_s) == FIRST_LIMIT


def test_a_store_that_is_busy_with_two_does_not():
    assert simulate(64, lambda n: 0.01 * max(n, 2))[-1] < 16


def test_after_errors_a_store_that_only_waits_gets_all_its_workers_again():
    concurrency = SourceConcurrency(16, MANY)
    concurrency.limit = 16
    for now in (1.0, 2.0):
        concurrency.started(now)
        concurrency.failed(now, now + 0.5)
    assert concurrency.limit == 4
    running = simulate(16, lambda n: 0.05, concurrency=concurrency, now=3.0)
    assert set(running[:16]) == {4}, "a round passes before more is tried"
    assert set(running[200:]) == {16}


def test_what_more_readers_did_not_gain_is_taken_back_and_tried_ever_less_often():
    running = simulate(64, lambda n: 0.01 * max(n / 8, 1), reads=8000)
    assert set(running) > {8, 12}
    tried = [i for i, (n, more) in enumerate(pairwise(running)) if n == 8 and more > 8]
    waits = [b - a for a, b in pairwise(tried)]
    assert waits == sorted(waits)
    assert 500 < waits[5] < waits[6] == waits[-1] < 1100, "64 rounds of 16 reads at most"
    assert sum(n > 8 for n in running[4000:]) < 0.03 * 4000


def test_a_limit_that_is_not_used_up_does_not_grow():
    concurrency = SourceConcurrency(64, MANY)
    for now in range(100):
        concurrency.started(now)
        concurrency.succeeded(1000, 0.005, 0.0, now + 0.005)
    assert concurrency.limit == FIRST_LIMIT


def test_a_pause_does_not_pass_for_slowness():
    concurrency = SourceConcurrency(64, MANY)
    begin(concurrency)
    for _ in range(FIRST_LIMIT):  # a round
        concurrency.succeeded(1000, 0.05, 0.0, 0.05)
    for _ in range(3):  # the beginning of one
        concurrency.started(0.05)
    for _ in range(3):
        concurrency.succeeded(1000, 0.05, 0.0, 0.1)
    assert simulate(64, lambda n: 0.05, 200, concurrency=concurrency, now=1000.0)[-1] == 64


def test_one_more_user_of_a_source_may_allow_it_more():
    concurrency = SourceConcurrency(2, MANY)
    assert begin(concurrency) == 2
    concurrency.allow(1)
    concurrency.allow(20)
    assert begin(concurrency) == FIRST_LIMIT
    assert simulate(20, lambda n: 0.05, concurrency=concurrency, reads=0) == []
    for now in range(FIRST_LIMIT):
        concurrency.succeeded(1000, 0.05, 0.0, now)
    assert simulate(20, lambda n: 0.05, concurrency=concurrency, now=9.0)[-1] == 20


def test_what_reads_compute_is_told_from_recent_ones_not_from_the_last_alone():
    concurrency = SourceConcurrency(64, MANY)
    for busy_s in [0.0] * 20 + [0.1]:
        concurrency.started(0.0)
        concurrency.succeeded(1000, 0.1, busy_s, 1.0)
    assert concurrency.busy_share == pytest.approx(0.25, abs=0.01)


def known(processors, busy_s):
    """Return a source whose reads are known to compute for `busy_s` of 0.1 s."""
    concurrency = SourceConcurrency(64, processors)
    concurrency.started(0.0)
    concurrency.succeeded(1000, 0.1, busy_s, 0.1)
    return concurrency


def test_a_source_may_always_have_one_read_under_way():
    processors = Processors(1)
    assert [begin(known(processors, 0.1)) for _ in range(4)] == [1] * 4


def test_what_another_source_no_longer_takes_is_free():
    processors = Processors(4)
    one, two = known(processors, 0.1), known(processors, 0.1)
    assert (begin(one), begin(two)) == (4, 2)
    for _ in range(4):
        one.ended()
    assert begin(two) == 4


def test_what_takes_no_processor_holds_up_nobody():
    processors = Processors(2)
    waits, computes = known(processors, 0.0), known(processors, 0.1)
    assert begin(waits) >= FIRST_LIMIT
    assert begin(computes) == 2


@pytest.mark.parametrize(("processors", "to_spare"), [(8, 7), (2, 1), (1, 1)])
def test_one_processor_is_left_to_the_window(monkeypatch, processors, to_spare):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(processors)))
    assert processors_to_spare() == to_spare


def test_doubling_that_gained_nothing_is_taken_back():
    concurrency = SourceConcurrency(64, MANY)
    for read in range(4 * FIRST_LIMIT):  # one after the other, however many have begun
        while concurrency.has_room(False, 0.0):
            concurrency.started(0.01 * read)
        concurrency.succeeded(1000, 0.01, 0.0, 0.01 * (read + 1))
    assert concurrency.limit == FIRST_LIMIT


@pytest.mark.parametrize("cores", [2, 4, 16])
def test_reads_that_compute_are_bounded_by_the_processors(cores):
    def seconds_of_read(running):
        return 0.1 * max(running / cores, 1)

    running = simulate(20, seconds_of_read, 200, Processors(cores - 1), busy_s=0.1)
    # Of the first ones nothing is known, and where they compete each seems to take less.
    assert max(running) <= max(FIRST_LIMIT, cores - 1)
    assert max(running[100:]) <= cores - 1


def test_reads_that_compute_do_not_hold_up_those_that_wait(bench):
    computing = SimulatedSource((8, 800), (8, 8), key="computing")
    waiting = SimulatedSource((8, 800), (8, 8), key="waiting")
    b = bench(processors=1)
    client = b.open()
    overview = [request(source, 0, 99, tier=Tier.COVERAGE) for source in (computing, waiting)]
    client.replace(overview)
    b.executor.finish(seconds=0.1, busy_s=0.1)
    b.executor.finish(seconds=0.1, busy_s=0.001)

    def begun(source):
        return sum(read.storage is source for read in b.executor.reads)

    client.replace([request(computing, 0, c) for c in range(20)])
    assert begun(computing) == 1
    client.replace([request(source, 0, c) for c in range(20) for source in (computing, waiting)])
    assert begun(computing) == 1
    assert begun(waiting) >= FIRST_LIMIT
    b.executor.finish(seconds=0.1, busy_s=0.1)
    assert begun(computing) == 1  # those that wait do not hold it up either


def test_two_sources_that_compute_share_the_processors(bench):
    sources = [SimulatedSource((8, 800), (8, 8), key=key) for key in ("one", "two")]
    b = bench(processors=4)
    client = b.open()
    client.replace([request(source, 0, 99, tier=Tier.COVERAGE) for source in sources])
    b.executor.finish(seconds=0.1, busy_s=0.1)
    b.executor.finish(seconds=0.1, busy_s=0.1)

    def begun():
        return [sum(read.storage is source for read in b.executor.reads) for source in sources]

    client.replace([request(sources[0], 0, c) for c in range(20)])
    assert begun() == [4, 0]
    client.replace([request(source, 0, c) for c in range(20) for source in sources])
    assert begun() == [4, 2]
    for _ in range(2):
        b.executor.finish(seconds=0.1, busy_s=0.1)
    assert begun() == [2, 2]


def test_errors_halve_once_per_round():
    concurrency = SourceConcurrency(10, MANY)
    concurrency.limit = 8
    for _ in range(8):
        concurrency.started(1.0)
    for _ in range(8):
        concurrency.failed(1.0, 2.0)
    assert concurrency.limit == 4
    concurrency.started(3.0)
    concurrency.failed(3.0, 4.0)
    assert concurrency.limit == 2


@given(
    st.lists(st.sampled_from(["start", "good", "bad", "end"]), max_size=200),
    st.sampled_from([None, 0.0, 0.05, 1.0]),
    st.integers(1, 8),
)
def test_the_limits_stay_in_bounds(events, busy_s, number):
    processors = Processors(number)
    concurrency = SourceConcurrency(6, processors)
    for now, event in enumerate(events):
        if event == "start":
            if concurrency.has_room(False, 0.0):
                concurrency.started(now)
                assert concurrency.running == 1 or (
                    concurrency.running * concurrency.busy_share <= number
                )
        elif concurrency.running:
            if event == "good":
                concurrency.succeeded(10, 0.1, busy_s, now)
            elif event == "bad":
                concurrency.failed(now - 1, now)
            else:
                concurrency.ended()
        assert 1 <= concurrency.limit <= 6
        assert concurrency.running >= 0
        assert 0 <= concurrency.busy_share <= 1
        assert processors.have_room_for(concurrency) or concurrency.running
