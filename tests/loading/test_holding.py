"""When a tile waits for the chunks around it, and when it does not."""

import numpy as np
import pytest

from loading.loader_bench import expected, request, take_all
from napari_octree.loading import Pace
from napari_octree.loading.scheduling.assemblies import BRIEF_WAIT_S, WAIT_S
from napari_octree.loading.testing import SimulatedSource
from napari_octree.loading.work import ReadOutcome
from napari_octree.octree.chunk_key import Tier

FAST_S, SLOW_S = 0.002, 0.05


@pytest.fixture
def one_reader(bench):
    return bench(
        loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}}
    )


def finish_first(b, source, client, seconds):
    """Let the source's latency be known, from a read far from everything else."""
    client.replace([request(source, 3, 4, apron=0)])
    b.executor.finish(seconds=seconds)
    take_all(client)


def test_around_a_fast_source_each_tile_is_assembled_once(one_reader, source):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, FAST_S)
    wishes = [request(source, r, c) for r in range(4) for c in range(5)]
    client.replace(wishes)
    tiles = []
    while b.executor.finish(seconds=FAST_S) is not None:
        tiles += take_all(client)
    assert len(tiles) == len(wishes)
    by_key = {tile.key: tile for tile in tiles}
    for wish in wishes:
        assert by_key[wish.key].complete
        np.testing.assert_array_equal(by_key[wish.key].data, expected(source, wish))
    assert not b.clock.scheduled
    # Names of neighbours, eight a tile, would cost the garbage collector more than the assembly.
    assert [tile.around for tile in client._list.tiles.values()] == [None] * len(wishes)


def test_a_tile_waits_a_moment_at_most(one_reader, source):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, FAST_S)
    client.replace([request(source, 0, 0), request(source, 0, 1)])
    b.executor.finish(seconds=FAST_S)
    b.clock.advance(WAIT_S * 0.9)
    assert client.take() is None
    b.clock.advance(WAIT_S * 0.2)
    assert b.wakes
    tile = client.take()
    assert tile.key == (source.key, 0, 0)
    assert not tile.complete


@pytest.mark.parametrize(("seconds", "tier"), [(SLOW_S, Tier.IDEAL), (FAST_S, Tier.COVERAGE)])
def test_neither_slow_sources_nor_the_first_picture_are_waited_for(
    one_reader, source, seconds, tier
):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, seconds)
    client.replace([request(source, 0, 0, tier=tier), request(source, 0, 1, tier=tier)])
    b.executor.finish(seconds=seconds)
    assert client.take().key == (source.key, 0, 0)


def test_slow_reads_that_began_together_are_waited_for(bench):
    source = SimulatedSource((8, 32), (8, 8))
    b = bench(loader_defaults={"num_workers": 4}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    client.replace([request(source, 0, 3, apron=0)])
    b.executor.finish(seconds=SLOW_S)
    take_all(client)
    client.replace([request(source, 0, c) for c in range(3)])
    b.clock.advance(SLOW_S)
    tiles = []
    while b.executor.finish(seconds=SLOW_S) is not None:
        tiles += take_all(client)
    assert [tile.complete for tile in tiles] == [True] * 3  # each was made once
    assert not b.clock.scheduled


def test_a_slow_read_that_is_late_is_waited_for_only_briefly(bench, source):
    b = bench(loader_defaults={"num_workers": 2}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    finish_first(b, source, client, SLOW_S)
    client.replace([request(source, 0, 0), request(source, 0, 1)])
    b.clock.advance(SLOW_S)
    b.executor.finish(seconds=SLOW_S)
    b.clock.advance(BRIEF_WAIT_S * 0.9)
    assert client.take() is None
    b.clock.advance(BRIEF_WAIT_S * 0.2)
    assert client.take().key == (source.key, 0, 0)


def test_a_slow_read_that_has_just_begun_is_not_waited_for(one_reader, source):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, SLOW_S)
    client.replace([request(source, 0, 0), request(source, 0, 1)])
    b.clock.advance(SLOW_S)
    b.executor.finish(seconds=SLOW_S)
    assert len(b.executor.reads) == 1  # of the neighbour, from now on
    b.clock.advance(0)
    assert client.take().key == (source.key, 0, 0)


def test_who_waits_briefly_does_not_stand_behind_who_waits_long(bench, source):
    b = bench(loader_defaults={"num_workers": 4}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    other = SimulatedSource((32, 40), (8, 8), key="other")
    fast, slow = b.open(), b.open()
    finish_first(b, source, fast, FAST_S)
    finish_first(b, other, slow, SLOW_S)
    slow.replace([request(other, 0, 0), request(other, 0, 1)])
    b.clock.advance(SLOW_S)
    fast.replace([request(source, 0, 0), request(source, 0, 1)])
    slow_read, _, fast_read, _ = b.executor.reads
    b.executor.finish(fast_read, seconds=FAST_S)
    b.executor.finish(slow_read, seconds=SLOW_S)
    b.clock.advance(BRIEF_WAIT_S * 1.1)
    assert slow.take().key == (other.key, 0, 0)
    assert fast.take() is None


def test_an_assembly_that_ends_lets_others_begin(bench, source):
    b = bench(loader_defaults={"num_workers": 2}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    b.executor.assemble_at_once = False
    client = b.open()
    client.replace([request(source, 0, 0), request(source, 3, 4, tier=Tier.PREFETCH)])
    b.executor.finish()
    assert not b.executor.reads  # what is only read ahead waits for the tile
    b.executor.works.pop(0)()
    assert client.take() is not None
    assert len(b.executor.reads) == 1


def test_a_tile_does_not_wait_for_what_is_far_down_the_list(one_reader):
    b = one_reader
    source = SimulatedSource((32, 400), (8, 8))
    client = b.open()
    finish_first(b, source, client, FAST_S)
    others = [request(source, 2, c) for c in range(50)]
    assert len(others) * FAST_S > WAIT_S
    first, last = request(source, 0, 0), request(source, 0, 1)
    client.replace([first, *others, last])
    b.executor.finish(seconds=FAST_S)
    assert client.take().key == first.key


def test_a_tile_waits_for_what_several_readers_soon_come_to(bench):
    b = bench(loader_defaults={"num_workers": 4}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    source = SimulatedSource((32, 400), (8, 8))
    client = b.open()
    finish_first(b, source, client, FAST_S)
    others = [request(source, 2, c) for c in range(50)]
    assert len(others) / 3 * FAST_S < WAIT_S < len(others) * FAST_S
    client.replace([request(source, 0, 0), *others, request(source, 0, 1)])
    b.executor.finish(b.executor.reads[0], seconds=FAST_S)
    assert client.take() is None


def test_the_view_does_not_wait_for_what_lies_ahead_of_it(one_reader, source):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, FAST_S)
    first, outside = request(source, 0, 0), request(source, 0, 1, tier=Tier.AHEAD)
    client.replace([first, outside])
    b.executor.finish(seconds=FAST_S)
    assert client.take().key == first.key


def test_a_tile_does_not_wait_for_what_is_not_due(bench, source):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 100}}})
    client = b.open()
    client.pace = Pace.STEADY
    finish_first(b, source, client, FAST_S)
    client.pace = Pace.RUSHING
    first, later = request(source, 0, 0), request(source, 0, 1)
    client.replace([first])
    b.clock.advance(0.15)
    client.replace([first, later])
    b.clock.advance(0.05)
    (read,) = b.executor.reads
    assert read.region == first.region
    b.executor.finish(seconds=FAST_S)
    assert client.take().key == first.key


