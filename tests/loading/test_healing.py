"""A source that could not be reached is tried again by itself, while what failed is in view."""

import logging
from itertools import pairwise

import pytest

from loading.loader_bench import http_error, request, take_all
from napari_octree.loading import TileState
from napari_octree.loading.scheduling.healing import FIRST_PAUSE_S, LONGEST_PAUSE_S
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier


class Server(SimulatedSource):
    """A source that can be down."""

    def __init__(self, error=None, **options):
        super().__init__((8, 80), (8, 8), error=self._answer, **options)
        self.down = ConnectionError("refused") if error is None else error
        self.broken = {}
        """Errors that stay, by column."""

    def _answer(self, region):
        return self.down or self.broken.get(region[1][0] // 8)


class Visitor:
    """A bench, a client, and what it was given and told."""

    def __init__(self, bench):
        self.bench = bench()
        self.client = self.bench.open()
        self.states = {}
        self.told = []
        self.bench.loader.on_failure.connect(lambda failure: self.told.append(failure.cause))
        self.bench.loader.on_healed.connect(lambda name: self.told.append(f"healed {name}"))

    @property
    def clock(self):
        return self.bench.clock

    def look(self):
        for tile in self.bench.run(self.client):
            self.states.setdefault(tile.key[2], []).append(tile.state.value)

    def wait(self, seconds):
        """Let time pass, and what is read arrive."""
        until = self.clock.time + seconds
        self.look()
        while self.clock.next_call is not None and self.clock.next_call <= until:
            self.clock.advance(max(self.clock.next_call - self.clock.time, 0))
            self.look()
        self.clock.advance(until - self.clock.time)

    def wait_until_failed(self):
        while self.client.pending:
            self.wait(max(self.clock.next_call - self.clock.time, 0))


@pytest.fixture
def visitor(bench):
    return Visitor(bench)


ALL = range(4)


def see(visitor, source, columns=ALL, **options):
    visitor.client.replace([request(source, 0, c, apron=0, **options) for c in columns])


def test_it_heals_without_a_click(visitor):
    source = Server()
    see(visitor, source)
    visitor.wait_until_failed()
    assert visitor.client.failed == {("simulated", 0, c) for c in ALL}
    assert visitor.told == ["ConnectionError"]
    source.down = None
    visitor.wait(FIRST_PAUSE_S)
    assert visitor.states == {c: ["failed", "loaded"] for c in ALL}
    assert visitor.client.failed == frozenset()
    assert visitor.client.pending == 0
    assert visitor.told == ["ConnectionError", "healed simulated"]
    assert visitor.bench.loader.failures == ()
    assert not visitor.clock.scheduled


def test_pauses_grow_up_to_a_minute_and_one_chunk_is_tried_at_a_time(visitor):
    source = Server()
    see(visitor, source)
    visitor.wait_until_failed()
    times = []
    for _ in range(12):
        before = len(source.reads)
        while len(source.reads) == before:
            visitor.wait(visitor.clock.next_call - visitor.clock.time)
            assert visitor.client.pending == 0  # nothing is loading, as far as one can see
        assert len(source.reads) == before + 1
        times.append(visitor.clock.time)
    pauses = [b - a for a, b in pairwise(times)]
    assert all(FIRST_PAUSE_S / 2 <= pause <= LONGEST_PAUSE_S for pause in pauses)
    assert max(pauses[-4:]) > LONGEST_PAUSE_S / 2
    assert pauses[0] < 2 * 2 * FIRST_PAUSE_S
    assert len(set(source.reads[-12:])) == 4  # in turn, should one of them be damaged for ever
    assert visitor.told == ["ConnectionError"]
    assert all(states == ["failed"] for states in visitor.states.values())


def test_what_has_left_the_view_is_not_tried(visitor):
    source = Server()
    see(visitor, source)
    visitor.wait_until_failed()
    visitor.client.replace([])
    reads = len(source.reads)
    visitor.wait(10 * LONGEST_PAUSE_S)
    assert len(source.reads) == reads
    assert not visitor.clock.scheduled


@pytest.mark.parametrize("error", [http_error(403), http_error(404), PermissionError()])
def test_what_was_denied_is_not_tried(visitor, error):
    source = Server(error)
    see(visitor, source)
    visitor.wait_until_failed()
    assert not visitor.clock.scheduled


def test_what_is_only_read_ahead_is_not_tried(visitor):
    source = Server()
    see(visitor, source, tier=Tier.PREFETCH)
    visitor.wait(10 * LONGEST_PAUSE_S)
    reads = len(source.reads)
    visitor.wait(10 * LONGEST_PAUSE_S)
    assert len(source.reads) == reads
    assert not visitor.clock.scheduled


def test_one_chunk_that_stays_broken_keeps_no_other_from_healing(visitor):
    source = Server()
    source.broken = {0: http_error(503)}
    see(visitor, source)
    visitor.wait_until_failed()
    source.down = None
    visitor.wait(10 * LONGEST_PAUSE_S)
    assert visitor.client.failed == {("simulated", 0, 0)}
    assert visitor.client.pending == 0
    assert all(visitor.states[c] == ["failed", "loaded"] for c in ALL if c)
    reads = len(source.reads)
    visitor.wait(10 * LONGEST_PAUSE_S)
    assert 5 <= len(source.reads) - reads <= 20 + 1  # a pause is half a minute to a minute
    source.broken = {}
    visitor.wait(LONGEST_PAUSE_S)
    assert visitor.client.failed == frozenset()
    assert not visitor.clock.scheduled


def test_an_answer_that_is_no_longer_the_networks_fault_is_final(visitor):
    source = Server()
    see(visitor, source, [0])
    visitor.wait_until_failed()
    source.down = http_error(404)
    visitor.wait(FIRST_PAUSE_S)
    assert visitor.told == ["ConnectionError", "HTTP 404"]
    assert visitor.states == {0: ["failed"]}
    assert not visitor.clock.scheduled


def test_it_is_told_again_when_it_fails_again(visitor):
    source = Server()
    see(visitor, source)
    visitor.wait_until_failed()
    source.down = None
    visitor.wait(FIRST_PAUSE_S)
    source.down = ConnectionError("refused")
    see(visitor, source, range(4, 8))
    visitor.wait_until_failed()
    assert visitor.told == ["ConnectionError", "healed simulated", "ConnectionError"]


def test_a_retry_by_hand_while_it_is_tried_has_all_its_attempts(visitor):
    source = Server()
    see(visitor, source, [0])
    visitor.wait_until_failed()
    visitor.clock.advance(FIRST_PAUSE_S)
    assert len(visitor.bench.executor.reads) == 1  # the probe
    visitor.client.retry()
    assert visitor.client.pending == 1
    visitor.bench.executor.finish()
    assert visitor.client.pending == 1  # it is tried again
    source.down = None
    visitor.wait(FIRST_PAUSE_S)
    assert visitor.states == {0: ["failed", "loaded"]}


def test_a_tile_that_comes_while_its_chunk_is_tried_shares_its_fate(visitor):
    source = Server()
    see(visitor, source, [0])
    visitor.wait_until_failed()
    visitor.clock.advance(FIRST_PAUSE_S)
    other = visitor.bench.open()
    other.replace([request(source, 0, 0)])
    visitor.bench.executor.finish()
    assert [tile.state for tile in take_all(other)] == [TileState.FAILED]
    source.down = None
    visitor.wait(4 * FIRST_PAUSE_S)
    assert [tile.state for tile in take_all(other)] == [TileState.LOADED]
    assert visitor.states == {0: ["failed", "loaded"]}


def test_sources_heal_apart(visitor):
    one, two = Server(key="one"), Server(key="two")
    visitor.client.replace([request(s, 0, c) for s in (one, two) for c in ALL])
    visitor.wait_until_failed()
    one.down = None
    visitor.wait(LONGEST_PAUSE_S)
    assert {key[0] for key in visitor.client.failed} == {"two"}
    assert [failure.source_name for failure in visitor.bench.loader.failures] == ["two"]


def test_a_listener_that_raises_stalls_nobody(visitor, caplog):
    def listener(name):
        raise RuntimeError("from a listener")

    source = Server()
    visitor.bench.loader.on_healed.connect(listener)
    see(visitor, source)
    visitor.wait_until_failed()
    source.down = None
    with caplog.at_level(logging.ERROR, "napari_octree.loader"):
        visitor.wait(FIRST_PAUSE_S)
    assert visitor.client.failed == frozenset()
    assert any("on_healed" in message for message in caplog.messages)
