import logging
import math
import zlib
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import pairwise

import pytest

from loading.loader_bench import http_error, request, take_all
from napari_octree.loading import LoadFailure, TileState
from napari_octree.loading.retry import TRANSIENT_ATTEMPTS
from napari_octree.loading.scheduling.healing import FIRST_PAUSE_S
from napari_octree.loading.scheduling.reads import OVERDUE_S
from napari_octree.loading.testing import SimulatedSource, VirtualExecutor
from napari_octree.loading.work import ReadOutcome
from napari_octree.sources.errors import PartialReadError
from napari_octree.sources.identity import SourceGroup


class FlakySource(SimulatedSource):
    """Fails as often as told, then works."""

    def __init__(self, failures, error, **options):
        super().__init__((8, 80), (8, 8), **options)
        self.left = failures
        self.error = error

    def read(self, region):
        self.reads.append(region)
        if self.left > 0:
            self.left -= 1
            raise self.error
        return self.pixels_at(region)


def drain(b, client, seconds=100, tiles_wanted=math.inf):
    """Let reads and time go on until nothing happens any more, or so many tiles have come."""
    tiles = b.run(client)
    until = b.clock.time + seconds
    while (
        len(tiles) < tiles_wanted and b.clock.next_call is not None and b.clock.next_call <= until
    ):
        b.clock.advance(b.clock.next_call - b.clock.time)
        tiles += b.run(client)
    return tiles


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(), http_error(503), http_error(429)]
)
def test_a_transient_failure_is_retried_later_and_later(bench, error):
    source = FlakySource(4, error)
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    times = []
    while client.pending:
        if b.executor.finish() is not None:
            times.append(b.clock.time)
        elif b.clock.next_call is not None:
            b.clock.advance(b.clock.next_call - b.clock.time)
    waits = [b - a for a, b in pairwise(times)]
    assert len(waits) == 4
    for attempt, wait in enumerate(waits):
        assert 0.125 * 2**attempt <= wait <= 0.25 * 2**attempt + 1e-6
    assert client.take().state is TileState.LOADED
    assert b.loader.failures == ()
    assert b.loader.statistics.sources["simulated"].retries == 4


def test_retry_after_is_honoured(bench):
    source = FlakySource(1, http_error(429, retry_after=7))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    b.executor.finish()
    b.clock.advance(6.9)
    assert not b.executor.reads
    b.clock.advance(0.5)
    assert len(b.executor.reads) == 1


def test_a_transient_failure_that_lasts_becomes_failed(bench):
    source = FlakySource(10**9, TimeoutError("slow"))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    (tile,) = drain(b, client, tiles_wanted=1)
    assert tile.state is TileState.FAILED
    assert tile.data is None
    assert client.failed == {tile.key}
    assert client.pending == 0
    assert len(source.reads) == 7
    client.replace([])
    b.clock.advance(FIRST_PAUSE_S)
    assert not b.clock.scheduled


@pytest.mark.parametrize("error", [PermissionError(), http_error(403), http_error(401)])
def test_a_permanent_failure_is_not_retried(bench, error):
    source = FlakySource(10**9, error)
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    (tile,) = drain(b, client)
    assert tile.state is TileState.FAILED
    assert len(source.reads) == 1
    client.replace([])
    client.replace([request(source, 0, 0)])  # going back does not ask again
    assert [t.state for t in drain(b, client)] == [TileState.FAILED]
    assert len(source.reads) == 1


@pytest.mark.parametrize(
    ("failures", "error", "forget"),
    [(TRANSIENT_ATTEMPTS, TimeoutError(), False), (1, PermissionError(), True)],
    ids=["it failed for a while", "it is forgotten"],
)
def test_what_failed_is_read_again_when_it_comes_back(bench, failures, error, forget):
    source = FlakySource(failures, error)
    b = bench()
    client = b.open()
    for state in (TileState.FAILED, TileState.LOADED):
        client.replace([request(source, 0, 0)])
        assert [tile.state for tile in drain(b, client, tiles_wanted=1)] == [state]
        client.replace([])
        if forget:
            b.loader.forget(source.key)