def test_a_tile_that_waits_less_than_a_wish_is_not_late(bench, source):
    b = bench(loader_defaults={"num_workers": 2}, octree={"loaders": {0: {"delay_queue_ms": 100}}})
    fast, slow = b.open(), b.open()
    fast.pace = Pace.STEADY
    finish_first(b, source, fast, FAST_S)
    other = SimulatedSource((32, 40), (8, 8), key="other")
    slow.pace = Pace.UNCERTAIN
    slow.replace([request(other, 0, 0)])  # after a delay of 100 ms
    fast.replace([request(source, 0, 0), request(source, 0, 1)])
    b.executor.finish(b.executor.reads[0], seconds=FAST_S)
    assert fast.take() is None
    b.clock.advance(WAIT_S * 1.1)
    assert fast.take().key == (source.key, 0, 0)


def test_nothing_waits_when_what_lies_around_is_not_to_come(one_reader, source):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, FAST_S)
    wishes = [request(source, 0, 0), request(source, 0, 1)]
    client.replace(wishes)
    b.executor.finish(seconds=FAST_S)
    assert client.take() is None
    (neighbour,) = b.executor.reads
    client.replace(wishes[:1])
    assert client.take() is None  # the neighbour is being read, and will be there
    neighbour.done(ReadOutcome(None, PermissionError(), FAST_S))
    assert client.take().key == wishes[0].key


def test_a_tile_that_waits_gives_way_where_memory_is_short(bench, source):
    b = bench(
        ram_bytes=2600,  # a tile's block and chunk take 128 + 200 + 200 + 512 bytes
        loader_defaults={"num_workers": 1},
        octree={"loaders": {0: {"delay_queue_ms": 0}}},
    )
    client = b.open()
    finish_first(b, source, client, FAST_S)
    client.replace([request(source, r, c) for r in range(2) for c in range(3)])
    keys = {tile.key for tile in b.run(client, seconds=FAST_S)}
    assert len(keys) == 6  # and time stood still


def test_a_tile_that_waits_and_leaves_leaves_nothing_behind(one_reader, source):
    b = one_reader
    client = b.open()
    finish_first(b, source, client, FAST_S)
    client.replace([request(source, 0, 0), request(source, 0, 1)])
    b.executor.finish(seconds=FAST_S)
    client.close()
    b.executor.finish_all()
    assert b.loader.statistics.in_flight_bytes == 0
    assert not b.clock.scheduled


def test_the_client_is_woken_for_the_first_and_for_the_last(bench, source):
    b = bench(loader_defaults={"num_workers": 4}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(4)])
    wakes = []
    while b.executor.finish() is not None:
        wakes.append(b.wakes)
    assert wakes == [1, 1, 1, 2]