def test_a_cancelled_read_is_no_failure(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    (read,) = b.executor.reads
    client.replace([])
    assert read.cancelled
    client.replace([request(source, 0, 0)])  # wanted again, before its end was told
    b.executor.reads.clear()
    read.done(ReadOutcome(None, CancelledError()))
    assert [tile.state for tile in b.run(client)] == [TileState.LOADED]
    assert b.loader.failures == ()


def test_failures_are_told_once_per_source_and_cause(bench, caplog):
    told = []
    b = bench()
    b.loader.on_failure.connect(told.append)
    client = b.open()
    store, place = SourceGroup("store", "store"), SourceGroup("other", "other")
    one = FlakySource(10**9, http_error(403), key="store/0", group=store)
    two = FlakySource(10**9, http_error(403), key="store/1", group=store)
    other = FlakySource(10**9, http_error(403), key="other/0", group=place)
    denied = FlakySource(10**9, PermissionError(), key="other/1", group=place)
    sources = (one, two, other, denied)
    client.replace([request(s, 0, c) for s in sources for c in range(10)])
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        drain(b, client)
    assert [(f.source_name, f.cause, f.count) for f in told] == [
        ("store", "HTTP 403", 1),
        ("other", "HTTP 403", 1),
        ("other", "PermissionError", 1),
    ]
    assert [f.count for f in b.loader.failures] == [20, 10, 10]
    logged = [record.message for record in caplog.records if record.name == "napari_octree.loader"]
    assert logged == [str(failure) for failure in told]


def test_a_listener_that_raises_stalls_nobody(bench):
    def listener(failure):
        raise RuntimeError("from a listener")

    b = bench()
    b.loader.on_failure.connect(listener)
    client = b.open()
    source = FlakySource(2, PermissionError())
    client.replace([request(source, 0, c) for c in range(10)])
    states = [tile.state for tile in drain(b, client) if tile.state is TileState.FAILED]
    assert len(states) == 2
    assert client.pending == 0


def test_retry_reads_again_what_failed_and_only_that(bench):
    source = FlakySource(3, PermissionError())
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(10)])
    drain(b, client)
    assert len(client.failed) == 3
    reads = len(source.reads)
    client.retry()
    assert client.pending == 3
    tiles = drain(b, client)
    assert [tile.state for tile in tiles] == [TileState.LOADED] * 3
    assert len(source.reads) == reads + 3
    assert not client.failed


def test_a_read_that_hangs_is_given_up_and_tried_again(bench):
    source = SimulatedSource((8, 80), (8, 8))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    (hung,) = b.executor.reads
    b.executor.reads.clear()
    b.clock.advance(61)
    assert b.executor.timed_out == [hung]
    b.clock.advance(1)
    assert len(b.run(client)) == 1
    hung.done(ReadOutcome(source.pixels_at(hung.region), None, 70))  # too late: ignored
    assert take_all(client) == []
    assert b.loader.statistics.in_flight_bytes == 0


def test_a_chunk_of_another_shape_is_a_permanent_failure(bench):
    class Wrong(SimulatedSource):
        def read(self, region):
            self.reads.append(region)
            return super().pixels_at(region)[:-1]

    source = Wrong((8, 80), (8, 8))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    assert [tile.state for tile in drain(b, client)] == [TileState.FAILED]
    assert len(source.reads) == 1
    assert "shape" in str(b.loader.failures[0])


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_finish_that_raises_fails_its_tile_only(bench, source, error):
    def finish(block):
        raise error("from finish")

    b = bench()
    client = b.open()
    client.replace([replace(request(source, 0, 0), finish=finish), request(source, 0, 1)])
    states = {tile.key[2]: tile.state for tile in drain(b, client)}
    assert states == {0: TileState.FAILED, 1: TileState.LOADED}
    assert b.loader.statistics.in_flight_bytes == 0


@pytest.mark.parametrize(
    ("error", "halves"),
    [
        (http_error(503), True),
        (http_error(429), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (http_error(403), False),
        (zlib.error("incorrect data check"), False),
    ],
)
def test_errors_of_the_store_halve_the_concurrency(bench, error, halves):
    source = FlakySource(10**9, error)
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c) for c in range(10)])
    before = b.loader.statistics.sources["simulated"].concurrency
    b.executor.finish()
    after = b.loader.statistics.sources["simulated"].concurrency
    assert after == (before // 2 if halves else before)


def test_what_may_be_a_damaged_transfer_is_read_once_more(bench):
    damaged, corrupt = (
        FlakySource(failures, zlib.error("incorrect data check"), key=key)
        for failures, key in ((1, "damaged"), (10**9, "corrupt"))
    )
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0) for source in (damaged, corrupt)])
    states = {tile.key[0]: tile.state for tile in drain(b, client)}
    assert states == {"damaged": TileState.LOADED, "corrupt": TileState.FAILED}
    assert len(damaged.reads) == len(corrupt.reads) == 2


def test_a_store_that_hangs_holds_up_no_other_of_its_pool(bench):
    b = bench(loader_defaults={"num_workers": 2}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    hangs, other = (SimulatedSource((8, 80), (8, 8), key=key) for key in ("hangs", "other"))
    client.replace(
        [
            *(request(hangs, 0, c, apron=0) for c in range(10)),
            *(request(other, 0, c, apron=0) for c in range(10)),
        ]
    )
    assert [read.storage for read in b.executor.reads] == [hangs] * 2
    handles = list(b.executor.reads)
    delivered = []
    while b.clock.time < 40:
        b.clock.advance(1)
        delivered += [
            tile
            for read in list(b.executor.reads)
            if read.storage is other
            for tile in [b.executor.finish(read) and client.take()]
        ]
        assert len(b.executor.reads) <= 4  # those that hang are bounded
        if b.clock.time <= OVERDUE_S - 1:
            assert not delivered
    assert b.executor.set_apart_reads[:2] == handles
    assert not b.executor.timed_out
    assert {tile.key[0] for tile in delivered} == {"other"}
    b.run(client)  # they come back after all
    assert client.pending == 0
    counts = b.loader.statistics
    assert (counts.reading, counts.in_flight_bytes) == (0, 0)
    assert all(pool.running == pool.overdue == 0 for pool in b.loader._settings.pools)


def test_a_read_that_hangs_holds_up_no_other_of_its_source(bench):
    """After failures a single read may run at once: it must not be the one that hangs."""
    source = SimulatedSource((8, 80), (8, 8))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(10)])
    hung = b.executor.reads.pop(0)
    until = b.clock.time + 4
    while b.executor.reads and b.clock.time < until:
        for read in list(b.executor.reads):
            b.executor.reads.remove(read)
            read.done(ReadOutcome(None, TimeoutError(), 0.05))
        b.clock.advance(0.5)
    b.run(client)
    assert client.pending > 1  # waiting for the one that hangs
    b.clock.advance(6)
    b.run(client)
    assert client.pending == 1
    b.executor.reads.append(hung)
    b.run(client)
    assert client.pending == 0
    assert b.loader.statistics.sources["simulated"].running == 0


class PartlyReadable(FlakySource):
    """Of what it shows, a part cannot be read."""

    def read(self, region):
        try:
            return super().read(region)
        except Exception as error:
            raise PartialReadError(f"field 3: {error}", self.pixels_at(region)) from error


@pytest.mark.parametrize(("error", "reads"), [(http_error(403), 1), (http_error(503), 3)])
def test_what_can_be_read_in_part_is_shown_and_told(bench, error, reads):
    source = PartlyReadable(10**9, error)
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    (tile,) = drain(b, client)
    assert tile.state is TileState.LOADED
    assert (tile.data[1:-1, 1:-1] == source.pixels_at(source.reads[0])).all()
    assert len(source.reads) == reads  # those beside it do not wait for long
    (failure,) = b.loader.failures
    assert "field 3" in failure.message
    assert client.pending == 0
    assert not client.failed
    b.loader.forget(source.key)  # as a reload does
    source.left = 0
    client.replace([])
    client.replace([request(source, 0, 0)])
    assert [tile.state for tile in drain(b, client)] == [TileState.LOADED]
    assert len(source.reads) == reads + 1


def test_a_key_that_stands_for_other_pixels_has_not_failed(bench):
    b = bench()
    client = b.open()
    denied = FlakySource(10**9, http_error(403), key="denied")
    good = FlakySource(0, None, key="good")
    client.replace([request(denied, 0, 0, key="tile")])
    b.run(client)
    assert client.failed == {"tile"}
    client.replace([request(good, 0, 0, key="tile")])
    assert client.failed == frozenset()
    client.retry()  # while it is being read
    assert [tile.state for tile in b.run(client)] == [TileState.LOADED]


class Unstartable(VirtualExecutor):
    """Cannot start the first of its reads or assemblies."""

    def __init__(self, verb):
        super().__init__()
        self.verb = verb
        self.refused = 0

    def _refuse(self, verb):
        if verb == self.verb and not self.refused:
            self.refused += 1
            raise OSError("can't start new thread")

    def read(self, storage, region, done):
        self._refuse("read")
        return super().read(storage, region, done)

    def run(self, work, brief=True):
        self._refuse("run")
        super().run(work, brief)


def test_a_read_that_cannot_be_started_holds_up_none_behind_it(bench):
    b = bench(executor=Unstartable("read"))
    client = b.open()
    source = SimulatedSource((8, 80), (8, 8))
    client.replace([request(source, 0, c) for c in range(4)])
    assert len(b.executor.reads) == 3
    assert len(drain(b, client)) >= 4  # the first one too, when it is tried again
    assert client.pending == 0
    assert client.failed == frozenset()


def test_an_assembly_that_cannot_be_started_holds_up_none_behind_it(bench):
    b = bench(executor=Unstartable("run"))
    client = b.open()
    source = SimulatedSource((8, 80), (8, 8))
    client.replace([request(source, 0, c) for c in range(4)])
    states = {tile.key[2]: tile.state for tile in drain(b, client)}
    assert sorted(states) == [0, 1, 2, 3]
    assert client.pending == 0
    assert len(client.failed) == 1  # finally, until somebody retries
    client.retry()
    assert [tile.state for tile in drain(b, client)] == [TileState.LOADED]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            LoadFailure("http://here/a.zarr", "HTTP 403", "Forbidden"),
            "Chunks could not be read: HTTP 403: Forbidden (http://here/a.zarr)",
        ),
        (
            LoadFailure("http://here/a.zarr", "HTTP 403", "Forbidden: http://here/a.zarr/0/1.0"),
            "Chunks could not be read: HTTP 403: Forbidden: http://here/a.zarr/0/1.0",
        ),
        (
            LoadFailure("/data/a.zarr", "TimeoutError", ""),
            "Chunks could not be read: TimeoutError (/data/a.zarr)",
        ),
    ],
)
def test_the_problem_comes_first_and_the_address_once(failure, said):
    assert str(failure) == said
